use std::{collections::VecDeque, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, TryAcquireError};

use super::{Lane, operation::Operation};
use crate::StoreError;

/// The two lanes: bounded, and shared by as many writer tasks as the database takes.
pub(crate) struct Queue {
    lanes: Mutex<Lanes>,
    arrived: Notify,
    live: Room,
    bulk: Room,
}

#[derive(Default)]
struct Lanes {
    live: VecDeque<Job>,
    bulk: VecDeque<Job>,
    closed: bool,
}

struct Room {
    permits: Arc<Semaphore>,
    capacity: usize,
}

/// An operation with the place that it takes in its lane, given back once it is answered.
pub(super) struct Job {
    pub(super) operation: Box<dyn Operation>,
    pub(super) place: OwnedSemaphorePermit,
}

impl Room {
    fn of(capacity: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(capacity)), capacity }
    }
}

impl Queue {
    pub(crate) fn new(live_capacity: usize, bulk_capacity: usize) -> Self {
        Self {
            lanes: Mutex::default(),
            arrived: Notify::new(),
            live: Room::of(live_capacity),
            bulk: Room::of(bulk_capacity),
        }
    }

    fn room(&self, lane: Lane) -> &Room {
        match lane {
            Lane::Live => &self.live,
            Lane::Bulk => &self.bulk,
        }
    }

    /// Full: the operation is refused at once.
    pub(super) fn push(&self, lane: Lane, operation: Box<dyn Operation>) -> Result<(), StoreError> {
        let room = self.room(lane);
        match Arc::clone(&room.permits).try_acquire_owned() {
            Ok(place) => self.enter(lane, Job { operation, place }),
            Err(TryAcquireError::NoPermits) => {
                metrics::counter!("yunling_store_overloaded_total", "lane" => lane.to_string())
                    .increment(1);
                Err(StoreError::Overloaded { lane, capacity: room.capacity })
            }
            Err(TryAcquireError::Closed) => Err(StoreError::Closed),
        }
    }

    /// Full: waits for room.
    pub(super) async fn push_patiently(
        &self,
        lane: Lane,
        operation: Box<dyn Operation>,
    ) -> Result<(), StoreError> {
        let place = Arc::clone(&self.room(lane).permits).acquire_owned().await;
        self.enter(lane, Job { operation, place: place.map_err(|_| StoreError::Closed)? })
    }

    fn enter(&self, lane: Lane, job: Job) -> Result<(), StoreError> {
        {
            let mut lanes = self.lanes.lock();
            if lanes.closed {
                return Err(StoreError::Closed);
            }
            match lane {
                Lane::Live => lanes.live.push_back(job),
                Lane::Bulk => lanes.bulk.push_back(job),
            }
        }
        self.arrived.notify_one();
        Ok(())
    }

    pub(super) fn pop(&self, lane: Lane) -> Option<Job> {
        let mut lanes = self.lanes.lock();
        match lane {
            Lane::Live => lanes.live.pop_front(),
            Lane::Bulk => lanes.bulk.pop_front(),
        }
    }

    pub(super) fn waiting(&self, lane: Lane) -> usize {
        let lanes = self.lanes.lock();
        match lane {
            Lane::Live => lanes.live.len(),
            Lane::Bulk => lanes.bulk.len(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        let lanes = self.lanes.lock();
        lanes.live.is_empty() && lanes.bulk.is_empty()
    }

    /// Waits until something is queued; false once the queue is closed and empty.
    pub(super) async fn ready(&self) -> bool {
        loop {
            {
                let lanes = self.lanes.lock();
                if !lanes.live.is_empty() || !lanes.bulk.is_empty() {
                    return true;
                }
                if lanes.closed {
                    // The next of several tasks must see it too.
                    self.arrived.notify_one();
                    return false;
                }
            }
            // `notify_one` stores a permit where nobody waits, so that nothing queued between the
            // look and this line is missed.
            self.arrived.notified().await;
        }
    }

    /// Everything queued, because the database takes nothing: who waits learns it now and not one
    /// lock time-out after the other.
    pub(super) fn drain(&self) -> Vec<Job> {
        let mut lanes = self.lanes.lock();
        let Lanes { live, bulk, .. } = &mut *lanes;
        live.drain(..).chain(bulk.drain(..)).collect()
    }

    /// Takes no more; what is queued is still carried out.
    pub(super) fn close(&self) {
        self.lanes.lock().closed = true;
        self.live.permits.close();
        self.bulk.permits.close();
        self.arrived.notify_one();
    }
}
