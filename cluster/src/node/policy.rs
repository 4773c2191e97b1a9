//! The restart policies of the root, tested by killing its children, and what only the inside can provoke; the policies
//! of a shard are in `tests/node/faults.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use ractor::{ActorCell, ActorId};

use super::{Builder, Cluster, Config, ShardListener, envelope, keeper, shard, supervisor};
use crate::call::{AskError, Call};
use crate::entity::{Context, Decision, Effects, Entity, Stamp};
use crate::id::{EntityId, Epoch, NodeId, ShardId};
use crate::membership::LocalMembership;
use crate::metrics::Metrics;
use crate::protocol::outcome::Outcome;
use crate::testing::{Memory, TestClock};
use crate::time::Timestamp;
use crate::transport::{Inbound, Request, Response, Transport, TransportError};

/// An entity that is there and no more.
struct Still;

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, thiserror::Error)]
#[error("never")]
struct Never;

impl Entity for Still {
    const KIND: &'static str = "still";
    const VERSION: u16 = 1;
    type State = ();
    type Command = ();
    type Event = ();
    type Reply = ();
    type Refusal = Never;
    type Effect = ();

    fn decide((): &(), (): (), _: &mut Context) -> Result<Decision<Self>, Never> {
        Ok(Decision::reply(()))
    }

    fn fold((): &mut (), (): &()) {}
}

struct NoEffects;

impl Effects<Still> for NoEffects {
    fn run(&self, _: &EntityId, _: Stamp, _: Vec<()>) {}
}

fn builder(memory: &Memory) -> Builder {
    let metrics = Metrics::new(&prometheus::Registry::new()).unwrap();
    let clock = Arc::new(TestClock::new(Timestamp(1_800_000_000_000)));
    Builder::new(Config::default(), memory.ports(), clock, metrics).entity::<Still>(Arc::new(NoEffects))
}

async fn start(memory: &Memory) -> Cluster {
    let cluster = builder(memory).start().await.unwrap();
    assert!(cluster.ready().await);
    cluster
}

fn children<M: ractor::Message>(cluster: &Cluster) -> Vec<ActorCell> {
    let children = cluster.root.get_children();
    children
        .into_iter()
        .filter(|c| c.is_message_type_of::<M>() == Some(true))
        .collect()
}

fn epochs(memory: &Memory) -> Vec<u64> {
    let mut epochs: Vec<u64> = memory.content().shards.values().map(|r| r.epoch.0).collect();
    epochs.dedup();
    epochs
}

async fn until(mut is: impl FnMut() -> bool) {
    for _ in 0..2_000 {
        if is() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never");
}

#[tokio::test(start_paused = true)]
async fn a_failed_shard_is_claimed_again_with_a_raised_epoch() {
    let memory = Memory::exclusive();
    let cluster = start(&memory).await;
    children::<shard::Msg>(&cluster)[0].kill();
    until(|| {
        memory
            .content()
            .shards
            .values()
            .filter(|r| r.epoch.0 == 2)
            .count()
            == 1
    })
    .await;
    assert!(cluster.ready().await);
    assert_eq!(
        memory
            .content()
            .shards
            .values()
            .filter(|r| r.epoch.0 == 1)
            .count(),
        1023
    );
}

#[tokio::test(start_paused = true)]
async fn a_failed_lease_keeper_raises_the_incarnation_and_every_epoch() {
    let memory = Memory::exclusive();
    let cluster = start(&memory).await;
    assert_eq!(epochs(&memory), [1]);
    children::<keeper::Msg>(&cluster)[0].kill();
    until(|| epochs(&memory) == [2]).await;
    until(|| cluster.status().ready).await;
    assert!(memory.content().nodes.values().all(|n| n.incarnation == 2));
    assert!(cluster.shared.route(ShardId(0)).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_lease_keeper_that_fails_again_and_again_ends_the_node() {
    let memory = Memory::exclusive();
    let cluster = start(&memory).await;
    for _ in 0..4 {
        until(|| !children::<keeper::Msg>(&cluster).is_empty()).await;
        children::<keeper::Msg>(&cluster)[0].kill();
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(cluster.ended().await, "the lease keeper failed repeatedly");
}

#[tokio::test(start_paused = true)]
async fn a_root_that_dies_ends_the_node() {
    let memory = Memory::exclusive();
    let cluster = start(&memory).await;
    cluster.root.kill();
    assert!(!cluster.ended().await.is_empty());
    assert!(!cluster.status().holds);
}

/// What an actor said before it failed may arrive when its successor is at work.
#[tokio::test(start_paused = true)]
async fn a_former_actor_is_not_listened_to() {
    let cluster = start(&Memory::exclusive()).await;
    cluster
        .ask::<Still>("a", (), Call::within(PATIENCE))
        .await
        .unwrap();
    let id = EntityId::of::<Still>("a");
    let shard = cluster.shared.route(id.shard()).unwrap();
    let (actor, notice) = (ActorId::Local(u64::MAX), shard::Notice::Idle { received: 1 });
    shard.cast(shard::Msg::FromEntity { id, actor, notice }).unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(cluster.status().entities, 1, "its successor was let go");
}

const PATIENCE: Duration = Duration::from_secs(5);

/// Every node says that the shard is another's, and takes its time.
struct Elsewhere;

#[async_trait]
impl Transport for Elsewhere {
    fn bind(&self, _: NodeId, _: Arc<dyn Inbound>) {}

    async fn call(&self, node: &NodeId, request: Request) -> Result<Response, TransportError> {
        let answer = async {
            tokio::time::sleep(PATIENCE * 3 / 5).await;
            let hint = Some(NodeId::new(&format!("not {node}")));
            envelope::answer(Outcome::NotOwner { hint })
        };
        let in_time = tokio::time::timeout(request.deadline, answer).await;
        in_time.map_err(|_| TransportError::TimedOut)
    }

    fn cast(&self, _: &NodeId, _: Vec<u8>) {}
}

/// A hint is followed within the caller's deadline, not within another one.
#[tokio::test(start_paused = true)]
async fn a_hint_does_not_lengthen_the_deadline() {
    let other = Arc::new(LocalMembership::new(NodeId::new("other"), "local"));
    let builder = builder(&Memory::exclusive()).network(Arc::new(Elsewhere), other);
    let cluster = builder.start().await.unwrap();
    let started = tokio::time::Instant::now();
    let answer = cluster.ask::<Still>("a", (), Call::within(PATIENCE)).await;
    assert!(matches!(answer, Err(AskError::TimedOut)), "{answer:?}");
    assert!(
        started.elapsed() <= PATIENCE + Duration::from_millis(10),
        "{:?}",
        started.elapsed()
    );
}

/// Counts the shards that it was told of.
#[derive(Default)]
struct Taken(AtomicUsize);

#[async_trait]
impl ShardListener for Taken {
    async fn taken(&self, _: ShardId) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    async fn lost(&self, _: ShardId) {}
}

/// A shard's last words may be heard after its end.
#[tokio::test(start_paused = true)]
async fn a_shard_that_has_ended_is_not_told_as_taken() {
    let taken = Arc::new(Taken::default());
    let other = Arc::new(LocalMembership::new(NodeId::new("other"), "local"));
    let builder = builder(&Memory::exclusive()).network(Arc::new(Elsewhere), other);
    let cluster = builder.on_shard(taken.clone()).start().await.unwrap();
    let (shard, epoch) = (ShardId(3), Epoch(9));
    cluster
        .root
        .cast(supervisor::Msg::Opened { shard, epoch })
        .unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(taken.0.load(Ordering::SeqCst), 0);
}
