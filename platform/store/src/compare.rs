//! Conditions that several lists share.
use sea_orm::{
    ColumnTrait, Condition, Value,
    sea_query::{BinOper, Expr, ExprTrait, SimpleExpr},
};
use yunling_domain::Micros;

use crate::TimeRange;

/// Rows after a cursor's instant and key in the order (instant, key) newest first: a comparison of
/// row values, which both databases answer from an index on the two.
pub(crate) fn after<C: ColumnTrait>(
    instant: C,
    at: Micros,
    key: C,
    id: impl Into<Value>,
) -> SimpleExpr {
    Expr::tuple([Expr::col(instant), Expr::col(key)])
        .lt(Expr::tuple([Expr::val(at.0), Expr::val(id)]))
}

/// A condition that no index answers, beside one that does: without statistics SQLite would take an
/// account's index, and with it every row of the account, for a better one than a conversation's.
pub(crate) fn besides<C: ColumnTrait>(column: C, text: &str) -> SimpleExpr {
    Expr::col(column).binary(BinOper::Custom("||"), "").eq(text)
}

/// Rows of a time range.
pub(crate) fn within<C: ColumnTrait>(instant: C, range: TimeRange) -> Condition {
    Condition::all()
        .add_option(range.from.map(|from| instant.gte(from.0)))
        .add_option(range.to.map(|to| instant.lt(to.0)))
}
