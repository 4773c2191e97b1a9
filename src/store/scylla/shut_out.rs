//! Who was shut out, and let in again: a log by the hour of the decision.
//!
//! Every node reads the newest rows every few seconds. The hour is in the key of the partition, so what has grown old is
//! never read again and goes as a whole; a table that is rewritten in place would be read with all the tombstones of those
//! whose time is over, which are never dropped from partitions that are written all the time with sequences as timestamps.
//! Of one person and device the row with the highest sequence counts, which is its timestamp.

use std::collections::HashMap;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use mitalk_actors::id::{DeviceId, UserId};
use mitalk_actors::tables::{Change, SHUT_OUT_KEPT, ShutOut};
use mitalk_cluster::store::StoreError;
use mitalk_cluster::{Hour, Timestamp};
use scylla::DeserializeRow;

use super::Store;
use super::bind::{bind, limit};
use super::read::{misplaced, read_change};
use super::slice::slice;
use super::statements::statements;

/// Partitions of one hour.
const SLICES: i32 = 4;
/// Clocks of two owners of an account are taken to be at most that far apart: what was decided later may look as much
/// earlier.
const CLOCKS_APART: Duration = Duration::from_secs(5 * 60);

statements! {
    put: prepare_write
        "INSERT INTO @shut_out (hour, slice, at, user, device, change) VALUES (?, ?, ?, ?, ?, ?)
         USING TIMESTAMP ? AND TTL ?";
    newest: prepare_read
        "SELECT change, WRITETIME(change) AS sequence FROM @shut_out WHERE hour = ? AND slice = ? AND at >= ? LIMIT ?";
}

#[derive(DeserializeRow)]
struct Decided {
    change: Vec<u8>,
    sequence: i64,
}

impl Store {
    pub(super) async fn put_shut_out(
        &self,
        row: &ShutOut,
        sequence: u64,
        payload: &[u8],
    ) -> Result<(), StoreError> {
        let device = row.device.map(|device| device.to_string()).unwrap_or_default();
        let kept = i32::try_from(SHUT_OUT_KEPT.as_secs()).unwrap_or(i32::MAX);
        let mut values = bind![row.at.hour(), slice(row.user.bits(), SLICES), row.at];
        values.extend(bind![row.user.to_string(), device, payload, sequence, kept]);
        self.client.write(&self.statements.shut_out.put, values).await
    }

    /// The newest `rows` since then, the newest first. Hour by hour, so that a crowd costs no more than is asked for.
    pub(super) async fn newest_shut_out(
        &self,
        since: Timestamp,
        rows: usize,
    ) -> Result<Vec<ShutOut>, StoreError> {
        let from = since - CLOCKS_APART;
        let mut newest = Newest::default();
        for hour in hours(from).rev() {
            let own = &self.statements.shut_out;
            let reads = (0..SLICES).map(|slice| {
                let values = bind![hour, slice, from, limit(rows)];
                self.client.all::<Decided>(&own.newest, values)
            });
            let reads: Vec<_> = reads.collect();
            let slices: Vec<Vec<Decided>> = stream::iter(reads)
                .buffer_unordered(SLICES.unsigned_abs() as usize)
                .try_collect()
                .await?;
            for decided in slices.into_iter().flatten() {
                newest.take(&decided)?;
            }
            if newest.0.len() >= rows {
                break;
            }
        }
        Ok(newest.since(since, rows))
    }
}

/// Those that rows may be in which count at a time when the oldest of them are of `from`; one more, for clocks ahead.
fn hours(from: Timestamp) -> impl DoubleEndedIterator<Item = Hour> {
    let last = (from + SHUT_OUT_KEPT).hour().0 + 1;
    (from.hour().0..=last).map(Hour)
}

/// Of each person and device the row with the highest sequence.
#[derive(Default)]
struct Newest(HashMap<(UserId, Option<DeviceId>), (i64, ShutOut)>);

impl Newest {
    fn take(&mut self, decided: &Decided) -> Result<(), StoreError> {
        let row = match read_change(&decided.change)? {
            Change::ShutOut(row) => row,
            other => return Err(misplaced(&other)),
        };
        let found = self.0.entry((row.user, row.device));
        let kept = found.or_insert((decided.sequence, row));
        if kept.0 < decided.sequence {
            *kept = (decided.sequence, row);
        }
        Ok(())
    }

    fn since(self, since: Timestamp, rows: usize) -> Vec<ShutOut> {
        let mut found: Vec<ShutOut> = self.0.into_values().map(|(_, row)| row).collect();
        found.sort_by_key(|row| std::cmp::Reverse(row.at));
        // The store forgets by its own clock; what counts are the times of the rows.
        let old = found.first().map(|newest| newest.at - SHUT_OUT_KEPT);
        found.retain(|row| row.at >= since && old.is_none_or(|old| row.at > old));
        found.truncate(rows);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_reach_from_what_is_asked_for_to_those_to_come() {
        let now = Timestamp(1_800_000_000_000);
        let read: Vec<Hour> = hours(now - Duration::from_secs(3_600)).collect();
        let at = |hours| Hour(now.hour().0 + hours - 1);
        assert_eq!(read, [at(0), at(1), at(2), at(3)]);
    }
}
