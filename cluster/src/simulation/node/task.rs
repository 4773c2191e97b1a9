//! What a node does next, and for whom.

use crate::entity::Source;
use crate::id::{EntityId, Epoch, NodeId, RequestId, ShardId};
use crate::protocol::{activation, lease, ownership, shard};
use crate::simulation::store::{Answer, Kind};
use crate::simulation::toy::{Command, Toy};
use crate::store::StoreError;
use crate::time::BootInstant;

/// A shard in one ownership.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::simulation) struct ShardKey {
    pub(super) shard: ShardId,
    pub(super) epoch: Epoch,
}

/// An entity in one activation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::simulation) struct EntityKey {
    pub(super) shard: ShardKey,
    pub(in crate::simulation) id: EntityId,
    pub(super) activation: u64,
}

/// Which machine wants a tick.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::simulation) enum Tick {
    Lease,
    Ownership,
    Round,
    Shard(ShardKey),
    Entity(EntityKey),
}

/// Who waits for the store's answer.
#[derive(Clone, Debug)]
pub(in crate::simulation) enum Reply {
    Lease,
    Shards,
    Owner { node: NodeId, asked: BootInstant },
    Claim(ShardId),
    Shard(ShardKey),
    Entity(EntityKey),
    Nobody,
}

/// Something that a node does next.
#[derive(Clone)]
pub(in crate::simulation) enum Task {
    Answer(Reply, Kind, Result<Answer, StoreError>),
    Ask {
        ask: u64,
        entity: EntityId,
        command: Command,
        request: Option<RequestId>,
        source: Option<Source>,
    },
    Sent {
        key: EntityKey,
        sequence: u64,
        delivered: bool,
    },
    Tick(Tick),
}

/// What a machine wants to be done, before the hold is asked and after.
pub(super) enum Todo {
    Task(Task),
    Lease(lease::Output),
    Own(ownership::Output),
    Shard {
        key: ShardKey,
        output: shard::Output,
        asked: bool,
    },
    Entity {
        key: EntityKey,
        output: Box<activation::Output<Toy>>,
        asked: bool,
    },
}

impl Reply {
    pub(in crate::simulation) fn task(self, kind: Kind, answer: Result<Answer, StoreError>) -> Task {
        Task::Answer(self, kind, answer)
    }
}
