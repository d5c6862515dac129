//! Minting identifiers that never come twice, whatever happens to the clock or the process.
//!
//! Before an identifier is given out, its stamp lies below a mark that is stored: after a crash,
//! minting goes on at that mark, even if the clock now says less. Blocks of ten seconds are reserved
//! ahead, so that minting itself never waits for the database.
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{LocalResult, Offset, TimeZone};
use chrono_tz::Tz;
use parking_lot::Mutex;
use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait, sea_query::OnConflict};
use yunling_domain::{IdKind, Micros, NodeNumber, ids::format_id};

use crate::{
    Lane, Store, StoreError,
    entity::id_mark::{ActiveModel, Column, Entity},
};

/// How far ahead a block is reserved.
const BLOCK_MS: i64 = 10_000;
/// Sequence numbers of one stamp, one era and one fold.
const SEQUENCES: u32 = 1_000_000;
/// A local hour that comes twice (the end of summer time) prints the same stamps twice; the second
/// time takes the upper half of an era's sequence numbers.
const FOLDS: u32 = 2;
/// A node whose zone is changed prints stamps that it has printed before: each change begins an
/// era, with sequence numbers of its own. 5 × 2 × 1,000,000 fill the seven digits.
const ERAS: u32 = 5;

/// Mints the identifiers of one node. The node number must be [leased](crate::lease).
#[derive(Debug)]
pub struct IdMint {
    store: Store,
    node: NodeNumber,
    zone: Tz,
    era: u32,
    last: Mutex<Last>,
    /// Stamps below this are reserved in the database.
    reserved: AtomicI64,
}

/// The newest identifier's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Last {
    stamp: Micros,
    sequence: u32,
}

impl Last {
    /// The next place: `now`, or just after the newest where the clock has stood still or gone
    /// back, but below `reserved` as long as sequence numbers last.
    fn next(self, now: Micros, reserved: Micros) -> Self {
        let stamp = now.min(Micros(reserved.0 - 1));
        if stamp > self.stamp {
            Self { stamp, sequence: 0 }
        } else if self.sequence + 1 < SEQUENCES {
            Self { stamp: self.stamp, sequence: self.sequence + 1 }
        } else {
            Self { stamp: Micros(self.stamp.0 + 1), sequence: 0 }
        }
    }
}

impl IdMint {
    /// Begins to mint, at `now` or at the stored mark where that is later, and reserves the first
    /// block. A node keeps its zone: a change is remembered and costs one of five eras.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn open(
        store: &Store,
        node: NodeNumber,
        zone: Tz,
        now: Micros,
    ) -> Result<Self, StoreError> {
        let (start, era) = store
            .writer()
            .write(Lane::Live, move |tx| {
                Box::pin(async move {
                    let stored = Entity::find_by_id(node.to_string()).one(tx).await?;
                    let (start, era) = match stored {
                        None => (now, 0),
                        Some(row) if row.zone == zone.name() => {
                            (now.max(Micros(row.micros)), row.era)
                        }
                        Some(row) => (now.max(Micros(row.micros)), row.era + 1),
                    };
                    store_mark(tx, node, start.plus_ms(BLOCK_MS), zone, era).await?;
                    Ok((start, era))
                })
            })
            .await?;
        Ok(Self {
            store: store.clone(),
            node,
            zone,
            era: era.unsigned_abs() % ERAS,
            last: Mutex::new(Last { stamp: Micros(start.0 - 1), sequence: SEQUENCES }),
            reserved: AtomicI64::new(start.plus_ms(BLOCK_MS).0),
        })
    }

    /// An identifier (RESOLUTIONS, identifiers: 34 characters). Never waits.
    pub fn mint(&self, kind: IdKind, now: Micros) -> String {
        let reserved = Micros(self.reserved.load(Ordering::Acquire));
        let place = {
            let mut last = self.last.lock();
            *last = last.next(now, reserved);
            *last
        };
        let sequence =
            (self.era * FOLDS + fold(self.zone, place.stamp)) * SEQUENCES + place.sequence;
        format_id(kind, self.node, place.stamp, self.zone, sequence)
    }

    /// Reserves the next block where half of the present one is used up. To be called every second
    /// or so; gives whether it had to. Until a block is reserved again, for as long as the database
    /// is away, identifiers keep the last reserved stamp: a million of them.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn reserve_ahead(&self, now: Micros) -> Result<bool, StoreError> {
        let reserved = Micros(self.reserved.load(Ordering::Acquire));
        if reserved.ms_since(now) > BLOCK_MS / 2 {
            return Ok(false);
        }
        let mark = now.max(reserved).plus_ms(BLOCK_MS);
        let (node, zone, era) = (self.node, self.zone, self.era);
        self.store
            .writer()
            .write_patiently(Lane::Live, move |tx| {
                Box::pin(async move {
                    store_mark(tx, node, mark, zone, era.try_into().unwrap_or_default()).await
                })
            })
            .await?;
        self.reserved.fetch_max(mark.0, Ordering::AcqRel);
        Ok(true)
    }
}

async fn store_mark(
    tx: &impl ConnectionTrait,
    node: NodeNumber,
    mark: Micros,
    zone: Tz,
    era: i32,
) -> Result<(), StoreError> {
    let row = ActiveModel {
        node: Set(node.to_string()),
        micros: Set(mark.0),
        zone: Set(zone.name().to_owned()),
        era: Set(era),
    };
    let replace = OnConflict::column(Column::Node)
        .update_columns([Column::Micros, Column::Zone, Column::Era])
        .to_owned();
    Entity::insert(row).on_conflict(replace).exec_without_returning(tx).await?;
    Ok(())
}

/// 1 where the zone's clocks showed the same local time once before, else 0.
fn fold(zone: Tz, at: Micros) -> u32 {
    let Some(utc) = chrono::DateTime::from_timestamp_micros(at.0) else { return 0 };
    let local = zone.from_utc_datetime(&utc.naive_utc());
    match zone.from_local_datetime(&local.naive_local()) {
        LocalResult::Ambiguous(first, second) => {
            let earlier = first.min(second);
            u32::from(earlier.offset().fix() != local.offset().fix())
        }
        LocalResult::Single(_) | LocalResult::None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_only_go_up() {
        let reserved = Micros(1_000);
        let place = |stamp, sequence| Last { stamp: Micros(stamp), sequence };
        // (newest, now, next)
        let cases = [
            (place(10, 5), 11, place(11, 0)),
            (place(10, 5), 10, place(10, 6)),
            (place(10, 5), 3, place(10, 6)),
            (place(10, SEQUENCES - 1), 10, place(11, 0)),
            (place(10, 5), 5_000, place(999, 0)),
            (place(999, 0), 5_000, place(999, 1)),
        ];
        for (newest, now, next) in cases {
            assert_eq!(newest.next(Micros(now), reserved), next, "{newest:?} at {now}");
        }
    }

    #[test]
    fn the_second_time_of_a_local_hour_is_told_from_the_first() {
        // Berlin, 2026-10-25: 00:30Z is 02:30, 01:30Z is 02:30 again, 02:30Z is 03:30.
        let half_past_midnight = Micros(1_792_888_200_000_000);
        for (hours, expected) in [(-1, 0), (0, 0), (1, 1), (2, 0)] {
            let at = half_past_midnight.plus_ms(hours * 3_600_000);
            assert_eq!(fold(Tz::Europe__Berlin, at), expected, "{hours} h");
            assert_eq!(fold(Tz::Asia__Shanghai, at), 0);
        }
    }

    #[test]
    fn eras_and_folds_fill_the_seven_digits() {
        assert_eq!(ERAS * FOLDS * SEQUENCES, 10_000_000);
    }
}
