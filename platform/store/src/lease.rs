//! The node number is leased: a row that other machines see, and a lock file that the operating
//! system gives back the moment a process dies. The file lies beside a SQLite database, else in the
//! data folder, and names the last holder: a lease of that name in the row is a dead process's.
use std::{
    fs::{File, OpenOptions as FileOptions, TryLockError},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
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
    _lock: File,
}

impl NodeLease {
    /// Takes a node number until `until`; [`renew`](Self::renew) goes on from there.
    ///
    /// A process that was killed leaves its number free at once for the next one on its data
    /// folder. On SQLite the lock file alone decides. On PostgreSQL the row decides for everybody
    /// else: to them the number is free once the lease has run out.
    ///
    /// # Errors
    /// [`StoreError::NodeTaken`] where a live process has it.
    pub async fn claim(
        store: &Store,
        node: NodeNumber,
        data_dir: &Path,
        now: Micros,
        until: Micros,
    ) -> Result<Self, StoreError> {
        let path = match store.sqlite_file() {
            Some(database) => lock_path(database, node),
            None => data_dir.join(format!("node-{node}.lock")),
        };
        let mut lock = lock_file(&path, node)?;
        let broken = |error: std::io::Error| unusable(&path, &error);
        let earlier = read_holders(&mut lock).map_err(broken)?;
        let holder = random_holder()?;
        // Both names, because a crash may come before or after the row changes hands.
        write_holders(&mut lock, &format!("{earlier}{holder}\n")).map_err(broken)?;
        let decides = match store.sqlite_file() {
            Some(_) => Decides::LockFile,
            None => Decides::Row { dead: earlier.lines().map(str::to_owned).collect() },
        };
        let name = holder.clone();
        let taken = store
            .writer()
            .write(Lane::Live, move |tx| {
                Box::pin(async move { take(tx, node, &name, now, until, &decides).await })
            })
            .await;
        match taken {
            Ok(()) => write_holders(&mut lock, &format!("{holder}\n")).map_err(broken)?,
            Err(error @ StoreError::NodeTaken { .. }) => {
                write_holders(&mut lock, &earlier).map_err(broken)?;
                return Err(error);
            }
            // Whether the row has changed hands is not known: both names stay.
            Err(error) => return Err(error),
        }
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
#[derive(Debug, Clone, PartialEq, Eq)]
enum Decides {
    LockFile,
    /// But for these holders, who are known to be dead.
    Row {
        dead: Vec<String>,
    },
}

impl Decides {
    fn is_held(&self, holder: &str, until: Micros, now: Micros) -> bool {
        match self {
            Self::LockFile => false,
            Self::Row { dead } => until > now && !dead.iter().any(|name| name == holder),
        }
    }
}

async fn take(
    tx: &impl ConnectionTrait,
    node: NodeNumber,
    holder: &str,
    now: Micros,
    until: Micros,
    decides: &Decides,
) -> Result<(), StoreError> {
    let row = Entity::find_by_id(node.to_string()).one(tx).await?;
    match row {
        Some(row) if decides.is_held(&row.holder, Micros(row.until), now) => {
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

fn lock_path(database: &Path, node: NodeNumber) -> PathBuf {
    let mut name = database.file_name().unwrap_or_default().to_owned();
    name.push(format!(".node-{node}.lock"));
    database.with_file_name(name)
}

fn unusable(path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Configuration {
        what: format!("lock file {}: {error}", path.display()),
        expected: "a folder that this process may write to",
    }
}

fn lock_file(path: &Path, node: NodeNumber) -> Result<File, StoreError> {
    let mut options = FileOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    let file = options.open(path).map_err(|error| unusable(path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(taken(node, &format!("another process has locked {}", path.display())))
        }
        Err(TryLockError::Error(error)) => Err(unusable(path, &error)),
    }
}

/// The names in a lock file, one a line.
fn read_holders(lock: &mut File) -> std::io::Result<String> {
    let mut text = String::new();
    lock.read_to_string(&mut text)?;
    Ok(text)
}

fn write_holders(lock: &mut File, text: &str) -> std::io::Result<()> {
    lock.set_len(0)?;
    lock.seek(SeekFrom::Start(0))?;
    lock.write_all(text.as_bytes())?;
    lock.sync_data()
}

/// Forgets every lease: in a database that was just restored, all of them are of another time.
///
/// # Errors
/// Those of a write.
pub async fn forget_all(tx: &impl ConnectionTrait) -> Result<(), StoreError> {
    Entity::delete_many().exec(tx).await?;
    Ok(())
}

/// Whether a process holds one of the lock files in a data folder: a node runs on it. Gives that
/// file.
///
/// # Errors
/// The folder or a file cannot be read.
pub fn locked_in(data_dir: &Path) -> std::io::Result<Option<PathBuf>> {
    if !data_dir.exists() {
        return Ok(None);
    }
    for entry in std::fs::read_dir(data_dir)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.contains("node-")
            && name.ends_with(".lock")
            && matches!(File::open(&path)?.try_lock(), Err(TryLockError::WouldBlock))
        {
            return Ok(Some(path));
        }
    }
    Ok(None)
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
