use sea_orm_migration::prelude::*;

use super::table::{NewTable, index};

/// Campaigns: their rules and counts, their numbers, the rows of lists that were not taken, their
/// calls, how often each caller ID was shown, and accounts' do-not-call lists.
#[derive(DeriveMigrationName)]
pub(super) struct Migration;

const ID: u32 = 64;
const NUMBER: u32 = 32;
const WORD: u32 = 16;
const RULE: u32 = 64;
const CRON: u32 = 256;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in tables() {
            manager.create_table(table.statement()).await?;
        }
        let indexes = [
            index("campaign", &["account", "created_at", "request_id"]),
            // For the caps of one callee, and for how one caller ID is answered.
            index("campaign_call", &["account", "to_number", "at"]),
            index("campaign_call", &["account", "from_number", "at"]),
            index("campaign_call", &["request_id", "at"]),
            index("do_not_call", &["account", "added_at", "number"]),
            // One run for each time that a recurring campaign comes round.
            index("campaign", &["parent", "fires_at"]).unique().to_owned(),
        ];
        for index in indexes {
            manager.create_index(index).await?;
        }
        let connection = manager.get_connection();
        for sql in PARTIAL_INDEXES {
            connection.execute_unprepared(sql).await?;
        }
        Ok(())
    }
}

fn tables() -> [NewTable; 6] {
    [
        NewTable::named("campaign")
            .name("request_id", ID)
            .name("account", ID)
            .name("application", ID)
            .text("name")
            .name("state", WORD)
            .name("node", WORD)
            .name_or_null("parent", ID)
            .long_or_null("fires_at")
            .name_or_null("cron", CRON)
            .long_or_null("next_fire_at")
            .json("rules")
            .int("total")
            .int("rejected")
            .int("duplicates")
            .int("calls")
            .long("talk_s")
            .int("confirmed")
            .int("answered")
            .int("busy")
            .int("no_answer")
            .int("declined")
            .int("no_such_number")
            .int("failed")
            .int("refused")
            .int("cancelled")
            .long("created_at")
            .long_or_null("started_at")
            .long_or_null("finished_at")
            .key(&["request_id"]),
        NewTable::named("campaign_number")
            .name("request_id", ID)
            .int("n")
            .name("to_number", NUMBER)
            .name("to_shown", NUMBER)
            .json("variables")
            .text_or_null("userdata")
            .name_or_null("area", WORD)
            .small("state")
            .long("due_at")
            .name_or_null("rule", RULE)
            .small_or_null("result")
            .small("busy")
            .small("no_answer")
            .small("failed")
            .small("unconfirmed")
            .small("calls")
            .name_or_null("avoid", NUMBER)
            .key(&["request_id", "n"]),
        NewTable::named("campaign_rejected")
            .name("request_id", ID)
            .int("line")
            .text("reason")
            .text("content")
            .key(&["request_id", "line"]),
        NewTable::named("campaign_line")
            .name("request_id", ID)
            .name("number", NUMBER)
            .long("calls")
            .key(&["request_id", "number"]),
        NewTable::named("campaign_call")
            .name("call_id", ID)
            .name("request_id", ID)
            .name("account", ID)
            .int("n")
            .name("to_number", NUMBER)
            .name_or_null("from_number", NUMBER)
            .long("at")
            .long_or_null("answered_at")
            .long_or_null("ended_at")
            .long("talk_s")
            .small_or_null("result")
            .small("state")
            .key(&["call_id"]),
        NewTable::named("do_not_call")
            .name("account", ID)
            .name("number", NUMBER)
            .text("note")
            .text("added_by")
            .long("added_at")
            .key(&["account", "number"]),
    ]
}

/// Their conditions are repeated word for word by the statements that use them.
const PARTIAL_INDEXES: &[&str] = &[
    "CREATE INDEX campaign_live ON campaign (account) WHERE finished_at IS NULL",
    "CREATE INDEX campaign_number_waiting ON campaign_number (request_id, due_at, n) WHERE state = 0",
    "CREATE INDEX campaign_number_out ON campaign_number (request_id) WHERE state = 1",
    "CREATE INDEX campaign_call_ended ON campaign_call (request_id) WHERE state = 1",
];
