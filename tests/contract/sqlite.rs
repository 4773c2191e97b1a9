//! What only the embedded store promises: it survives a full disk and keeps everything over a restart.

use std::sync::Arc;

use mitalk::store::sqlite::Options;
use mitalk_cluster::store::{Cas, EntityStore, EntityWrite, Head, StoreError};
use mitalk_cluster::{EntityId, Epoch, WriteId};

use crate::Fresh;

/// The room that a fresh database gets in these tests.
const SMALL_BYTES: u64 = 1_024 * 1_024;
/// The largest state of an entity.
const BLOB_BYTES: usize = 64 * 1_024;

/// Issue: a full disk gets a clear error, nothing is lost, reads go on, and it heals by itself when there is room.
#[tokio::test]
async fn a_full_disk_refuses_writes_and_keeps_all_else() {
    let small = Options {
        max_bytes: Some(SMALL_BYTES),
        ..Options::default()
    };
    let fresh = Fresh::with(&small);
    let mut stored = 0;
    let refusal = loop {
        match put(&fresh, stored, None, BLOB_BYTES).await {
            Ok(cas) => assert_eq!(cas, Cas::Applied),
            Err(error) => break error,
        }
        stored += 1;
    };
    assert!(
        matches!(&refusal, StoreError::Full(text) if text.contains("free some space")),
        "{refusal}"
    );
    assert!(stored > 4, "only {stored} writes fitted into {SMALL_BYTES} bytes");
    for n in 0..stored {
        assert!(
            EntityStore::read(&fresh.store, &id(n)).await.unwrap().is_some(),
            "row {n} can still be read"
        );
    }
    assert!(
        matches!(
            put(&fresh, stored, None, BLOB_BYTES).await,
            Err(StoreError::Full(_))
        ),
        "still full"
    );

    let emptied = put(&fresh, 0, Some(1), 0).await;
    assert_eq!(
        emptied,
        Ok(Cas::Applied),
        "room is made by a write that needs none"
    );
    assert_eq!(
        put(&fresh, stored, None, BLOB_BYTES / 2).await,
        Ok(Cas::Applied),
        "writes go on by themselves"
    );

    let larger = fresh.reopen(&Options::default());
    for n in 0..=stored {
        assert!(
            EntityStore::read(&larger.store, &id(n)).await.unwrap().is_some(),
            "row {n} is still there"
        );
    }
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_restart() {
    let fresh = Fresh::new();
    for n in 0..100 {
        assert_eq!(put(&fresh, n, None, 10).await, Ok(Cas::Applied));
    }
    let reopened = fresh.reopen(&Options::default());
    for n in 0..100 {
        let row = EntityStore::read(&reopened.store, &id(n))
            .await
            .unwrap()
            .expect("it was answered");
        assert_eq!(row.head, head(n, 1));
    }
}

fn id(n: u64) -> EntityId {
    EntityId::new("room", &n.to_string())
}

fn head(n: u64, write: u128) -> Head {
    Head {
        write_id: WriteId((u128::from(n) << 64) | write),
        epoch: Epoch(1),
    }
}

/// Writes entity `n` for the first time, or over its `previous`-th write.
async fn put(
    fresh: &Fresh,
    n: u64,
    previous: Option<u128>,
    bytes: usize,
) -> Result<Cas<Option<Head>>, StoreError> {
    let write = EntityWrite {
        id: id(n),
        previous: previous.map(|previous| head(n, previous)),
        next: head(n, previous.map_or(1, |previous| previous + 1)),
        blob: Some(vec![7; bytes].into()),
        sequence: 0,
        published: 0,
        insert: Vec::new(),
    };
    EntityStore::write(&fresh.store, Arc::new(write)).await
}
