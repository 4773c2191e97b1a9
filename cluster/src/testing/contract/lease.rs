//! The suite of [`LeaseStore`]: rules 1, 3, 4 and 8.

use futures::future::join_all;

use super::{ask, refused_with, settle};
use crate::id::{EntityId, Epoch, NodeId, ShardId, WriteId};
use crate::store::{LeaseStore, ListWrite, NodeRow, NodeWrite, ShardRow, ShardWrite};

/// Contenders for one shard at the same moment.
const CONTENDERS: u64 = 16;
/// Entities noted in one batch.
const MANY: usize = 300;

/// An epoch, incarnation or beat that no row ever shows: a late copy of a write that must be refused may land at any
/// time, so its condition must never come true.
const NEVER: u64 = 99;

/// The whole suite, over an empty store.
pub async fn lease(store: &impl LeaseStore) {
    node_leases(store).await;
    shard_rows(store).await;
    one_claim_wins(store).await;
    open_lists(store).await;
    a_raised_epoch_closes_the_list(store).await;
    many_at_once(store).await;
}

async fn node_leases(store: &impl LeaseStore) {
    let (a, b) = (NodeId::new("node-a"), NodeId::new("node-b"));
    assert_eq!(
        ask(async || store.node(&a).await).await,
        None,
        "an empty store has no lease"
    );

    let first = row(1, 1, false);
    put_node(store, &a, None, &first)
        .await
        .expect("the first lease of a node");
    refused_with(
        put_node(store, &a, None, &row(2, 1, false)).await,
        Some(first.clone()),
    );
    assert_eq!(ask(async || store.node(&a).await).await, Some(first.clone()));

    let renewed = row(1, 2, false);
    put_node(store, &a, Some((1, 1)), &renewed)
        .await
        .expect("a renewal on the last beat");
    refused_with(
        put_node(store, &a, Some((1, 1)), &row(1, 2, true)).await,
        Some(renewed.clone()),
    );
    refused_with(
        put_node(store, &a, Some((NEVER, 2)), &row(NEVER, 3, false)).await,
        Some(renewed.clone()),
    );

    let restarted = row(2, 1, false);
    put_node(store, &a, Some((1, 2)), &restarted)
        .await
        .expect("a start raises the incarnation");
    refused_with(
        put_node(store, &a, Some((1, 2)), &row(1, 3, false)).await,
        Some(restarted),
    );

    let released = row(2, 2, true);
    put_node(store, &a, Some((2, 1)), &released)
        .await
        .expect("a release");
    assert_eq!(ask(async || store.node(&a).await).await, Some(released));
    refused_with(put_node(store, &b, Some((1, 1)), &row(1, 2, false)).await, None);
}

async fn shard_rows(store: &impl LeaseStore) {
    let shard = ShardId(1_023);
    let (a, b) = (NodeId::new("node-a"), NodeId::new("node-b"));
    claim(store, shard, None, Some(&a), 7, 1)
        .await
        .expect("the first claim");
    let mine = ShardRow {
        owner: Some(a.clone()),
        incarnation: 7,
        epoch: Epoch(1),
        list_id: None,
    };
    refused_with(
        claim(store, shard, None, Some(&b), 3, 1).await,
        Some(mine.clone()),
    );
    refused_with(
        claim(store, shard, Some(NEVER), Some(&b), 3, NEVER + 1).await,
        Some(mine),
    );

    claim(store, shard, Some(1), None, 7, 2)
        .await
        .expect("a hand-over");
    let nobodys = ShardRow {
        owner: None,
        incarnation: 7,
        epoch: Epoch(2),
        list_id: None,
    };
    refused_with(claim(store, shard, Some(1), Some(&b), 3, 2).await, Some(nobodys));
    claim(store, shard, Some(2), Some(&b), 3, 3)
        .await
        .expect("a claim of what was handed over");

    claim(store, ShardId(0), None, Some(&a), 7, 1)
        .await
        .expect("another shard");
    let mut all = ask(async || store.shards().await).await;
    all.sort_by_key(|(shard, _)| *shard);
    let of = |shard, owner, incarnation, epoch| {
        (
            shard,
            ShardRow {
                owner: Some(owner),
                incarnation,
                epoch: Epoch(epoch),
                list_id: None,
            },
        )
    };
    assert_eq!(all, [of(ShardId(0), a, 7, 1), of(shard, b, 3, 3)]);
}

/// Conditional writes are linearizable per row: of many on the same epoch exactly one is applied.
async fn one_claim_wins(store: &impl LeaseStore) {
    let shard = ShardId(500);
    let contenders: Vec<NodeId> = (0..CONTENDERS)
        .map(|n| NodeId::new(&format!("contender-{n}")))
        .collect();
    for epoch in 1..=4 {
        let seen = (epoch > 1).then(|| epoch - 1);
        let claims = contenders
            .iter()
            .map(|node| claim(store, shard, seen, Some(node), 1, epoch));
        let outcomes = join_all(claims).await;
        let winners: Vec<_> = outcomes
            .iter()
            .zip(&contenders)
            .filter(|(outcome, _)| outcome.is_ok())
            .collect();
        let (row, _) = ask(async || store.list(shard).await).await;
        let row = row.expect("somebody has it");
        assert_eq!(
            winners.len(),
            1,
            "exactly one of many claims on one epoch is applied"
        );
        assert_eq!(
            (row.owner.as_ref(), row.epoch),
            (Some(winners[0].1), Epoch(epoch))
        );
    }
}

async fn open_lists(store: &impl LeaseStore) {
    let shard = ShardId(20);
    let (x, y) = (EntityId::new("room", "x"), EntityId::new("user", "x"));
    assert_eq!(
        ask(async || store.list(shard).await).await,
        (None, vec![]),
        "no row and no list"
    );
    let unclaimed = write_list(store, &batch(shard, NEVER, None, 1, &[&x], &[])).await;
    refused_with(unclaimed, None);

    claim(store, shard, None, Some(&NodeId::new("node-a")), 1, 1)
        .await
        .expect("a claim");
    write_list(store, &batch(shard, 1, None, 1, &[&x, &y], &[]))
        .await
        .expect("the first batch");
    let (row, mut list) = ask(async || store.list(shard).await).await;
    list.sort();
    assert_eq!(
        (row.and_then(|row| row.list_id), list),
        (Some(WriteId(1)), vec![x.clone(), y.clone()])
    );

    let (row, _) = ask(async || store.list(shard).await).await;
    refused_with(
        write_list(store, &batch(shard, 1, None, 2, &[], &[&x])).await,
        row.clone(),
    );
    refused_with(
        write_list(store, &batch(shard, 2, Some(1), 2, &[], &[&x])).await,
        row,
    );

    write_list(store, &batch(shard, 1, Some(1), 2, &[&y], &[&x]))
        .await
        .expect("noted again, and one removed");
    let (row, list) = ask(async || store.list(shard).await).await;
    assert_eq!(
        (row.and_then(|row| row.list_id), list),
        (Some(WriteId(2)), vec![y]),
        "a refused batch changed nothing"
    );
    assert_eq!(
        ask(async || store.list(ShardId(21)).await).await,
        (None, vec![]),
        "lists do not mix"
    );
}

async fn a_raised_epoch_closes_the_list(store: &impl LeaseStore) {
    let shard = ShardId(30);
    let (x, y) = (EntityId::new("room", "x"), EntityId::new("room", "y"));
    claim(store, shard, None, Some(&NodeId::new("node-a")), 1, 1)
        .await
        .expect("a claim");
    write_list(store, &batch(shard, 1, None, 1, &[&x], &[]))
        .await
        .expect("a batch");
    claim(store, shard, Some(1), Some(&NodeId::new("node-b")), 1, 2)
        .await
        .expect("a take-over");
    let (row, list) = ask(async || store.list(shard).await).await;
    assert_eq!(list, std::slice::from_ref(&x), "the new owner inherits the list");
    assert_eq!(
        row.as_ref().and_then(|row| row.list_id),
        Some(WriteId(1)),
        "a claim leaves the list's id alone"
    );
    refused_with(
        write_list(store, &batch(shard, 1, Some(1), 2, &[&y], &[])).await,
        row,
    );
    write_list(store, &batch(shard, 2, Some(1), 3, &[], &[&x]))
        .await
        .expect("the new owner goes on from that id");
    assert_eq!(ask(async || store.list(shard).await).await.1, []);
}

async fn many_at_once(store: &impl LeaseStore) {
    let shard = ShardId(40);
    let many: Vec<EntityId> = (0..MANY)
        .map(|n| EntityId::new("room", &format!("{n:05}")))
        .collect();
    claim(store, shard, None, Some(&NodeId::new("node-a")), 1, 1)
        .await
        .expect("a claim");
    write_list(
        store,
        &batch(shard, 1, None, 1, &many.iter().collect::<Vec<_>>(), &[]),
    )
    .await
    .expect("a large batch");
    let mut list = ask(async || store.list(shard).await).await.1;
    list.sort();
    assert_eq!(list, many);
}

fn row(incarnation: u64, beat: u64, released: bool) -> NodeRow {
    NodeRow {
        incarnation,
        beat,
        released,
    }
}

async fn put_node(
    store: &impl LeaseStore,
    node: &NodeId,
    previous: Option<(u64, u64)>,
    next: &NodeRow,
) -> Result<(), Option<NodeRow>> {
    let write = NodeWrite {
        node: node.clone(),
        previous,
        next: next.clone(),
    };
    settle(
        async || store.put_node(&write).await,
        |shown| shown.as_ref() == Some(next),
    )
    .await
}

async fn claim(
    store: &impl LeaseStore,
    shard: ShardId,
    seen: Option<u64>,
    owner: Option<&NodeId>,
    incarnation: u64,
    epoch: u64,
) -> Result<(), Option<ShardRow>> {
    let write = ShardWrite {
        shard,
        seen: seen.map(Epoch),
        owner: owner.cloned(),
        incarnation,
        epoch: Epoch(epoch),
    };
    let is_mine = |shown: &Option<ShardRow>| {
        shown
            .as_ref()
            .is_some_and(|row| row.epoch == write.epoch && row.owner == write.owner)
    };
    settle(async || store.put_shard(&write).await, is_mine).await
}

fn batch(
    shard: ShardId,
    epoch: u64,
    previous: Option<u128>,
    list_id: u128,
    add: &[&EntityId],
    remove: &[&EntityId],
) -> ListWrite {
    let owned = |ids: &[&EntityId]| ids.iter().map(|id| (*id).clone()).collect();
    ListWrite {
        shard,
        epoch: Epoch(epoch),
        previous: previous.map(WriteId),
        list_id: WriteId(list_id),
        add: owned(add),
        remove: owned(remove),
    }
}

async fn write_list(store: &impl LeaseStore, write: &ListWrite) -> Result<(), Option<ShardRow>> {
    let is_mine = |shown: &Option<ShardRow>| {
        shown
            .as_ref()
            .is_some_and(|row| row.list_id == Some(write.list_id))
    };
    settle(async || store.write_list(write).await, is_mine).await
}
