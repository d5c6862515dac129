use sea_orm_migration::prelude::*;

use super::table::{NewTable, index};

/// Configuration, requests, attempts, call records, the outbox, leases.
#[derive(DeriveMigrationName)]
pub(super) struct Migration;

/// Widths: identifiers are opaque strings of at most 64 characters (RESOLUTIONS.md, Everywhere).
const ID: u32 = 64;
const NUMBER: u32 = 32;
const WORD: u32 = 16;
const NAME: u32 = 128;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in tables() {
            manager.create_table(table.statement()).await?;
        }
        for (table, columns) in INDEXES {
            manager.create_index(index(table, columns)).await?;
        }
        for (table, columns) in UNIQUE_INDEXES {
            manager.create_index(index(table, columns).unique().to_owned()).await?;
        }
        let connection = manager.get_connection();
        for sql in PARTIAL_INDEXES.iter().chain(COUNTERS) {
            connection.execute_unprepared(sql).await?;
        }
        Ok(())
    }
}

fn tables() -> Vec<NewTable> {
    vec![
        NewTable::named("meta").name("key", WORD * 2).long("value").key(&["key"]),
        NewTable::named("resource")
            .name("kind", WORD * 2)
            .name("account_sid", ID)
            .name("key", NAME * 2)
            .json("doc")
            .json_or_null("applied")
            .name("owner", NAME)
            .long("version")
            .long("updated_at")
            .key(&["kind", "account_sid", "key"]),
        NewTable::named("media_blob")
            .name("sha256", ID)
            .blob("original")
            .blob("alaw")
            .blob("ulaw")
            .long("ms")
            .key(&["sha256"]),
        NewTable::named("credential")
            .name("id", ID)
            .name("account_sid", ID)
            .name("kind", WORD)
            .blob("hash")
            .name("label", NAME)
            .json("scopes")
            .long("created_at")
            .long_or_null("revoked_at")
            .long_or_null("last_used_at")
            .key(&["id"]),
        NewTable::named("request")
            .name("id", ID)
            .name("account", ID)
            .name("application", ID)
            .name("kind", WORD)
            .name("state", WORD)
            .json("spec")
            .text("to_raw")
            .text_or_null("userdata")
            .json("urls")
            .name_or_null("from_number", NUMBER)
            .name("api_version", WORD)
            .long("created_at")
            .key(&["id"]),
        attempt(),
        call(),
        NewTable::named("conversation")
            .name("id", ID)
            .name("account", ID)
            .name("application", ID)
            .name("kind", WORD)
            .long("started_at")
            .long("ended_at")
            .blob("story")
            .key(&["id"]),
        NewTable::named("endpoint")
            .serial("id")
            .name("account", ID)
            .name("url_hash", ID)
            .text("url")
            .long_or_null("disabled_at")
            .text_or_null("reason")
            .int("consecutive_failures")
            .long("created_at"),
        NewTable::named("delivery")
            .name("id", ID)
            .name("account", ID)
            .name("application", ID)
            .long("endpoint_id")
            .name_or_null("conversation_id", ID)
            .int("seq")
            .name("kind", WORD * 2)
            .text("url")
            .text("body")
            .small("state")
            .long("next_at")
            .int("tries")
            .long("version")
            .long("created_at")
            .long_or_null("delivered_at")
            .key(&["id"])
            .refers_to("endpoint_id", "endpoint"),
        NewTable::named("delivery_attempt")
            .serial("id")
            .name("delivery_id", ID)
            .int("n")
            .long("at")
            .small_or_null("status")
            .long("latency_ms")
            .text_or_null("error")
            .text_or_null("answer_head")
            .part_of("delivery_id", "delivery"),
        NewTable::named("idempotency")
            .name("account", ID)
            .name("key", 255)
            .name("route", NAME)
            .name("body_sha", ID)
            .small_or_null("status")
            .text_or_null("response")
            .long("created_at")
            .key(&["account", "key", "route"]),
        NewTable::named("audit")
            .serial("id")
            .long("at")
            .name("account", ID)
            .name("who", NAME)
            .name("action", ID)
            .name("object", NAME * 2)
            .json("detail"),
        NewTable::named("node_lease")
            .name("node", WORD)
            .name("holder", ID)
            .long("until")
            .key(&["node"]),
        NewTable::named("id_mark")
            .name("node", WORD)
            .long("micros")
            .name("zone", ID)
            .int("era")
            .key(&["node"]),
    ]
}

fn attempt() -> NewTable {
    NewTable::named("attempt")
        .serial("id")
        .name("call_id", ID)
        .name("conversation_id", ID)
        .name("request_id", ID)
        .name("account", ID)
        .name("application", ID)
        .small("lane")
        .name("to_number", NUMBER)
        .name("to_shown", ID)
        .small("state")
        .long("due_at")
        .long("deadline_at")
        .name_or_null("node", WORD)
        .long_or_null("lease_until")
        .long_or_null("invited_at")
        .name_or_null("trunk", NAME)
        .small("try_no")
        .name_or_null("from_number", NUMBER)
        .long_or_null("ring_at")
        .long_or_null("answered_at")
        .long_or_null("ended_at")
        .json_or_null("dialog")
        .name_or_null("input_key", WORD)
        .name_or_null("rule", ID)
        .long("created_at")
        .refers_to("request_id", "request")
}

fn call() -> NewTable {
    NewTable::named("call")
        .name("call_id", ID)
        .name("conversation_id", ID)
        .name("request_id", ID)
        .name("account", ID)
        .name("application", ID)
        .name("kind", WORD)
        .name("from_number", NUMBER)
        .name("to_number", NUMBER)
        .name_or_null("trunk", NAME)
        .long("started_at")
        .long_or_null("ring_at")
        .long_or_null("answered_at")
        .long("ended_at")
        .long("duration_s")
        .small("result")
        .small_or_null("reason")
        .name("cause", WORD)
        .name_or_null("fault", WORD * 2)
        .small_or_null("sip_code")
        .small_or_null("q850")
        .name_or_null("input_key", 1)
        .json_or_null("figures")
        .name_or_null("rule", ID)
        .key(&["call_id"])
}

/// Table and columns. Lists are read newest first by (account, one filter, instant, key).
const INDEXES: &[(&str, &[&str])] = &[
    ("credential", &["account_sid"]),
    ("request", &["account", "created_at", "id"]),
    ("request", &["account", "application", "created_at", "id"]),
    ("attempt", &["request_id"]),
    ("call", &["account", "started_at", "call_id"]),
    ("call", &["account", "to_number", "started_at", "call_id"]),
    ("call", &["account", "from_number", "started_at", "call_id"]),
    ("call", &["account", "application", "started_at", "call_id"]),
    ("call", &["account", "result", "started_at", "call_id"]),
    ("call", &["account", "request_id", "started_at", "call_id"]),
    ("call", &["conversation_id"]),
    ("conversation", &["account", "started_at", "id"]),
    ("delivery", &["account", "created_at", "id"]),
    ("delivery", &["account", "state", "created_at", "id"]),
    ("delivery", &["account", "endpoint_id", "created_at", "id"]),
    ("delivery", &["conversation_id", "seq"]),
    ("idempotency", &["created_at"]),
    ("audit", &["account", "at", "id"]),
];

/// Table and columns that no two rows share.
const UNIQUE_INDEXES: &[(&str, &[&str])] = &[
    ("credential", &["hash"]),
    ("attempt", &["call_id"]),
    ("endpoint", &["account", "url_hash"]),
    ("delivery_attempt", &["delivery_id", "n"]),
];

/// Only the rows that the dispatcher and the deliverer look for: they stay small however many
/// calls have ended. The conditions are repeated word for word by the statements that use them,
/// because a planner takes a partial index only for a condition that it can prove.
const PARTIAL_INDEXES: &[&str] = &[
    "CREATE INDEX attempt_queued ON attempt (lane, account, due_at, id) WHERE state = 0",
    "CREATE INDEX attempt_queued_account ON attempt (account) WHERE state = 0",
    "CREATE INDEX attempt_deadline ON attempt (deadline_at) WHERE state = 0",
    "CREATE INDEX attempt_held ON attempt (node, lease_until) WHERE state IN (1, 2, 3)",
    "CREATE INDEX delivery_pending ON delivery (endpoint_id, next_at, id) WHERE state = 0",
];

const COUNTERS: &[&str] = &[
    "INSERT INTO meta (key, value) VALUES ('config_version', 0)",
    "INSERT INTO meta (key, value) VALUES ('ping', 0)",
];
