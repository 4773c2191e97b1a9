//! The suite of [`EntityStore`]: rules 5, 7 and 11.

use std::sync::Arc;

use futures::future::join_all;

use super::{ask, refused_with, settle};
use crate::call::Trace;
use crate::entity::{ROWS_PER_DECISION, Target};
use crate::id::{EntityId, Epoch, KEY_BYTES, WriteId};
use crate::store::{EntityStore, EntityWrite, Head, OutboxRow, Row};
use crate::time::Timestamp;

/// The largest blob: state, request memory and source sequences.
const BLOB_BYTES: usize = 192 * 1_024;
/// Writers on one row at the same moment.
const WRITERS: u128 = 16;

/// The whole suite, over an empty store.
pub async fn entity(store: &impl EntityStore) {
    rows(store).await;
    a_fence_where_no_row_is(store).await;
    outboxes(store).await;
    a_refused_write_leaves_the_outbox_alone(store).await;
    one_write_wins(store).await;
    names_and_sizes(store).await;
}

async fn rows(store: &impl EntityStore) {
    let id = EntityId::new("room", "rows");
    assert_eq!(
        ask(async || store.read(&id).await).await,
        None,
        "it never existed"
    );
    write(store, change(&id, None, head(1, 1), b"first"))
        .await
        .expect("the first write");
    refused_with(
        write(store, change(&id, None, head(2, 1), b"other")).await,
        Some(head(1, 1)),
    );
    refused_with(
        write(store, change(&id, Some(head(3, 1)), head(2, 1), b"other")).await,
        Some(head(1, 1)),
    );
    refused_with(
        write(store, change(&id, Some(head(1, 2)), head(2, 2), b"other")).await,
        Some(head(1, 1)),
    );
    assert_eq!(stored(store, &id).await, row(head(1, 1), b"first", 0, 0));

    write(store, change(&id, Some(head(1, 1)), head(2, 1), b"second"))
        .await
        .expect("on the previous write");
    let fence = EntityWrite {
        blob: None,
        ..change(&id, Some(head(2, 1)), head(3, 2), b"")
    };
    write(store, fence).await.expect("a fence");
    assert_eq!(
        stored(store, &id).await,
        row(head(3, 2), b"second", 0, 0),
        "a fence leaves the blob"
    );
    refused_with(
        write(store, change(&id, Some(head(2, 1)), head(4, 1), b"late")).await,
        Some(head(3, 2)),
    );

    write(store, change(&id, Some(head(3, 2)), head(5, 2), b""))
        .await
        .expect("an emptied state");
    assert_eq!(
        stored(store, &id).await,
        row(head(5, 2), b"", 0, 0),
        "the row stays when its state is emptied"
    );
}

/// Rule 5: the fence is also written where no row exists, and a late create finds it.
async fn a_fence_where_no_row_is(store: &impl EntityStore) {
    let id = EntityId::new("room", "fenced");
    let fence = EntityWrite {
        blob: None,
        ..change(&id, None, head(1, 2), b"")
    };
    write(store, fence).await.expect("a fence where no row is");
    assert_eq!(stored(store, &id).await, row(head(1, 2), b"", 0, 0));
    refused_with(
        write(store, change(&id, None, head(2, 1), b"late create")).await,
        Some(head(1, 2)),
    );
}

async fn outboxes(store: &impl EntityStore) {
    let id = EntityId::new("user", "outbox");
    let targets = [
        Target::Topic("mitalk.test.v1".into()),
        Target::Table("profile".into()),
        Target::Entity(EntityId::new("room", "a key/with: signs\u{e9}")),
    ];
    let all: Vec<OutboxRow> = (1..=6)
        .map(|n| outgoing(n, targets[n as usize % 3].clone()))
        .collect();
    let first = EntityWrite {
        insert: all[..4].to_vec(),
        sequence: 4,
        ..change(&id, None, head(1, 1), b"state")
    };
    write(store, first).await.expect("a write with rows");
    assert_eq!(outbox(store, &id, 0, 10).await, all[..4]);
    assert_eq!(outbox(store, &id, 0, 2).await, all[..2]);
    assert_eq!(outbox(store, &id, 3, 10).await, all[3..4]);
    assert_eq!(outbox(store, &EntityId::new("room", "outbox"), 0, 10).await, []);

    let second = EntityWrite {
        insert: all[4..].to_vec(),
        sequence: 6,
        published: 3,
        ..change(&id, Some(head(1, 1)), head(2, 1), b"state")
    };
    write(store, second).await.expect("rows in, rows out");
    assert_eq!(
        outbox(store, &id, 0, 10).await,
        all[3..],
        "what is published is gone, the rest is in order"
    );

    let trim = EntityWrite {
        blob: None,
        sequence: 6,
        published: 6,
        ..change(&id, Some(head(2, 1)), head(3, 1), b"")
    };
    write(store, trim).await.expect("all published");
    assert_eq!(outbox(store, &id, 0, 10).await, []);
    assert_eq!(
        stored(store, &id).await,
        row(head(3, 1), b"state", 6, 6),
        "sequences never start again"
    );
}

async fn a_refused_write_leaves_the_outbox_alone(store: &impl EntityStore) {
    let id = EntityId::new("user", "refused");
    let rows = [1, 2].map(|n| outgoing(n, Target::Topic("t".into())));
    let first = EntityWrite {
        insert: rows.to_vec(),
        sequence: 2,
        ..change(&id, None, head(1, 1), b"state")
    };
    write(store, first).await.expect("a write with rows");
    let late = EntityWrite {
        insert: vec![outgoing(3, Target::Topic("t".into()))],
        sequence: 3,
        published: 2,
        ..change(&id, Some(head(9, 1)), head(2, 1), b"late")
    };
    refused_with(write(store, late).await, Some(head(1, 1)));
    assert_eq!(outbox(store, &id, 0, 10).await, rows);
}

/// Conditional writes are linearizable per row: of many on the same head exactly one is applied.
async fn one_write_wins(store: &impl EntityStore) {
    let id = EntityId::new("room", "contended");
    let mut seen = None;
    for round in 0..4 {
        let heads: Vec<Head> = (1..=WRITERS).map(|n| head(round * WRITERS + n, 1)).collect();
        let writes = heads
            .iter()
            .map(|next| write(store, change(&id, seen, *next, &next.write_id.0.to_be_bytes())));
        let outcomes = join_all(writes).await;
        let winners: Vec<_> = heads
            .iter()
            .zip(&outcomes)
            .filter(|(_, outcome)| outcome.is_ok())
            .collect();
        assert_eq!(
            winners.len(),
            1,
            "exactly one of many writes on one head is applied"
        );
        let winner = *winners[0].0;
        assert_eq!(
            stored(store, &id).await,
            row(winner, &winner.write_id.0.to_be_bytes(), 0, 0)
        );
        seen = Some(winner);
    }
}

async fn names_and_sizes(store: &impl EntityStore) {
    let long = EntityId::new("room", &"k".repeat(KEY_BYTES));
    let blob: Vec<u8> = (0..BLOB_BYTES).map(|n| (n % 251) as u8).collect();
    let rows: Vec<OutboxRow> = (1..=ROWS_PER_DECISION as u64)
        .map(|n| outgoing(n, Target::Topic("t".into())))
        .collect();
    let large = EntityWrite {
        insert: rows.clone(),
        sequence: ROWS_PER_DECISION as u64,
        ..change(&long, None, head(u128::MAX, 1), &blob)
    };
    write(store, large).await.expect("a large write");
    assert_eq!(
        stored(store, &long).await,
        row(head(u128::MAX, 1), &blob, ROWS_PER_DECISION as u64, 0)
    );
    assert_eq!(outbox(store, &long, 0, rows.len() + 1).await, rows);

    for (kind, key) in [
        ("room", "same"),
        ("user", "same"),
        ("room", "SAME"),
        ("room", "same "),
        ("room", ""),
    ] {
        let id = EntityId::new(kind, key);
        write(
            store,
            change(&id, None, head(1, 1), format!("{kind}/{key}").as_bytes()),
        )
        .await
        .expect("an id of its own");
    }
    let same = stored(store, &EntityId::new("room", "same")).await;
    assert_eq!(
        same,
        row(head(1, 1), b"room/same", 0, 0),
        "ids are compared byte by byte"
    );
}

fn head(write_id: u128, epoch: u64) -> Head {
    Head {
        write_id: WriteId(write_id),
        epoch: Epoch(epoch),
    }
}

fn row(head: Head, blob: &[u8], sequence: u64, published: u64) -> Row {
    Row {
        head,
        blob: blob.into(),
        sequence,
        published,
    }
}

fn change(id: &EntityId, previous: Option<Head>, next: Head, blob: &[u8]) -> EntityWrite {
    EntityWrite {
        id: id.clone(),
        previous,
        next,
        blob: Some(blob.into()),
        sequence: 0,
        published: 0,
        insert: Vec::new(),
    }
}

fn outgoing(sequence: u64, target: Target) -> OutboxRow {
    OutboxRow {
        sequence,
        target,
        payload: vec![sequence as u8; 40],
        at: Timestamp(1_800_000_000_000 + sequence),
        trace: Trace::new("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    }
}

async fn write(store: &impl EntityStore, write: EntityWrite) -> Result<(), Option<Head>> {
    let write = Arc::new(write);
    settle(
        async || store.write(Arc::clone(&write)).await,
        |shown| *shown == Some(write.next),
    )
    .await
}

async fn stored(store: &impl EntityStore, id: &EntityId) -> Row {
    ask(async || store.read(id).await)
        .await
        .expect("the row is there")
}

async fn outbox(store: &impl EntityStore, id: &EntityId, after: u64, limit: usize) -> Vec<OutboxRow> {
    ask(async || store.outbox(id, after, limit).await).await
}
