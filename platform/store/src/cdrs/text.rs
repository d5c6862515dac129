//! The statements of a search. They are written out, and not composed by the mapper, because which
//! index answers them is the point: a condition that is not to be answered from an index stands
//! behind an operator that changes nothing (`|| ''`, `+ 0`), which keeps both databases' planners
//! from trading the order of the rows, and with it the early end, for it.
use sea_orm::{DbBackend, Statement, Value};
use yunling_domain::AccountId;

use super::{CdrFilter, Driver};
use crate::{Cursor, TimeRange, backend};

/// SQL and its parameters, in their order.
#[derive(Debug, Default)]
pub(super) struct Text {
    sql: String,
    values: Vec<Value>,
    is_scanned: bool,
}

impl Text {
    pub(super) fn new(sql: &str) -> Self {
        Self { sql: sql.to_owned(), values: Vec::new(), is_scanned: false }
    }

    pub(super) fn push(&mut self, sql: &str, values: impl IntoIterator<Item = Value>) {
        self.sql.push_str(sql);
        self.values.extend(values);
    }

    pub(super) fn append(&mut self, other: Self) {
        self.push(&other.sql, other.values);
    }

    /// A condition that leaves rows out which the index gives, and possibly nearly all of them.
    fn scanned(&mut self, sql: &str, values: impl IntoIterator<Item = Value>) {
        self.is_scanned = true;
        self.push(sql, values);
    }

    pub(super) fn is_scanned(&self) -> bool {
        self.is_scanned
    }

    pub(super) fn newest_first(&mut self) {
        self.sql.push_str(" ORDER BY c.started_at DESC, c.call_id DESC");
    }

    pub(super) fn statement(self, backend: DbBackend) -> Statement {
        backend::statement(backend, &self.sql, self.values)
    }

    /// What the index answers: the account, the driving condition, the time, the place to go on from.
    pub(super) fn driven(
        &mut self,
        account: &AccountId,
        filter: &CdrFilter,
        driver: Driver,
        after: Option<&Cursor>,
    ) {
        self.push(" WHERE c.account = ?", [account.as_str().into()]);
        let driven = match driver {
            Driver::Request => filter.request_id.as_ref().map(|id| ("request_id", id.as_str())),
            Driver::To => filter.to_number.as_deref().map(|number| ("to_number", number)),
            Driver::From => filter.from_number.as_deref().map(|number| ("from_number", number)),
            Driver::Application => {
                filter.application.as_ref().map(|id| ("application", id.as_str()))
            }
            Driver::Account => None,
        };
        if let Some((column, value)) = driven {
            self.push(&format!(" AND c.{column} = ?"), [value.into()]);
        }
        self.within("c", filter.started);
        if let Some(after) = after {
            let place = [after.at.0.into(), after.id.as_str().into()];
            self.push(" AND (c.started_at, c.call_id) < (?, ?)", place);
        }
    }

    fn within(&mut self, alias: &str, range: TimeRange) {
        if let Some(from) = range.from {
            self.push(&format!(" AND {alias}.started_at >= ?"), [from.0.into()]);
        }
        if let Some(to) = range.to {
            self.push(&format!(" AND {alias}.started_at < ?"), [to.0.into()]);
        }
    }

    /// What is looked at row by row.
    pub(super) fn rest(&mut self, filter: &CdrFilter, driver: Driver) {
        self.of_conversation(filter, driver);
        if filter.picks_legs() {
            self.of_leg("c", filter, Some(driver));
            // Shown once, at the first leg that is picked. Identifiers are nobody else's.
            let mut earlier = Self::new(
                " AND (c.leg = 0 OR NOT EXISTS (SELECT 1 FROM \"call\" AS earlier \
                 WHERE earlier.conversation_id = c.conversation_id AND earlier.leg < c.leg",
            );
            earlier.within("earlier", filter.started);
            earlier.of_leg("earlier", filter, None);
            earlier.push("))", []);
            self.append(earlier);
        } else {
            // Every conversation has it; it leaves out less than two thirds of the rows.
            self.push(" AND c.leg = 0", []);
        }
    }

    /// Conditions that are the same for every leg of a conversation.
    fn of_conversation(&mut self, filter: &CdrFilter, driver: Driver) {
        if let Some(application) =
            filter.application.as_ref().filter(|_| driver != Driver::Application)
        {
            self.scanned(" AND c.application || '' = ?", [application.as_str().into()]);
        }
        if let Some(kind) = filter.kind {
            self.scanned(" AND c.kind = ?", [kind.as_str().into()]);
        }
        if let Some(bye_type) = filter.bye_type {
            self.scanned(" AND c.bye_type = ?", [i16::from(bye_type.number()).into()]);
        }
        match filter.result {
            // The callee answered: of a click its `byeType` says so.
            Some(0) => self
                .scanned(" AND (c.bye_type IS NULL AND c.result + 0 = 0 OR c.bye_type >= 3)", []),
            Some(_) => self
                .scanned(" AND (c.bye_type IS NULL AND c.result + 0 <> 0 OR c.bye_type < 3)", []),
            None => {}
        }
    }

    /// Conditions that pick among a conversation's legs, without the one that drives.
    fn of_leg(&mut self, alias: &str, filter: &CdrFilter, driver: Option<Driver>) {
        let driven = |of: Driver| driver == Some(of);
        let columns = [
            ("to_number", filter.to_number.as_deref().filter(|_| !driven(Driver::To))),
            ("from_number", filter.from_number.as_deref().filter(|_| !driven(Driver::From))),
            ("trunk", filter.trunk.as_deref()),
            ("cause", filter.cause.as_deref()),
        ];
        for (column, value) in columns {
            if let Some(value) = value {
                self.scanned(&format!(" AND {alias}.{column} || '' = ?"), [value.into()]);
            }
        }
        if filter.to_number.is_some() && filter.masked_numbers {
            // "click" is found by its key.
            let unmasked = format!(
                " AND NOT EXISTS (SELECT 1 FROM click \
                 WHERE click.conversation_id = {alias}.conversation_id \
                 AND click.masked <> 0 AND click.caller_call_id <> {alias}.call_id)"
            );
            self.scanned(&unmasked, []);
        }
    }
}
