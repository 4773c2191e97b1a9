//! The suite of [`TimerStore`]: rules 13 and 14.

use super::{ask, refused_with, settle};
use crate::id::{EntityId, Epoch, ShardId, WriteId};
use crate::store::{Cas, DueQuery, LowWater, TimerKey, TimerRow, TimerStore};
use crate::time::{Hour, Timestamp};

/// Some hour, and its milliseconds.
const HOUR: u64 = 500_000;
const HOUR_MS: u64 = 3_600_000;

/// The whole suite, over an empty store.
pub async fn timer(store: &impl TimerStore) {
    rows_come_in_order(store).await;
    pages(store).await;
    a_long_absence(store).await;
    deleting(store).await;
    low_water(store).await;
}

async fn rows_come_in_order(store: &impl TimerStore) {
    let shard = ShardId(3);
    let rows = [
        timer_row(shard, HOUR, 10, "b", 1, "expiry"),
        timer_row(shard, HOUR, 10, "a", 2, "expiry"),
        timer_row(shard, HOUR, 10, "a", 1, "grace"),
        timer_row(shard, HOUR, 10, "a", 1, "expiry"),
        timer_row(shard, HOUR, 5, "z", 1, "expiry"),
        timer_row(shard, HOUR + 1, 0, "a", u128::MAX, "expiry"),
        timer_row(shard, HOUR + 3, 0, "a", 1, "expiry"),
        timer_row(ShardId(4), HOUR, 10, "a", 1, "expiry"),
    ];
    ask(async || store.insert(&rows).await).await;
    let mut sorted: Vec<TimerRow> = rows
        .iter()
        .filter(|row| row.key.shard == shard)
        .cloned()
        .collect();
    sorted.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(
        due(store, &all(shard)).await,
        sorted,
        "by hour, due, entity, write id and name; one shard only"
    );

    let until = DueQuery {
        until: Timestamp(HOUR * HOUR_MS + 9),
        ..all(shard)
    };
    assert_eq!(due(store, &until).await, sorted[..1], "not before their time");
    let hours = DueQuery {
        from: Hour(HOUR + 1),
        to: Hour(HOUR + 2),
        ..all(shard)
    };
    assert_eq!(
        due(store, &hours).await,
        sorted[5..6],
        "both hours included, others not"
    );
    assert_eq!(due(store, &all(ShardId(5))).await, []);
}

/// However long a shard was without an owner: each page is further than the one before, and nothing is left out.
async fn a_long_absence(store: &impl TimerStore) {
    let shard = ShardId(10);
    let row = timer_row(shard, HOUR + 150, 1, "a", 1, "t");
    ask(async || store.insert(std::slice::from_ref(&row)).await).await;
    let query = DueQuery {
        to: Hour(HOUR + 200),
        until: Timestamp((HOUR + 201) * HOUR_MS),
        ..all(shard)
    };
    assert_eq!(due(store, &query).await, [row]);
}

async fn pages(store: &impl TimerStore) {
    let shard = ShardId(6);
    let rows: Vec<TimerRow> = (0..25)
        .map(|n| timer_row(shard, HOUR + n / 10, n % 3, &format!("{n}"), u128::from(n), "t"))
        .collect();
    ask(async || store.insert(&rows).await).await;
    let few = DueQuery {
        limit: 4,
        ..all(shard)
    };
    let found = due(store, &few).await;
    let mut sorted = rows;
    sorted.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(found, sorted, "pages follow each other without a gap or a repeat");
}

async fn deleting(store: &impl TimerStore) {
    let shard = ShardId(7);
    let rows = [1, 2, 3].map(|n| timer_row(shard, HOUR, 1, "a", n, "t"));
    ask(async || store.insert(&rows).await).await;
    let gone = [
        rows[1].key.clone(),
        timer_row(shard, HOUR, 1, "never there", 1, "t").key,
    ];
    ask(async || store.delete(&gone).await).await;
    assert_eq!(
        due(store, &all(shard)).await,
        [rows[0].clone(), rows[2].clone()],
        "only what was named is gone"
    );
    ask(async || store.insert(&[]).await).await;
    ask(async || store.delete(&[]).await).await;
}

async fn low_water(store: &impl TimerStore) {
    let shard = ShardId(8);
    let at = |epoch, hour| LowWater {
        epoch: Epoch(epoch),
        hour: Hour(hour),
    };
    assert_eq!(
        ask(async || store.low_water(shard).await).await,
        LowWater::default()
    );
    put(store, shard, LowWater::default(), at(1, HOUR))
        .await
        .expect("the first");
    refused_with(
        put(store, shard, LowWater::default(), at(1, HOUR + 1)).await,
        at(1, HOUR),
    );
    refused_with(put(store, shard, at(2, HOUR), at(2, HOUR + 1)).await, at(1, HOUR));
    put(store, shard, at(1, HOUR), at(2, HOUR + 1))
        .await
        .expect("on what is there");
    assert_eq!(ask(async || store.low_water(shard).await).await, at(2, HOUR + 1));
    assert_eq!(
        ask(async || store.low_water(ShardId(9)).await).await,
        LowWater::default()
    );
}

fn timer_row(shard: ShardId, hour: u64, due_ms: u64, key: &str, write_id: u128, name: &str) -> TimerRow {
    let key = TimerKey {
        shard,
        hour: Hour(hour),
        due: Timestamp(hour * HOUR_MS + due_ms),
        entity: EntityId::new("invite", key),
        write_id: WriteId(write_id),
        name: name.into(),
    };
    TimerRow { key, epoch: Epoch(9) }
}

/// All rows of this suite. A store may read bucket by bucket, so nobody asks for the hours since 1970.
fn all(shard: ShardId) -> DueQuery {
    let (from, to) = (Hour(HOUR - 2), Hour(HOUR + 10));
    let until = Timestamp((to.0 + 1) * HOUR_MS);
    DueQuery {
        shard,
        from,
        to,
        until,
        after: None,
        limit: 1_000,
    }
}

/// All pages.
async fn due(store: &impl TimerStore, query: &DueQuery) -> Vec<TimerRow> {
    let (mut query, mut found) = (query.clone(), Vec::new());
    loop {
        let page = ask(async || store.due(&query).await).await;
        assert!(
            page.rows.len() <= query.limit,
            "a page is not larger than asked for"
        );
        query.after = page.rows.last().map(|row| row.key.clone()).or(query.after);
        let Some(next) = page.next else {
            found.extend(page.rows);
            return found;
        };
        assert!(
            (query.from..=query.to).contains(&next),
            "within what was asked for"
        );
        assert!(
            query.from < next || !page.rows.is_empty(),
            "each page is further than the one before"
        );
        query.from = next;
        found.extend(page.rows);
    }
}

async fn put(
    store: &impl TimerStore,
    shard: ShardId,
    previous: LowWater,
    next: LowWater,
) -> Result<(), LowWater> {
    let call = async || -> Result<Cas<LowWater>, _> { store.put_low_water(shard, previous, next).await };
    settle(call, |shown| *shown == next).await
}
