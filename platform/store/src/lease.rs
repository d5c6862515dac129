//! The node number is leased: a row that other machines see, and beside a SQLite database a lock
//! file that the operating system gives back the moment a process dies.
use std::{
    fs::{File, OpenOptions as FileOptions, TryLockError},
    path::PathBuf,
};

use aws_lc_rs::rand;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, sea_query::Expr,
};
use yunling_domain::{Micros, NodeNumber};

use crate::{
    Lane, Store, StoreError,
    entity::node_lease::{ActiveModel, Column, Entity},
};

/// That this process, and no other, runs under a node number. Kept as long as the process mints
/// identifiers or dials.
#[derive(Debug)]
pub struct NodeLease {
    store: Store,
    node: NodeNumber,
    holder: String,
    /// Held until it is dropped; the operating system's own when the process dies.
    _lock: Option<File>,
}

impl NodeLease {
    /// Takes a node number until `until`; [`renew`](Self::renew) goes on from there.
    ///
    /// On SQLite the lock file decides: a process that was killed leaves its number free at once.
    /// On PostgreSQL the row decides: the number is free once its lease has run out.
    ///
    /// # Errors
    /// [`StoreError::NodeTaken`] where a live process has it.
    pub async fn claim(
        store: &Store,
        node: NodeNumber,
        now: Micros,
        until: Micros,
    ) -> Result<Self, StoreError> {
        let lock = match store.sqlite_file() {
            Some(database) => Some(lock_file(lock_path(database, node), node)?),
            None => None,
        };
        let holder = random_holder()?;
        let name = holder.clone();
        let decides = if lock.is_some() { Decides::LockFile } else { Decides::Row };
        store
            .writer()
            .write(Lane::Live, move |tx| {
                Box::pin(async move { take(tx, node, &name, now, until, decides).await })
            })
            .await?;
        Ok(Self { store: store.clone(), node, holder, _lock: lock })
    }

    /// The number.
    pub fn node(&self) -> NodeNumber {
        self.node
    }

    /// Holds the number until `until`.
    ///
    /// # Errors
    /// [`StoreError::NodeTaken`] where the lease had run out and another process took the number:
    /// this one must stop dialling at once.
    pub async fn renew(&self, until: Micros) -> Result<(), StoreError> {
        let (node, holder) = (self.node, self.holder.clone());
        self.store
            .writer()
            .write_patiently(Lane::Live, move |tx| {
                Box::pin(async move {
                    let renewed = Entity::update_many()
                        .col_expr(Column::Until, Expr::value(until.0))
                        .filter(Column::Node.eq(node.to_string()))
                        .filter(Column::Holder.eq(holder.as_str()))
                        .exec(tx)
                        .await?;
                    if renewed.rows_affected == 1 {
                        Ok(())
                    } else {
                        Err(taken(node, "its lease ran out and another process took it"))
                    }
                })
            })
            .await
    }

    /// Gives the number back.
    ///
    /// # Errors
    /// Those of a write; the lease then runs out by itself.
    pub async fn release(self) -> Result<(), StoreError> {
        let (node, holder) = (self.node, self.holder.clone());
        self.store
            .writer()
            .write_patiently(Lane::Live, move |tx| {
                Box::pin(async move {
                    Entity::delete_many()
                        .filter(Column::Node.eq(node.to_string()))
                        .filter(Column::Holder.eq(holder.as_str()))
                        .exec(tx)
                        .await?;
                    Ok(())
                })
            })
            .await
    }
}

/// What tells whether a number is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decides {
    LockFile,
    Row,
}

async fn take(
    tx: &impl ConnectionTrait,
    node: NodeNumber,
    holder: &str,
    now: Micros,
    until: Micros,
    decides: Decides,
) -> Result<(), StoreError> {
    let row = Entity::find_by_id(node.to_string()).one(tx).await?;
    match row {
        Some(row) if decides == Decides::Row && row.until > now.0 => {
            let left_s = Micros(row.until).ms_since(now).div_euclid(1_000) + 1;
            Err(taken(node, &format!("another process holds it for {left_s} s yet")))
        }
        Some(row) => {
            let changed = Entity::update_many()
                .col_expr(Column::Holder, Expr::value(holder))
                .col_expr(Column::Until, Expr::value(until.0))
                .filter(Column::Node.eq(node.to_string()))
                .filter(Column::Holder.eq(row.holder))
                .exec(tx)
                .await?;
            if changed.rows_affected == 1 {
                Ok(())
            } else {
                Err(taken(node, "another process was faster"))
            }
        }
        None => {
            let row = ActiveModel {
                node: Set(node.to_string()),
                holder: Set(holder.to_owned()),
                until: Set(until.0),
            };
            Entity::insert(row).exec_without_returning(tx).await?;
            Ok(())
        }
    }
}

fn lock_path(database: &std::path::Path, node: NodeNumber) -> PathBuf {
    let mut name = database.file_name().unwrap_or_default().to_owned();
    name.push(format!(".node-{node}.lock"));
    database.with_file_name(name)
}

fn lock_file(path: PathBuf, node: NodeNumber) -> Result<File, StoreError> {
    let cannot = |error: std::io::Error| StoreError::Configuration {
        what: format!("lock file {}: {error}", path.display()),
        expected: "a folder that this process may write to",
    };
    let file =
        FileOptions::new().create(true).truncate(false).write(true).open(&path).map_err(cannot)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(taken(node, &format!("another process has locked {}", path.display())))
        }
        Err(TryLockError::Error(error)) => Err(cannot(error)),
    }
}

fn taken(node: NodeNumber, detail: &str) -> StoreError {
    StoreError::NodeTaken { node: node.to_string(), detail: detail.to_owned() }
}

fn random_holder() -> Result<String, StoreError> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).map_err(|_| {
        StoreError::Statement("the operating system gives no random bytes".to_owned())
    })?;
    Ok(hex::encode(bytes))
}
