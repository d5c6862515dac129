//! Fills a database with call records, for `cargo xtask bench cdr`.
//!
//! `cargo run -p yunling-store --example fill_cdrs DATABASE_URL ROWS ACCOUNT APPLICATION`
//!
//! Of four rows one is a notice, one of a batch, two the legs of a click. Of a thousand rows one went
//! over the trunk `rare`. A million callees, ten lines, two applications, a request a thousand rows;
//! a year of it, whatever the number.

use sqlx::{AssertSqlSafe, Executor as _};
use yunling_store::{JobPool, OpenOptions, Store};

type Failed = Box<dyn std::error::Error>;

/// Rows of one statement.
const ROWS: u64 = 20_000;
/// The end of the year: 2026-11-24.
const END_US: u64 = 1_795_500_000_000_000;
const YEAR_US: u64 = 365 * 24 * 3_600 * 1_000_000;

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, rows, account, application] = arguments.as_slice() else {
        return Err("expected DATABASE_URL ROWS ACCOUNT APPLICATION".into());
    };
    let rows: u64 = rows.parse()?;
    let store = Store::open(url, OpenOptions::default()).await?;
    let mut from = 0;
    while from < rows {
        let to = (from + ROWS).min(rows);
        for sql in statements(from, to, YEAR_US / rows.max(1)) {
            let sql = sql.replace("ACCOUNT", account).replace("APPLICATION", application);
            run(&store, &sql).await?;
        }
        from = to;
        if from % 1_000_000 == 0 {
            eprintln!("{from} rows");
        }
    }
    match store.job_pool() {
        JobPool::Sqlite(_) => store.analyze().await?,
        // As autovacuum does by itself on a server that is not made for a test.
        JobPool::Postgres(_) => run(&store, "VACUUM ANALYZE").await?,
    }
    store.close().await?;
    Ok(())
}

async fn run(store: &Store, sql: &str) -> Result<(), Failed> {
    // Only numbers and the names that were given on the command line are in it.
    match store.job_pool() {
        JobPool::Sqlite(pool) => {
            pool.execute(AssertSqlSafe(sql)).await?;
        }
        JobPool::Postgres(pool) => {
            pool.execute(AssertSqlSafe(sql)).await?;
        }
    }
    Ok(())
}

/// The rows from `from` to before `to`, `step_us` after one another. Written so that both databases
/// take it.
fn statements(from: u64, to: u64, step_us: u64) -> [String; 3] {
    let begin_us = END_US - YEAR_US;
    let conversation = "'CV1000020260101000000' || substr(CAST(10000000000000 + n - \
                        (CASE WHEN n % 4 = 3 THEN 1 ELSE 0 END) AS TEXT), 2)";
    let request = "'RQ1000020260101000000' || substr(CAST(10000000000000 + n / 1000 AS TEXT), 2)";
    let application = "CASE WHEN n % 8 < 4 THEN 'APPLICATION' ELSE 'another' END";
    let series = |first: u64, last: u64| {
        format!(
            "WITH RECURSIVE numbers (n) AS (SELECT CAST({first} AS BIGINT) \
             UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < {last})"
        )
    };
    let requests = format!(
        "INSERT INTO request (id, account, application, kind, state, spec, to_raw, userdata, urls, \
         api_version, created_at) {} SELECT {request}, 'ACCOUNT', 'APPLICATION', 'batch', \
         'finished', '{{}}', '', 'order ' || n, '{{}}', 'v', {begin_us} FROM numbers \
         WHERE n % 1000 = 0",
        series(from, to)
    );
    let calls = format!(
        "INSERT INTO \"call\" (call_id, conversation_id, request_id, account, application, kind, \
         from_number, to_number, trunk, started_at, ring_at, answered_at, ended_at, duration_s, \
         result, reason, cause, sip_code, leg, bye_type, hangup_reason) {} \
         SELECT 'CA1000020260101000000' || substr(CAST(10000000000000 + n AS TEXT), 2), \
         {conversation}, {request}, 'ACCOUNT', {application}, \
         CASE n % 4 WHEN 0 THEN 'notice' WHEN 1 THEN 'batch' ELSE 'click' END, \
         '+861080001' || CAST(100 + n % 10 AS TEXT), \
         '+86138' || substr(CAST(100000000 + (n * 2654435761) % 1000000 AS TEXT), 2), \
         CASE WHEN n % 1000 = 0 THEN 'rare' ELSE 'carrier' END, \
         at, at + 2000000, CASE WHEN answered = 1 THEN at + 6000000 ELSE NULL END, at + 36000000, \
         answered * 30, 1 - answered, CASE WHEN answered = 1 THEN NULL ELSE 1 END, \
         CASE WHEN answered = 1 THEN 'completed' ELSE 'no-answer' END, \
         CASE WHEN answered = 1 THEN 200 ELSE 480 END, CASE WHEN n % 4 = 3 THEN 1 ELSE 0 END, \
         CASE WHEN n % 4 < 2 THEN NULL WHEN answered = 1 THEN 4 ELSE 2 END, 'remote_bye' \
         FROM (SELECT n, {begin_us} + n * {step_us} AS at, \
               CASE WHEN (n / 4) % 5 = 0 THEN 0 ELSE 1 END AS answered FROM numbers) AS told",
        series(from, to)
    );
    let talks = format!(
        "INSERT INTO talk (conversation_id, account, application, request_id, bye_type, ended_by, \
         hangup_reason, ended_at) {} SELECT {conversation}, 'ACCOUNT', {application}, {request}, \
         CASE WHEN (n / 4) % 5 = 0 THEN 2 ELSE 4 END, 'callee', 'remote_bye', \
         {begin_us} + n * {step_us} + 36000000 FROM numbers WHERE n % 4 = 3",
        series(from, to)
    );
    [requests, calls, talks]
}
