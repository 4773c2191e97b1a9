//! From a caller to an entity and back: locate, admit, cast, wait; and what this node answers to the transport.
//!
//! Nobody waits for ever: the entity answers at the deadline, a dropped reply port is noticed at once, and beyond both
//! stands a time-out of its own.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::oneshot;
use tracing::Instrument as _;

use super::ServiceError;
use super::entity::Asked;
use super::envelope::{self, Body};
use super::shard;
use super::shared::Shared;
use crate::call::{Call, Trace};
use crate::entity::{Lane, MESSAGE_BYTES, Source, Target};
use crate::id::{EntityId, KEY_BYTES, NodeId, RequestId};
use crate::protocol::outcome::{Outcome, RETRY_AFTER};
use crate::protocol::placement::preferred;
use crate::store::{Event, OutboxRow};
use crate::transport::{Inbound, Request, Response, TransportError};

/// How long the target of an outbox row may take to decide it.
const DELIVERY_DEADLINE: Duration = Duration::from_secs(10);
/// How much longer than its deadline a caller waits for the answer that says so.
const GRACE: Duration = Duration::from_millis(250);

/// A command for an entity, wherever it is.
pub(super) struct Command {
    pub(super) id: EntityId,
    pub(super) bytes: Vec<u8>,
    pub(super) request: Option<RequestId>,
    pub(super) source: Option<Source>,
    pub(super) trace: Trace,
    pub(super) deadline: Duration,
}

/// Asks the owner of the entity's shard; a hint to another owner is followed once.
pub(super) async fn ask(shared: &Shared, command: Command) -> Outcome {
    if command.id.key.len() > KEY_BYTES || command.bytes.len() > MESSAGE_BYTES {
        return Outcome::TooLarge;
    }
    let (began, node) = (shared.clock.boot(), locate(shared, &command.id));
    let outcome = ask_node(shared, &node, &command, command.deadline).await;
    match &outcome {
        Outcome::NotOwner { hint: Some(other) } if *other != node => {
            let spent = shared.clock.boot().since(began);
            ask_node(shared, other, &command, command.deadline.saturating_sub(spent)).await
        }
        _ => outcome,
    }
}

/// Here if the shard is open here, else where the rows or the hash say.
fn locate(shared: &Shared, id: &EntityId) -> NodeId {
    let shard = id.shard();
    if shared.route(shard).is_some() {
        return shared.node.clone();
    }
    let should = || preferred(shard, &shared.membership.members()).cloned();
    shared
        .owner(shard)
        .or_else(should)
        .unwrap_or_else(|| shared.node.clone())
}

async fn ask_node(shared: &Shared, node: &NodeId, command: &Command, deadline: Duration) -> Outcome {
    let body = Body::Entity {
        id: command.id.clone(),
        command: command.bytes.clone(),
        request: command.request,
        source: command.source.clone(),
        trace: command.trace.clone(),
    };
    match shared.transport.call(node, body.request(deadline)).await {
        Ok(response) => envelope::outcome(&response),
        Err(TransportError::TimedOut) => Outcome::TimedOut,
        Err(error @ TransportError::Unreachable(_)) => Outcome::unavailable(error.to_string()),
    }
}

/// Gives an outbox row to its target; true once the target has it for certain.
pub(super) async fn deliver(shared: &Shared, id: &EntityId, row: OutboxRow) -> bool {
    let to = row.target.name().to_owned();
    let span = tracing::info_span!("outbox", from = %id.kind, sequence = row.sequence, to, trace_id = row.trace.id());
    async {
        let delivered = hand_over(shared, id, row).await;
        tracing::debug!(delivered, "outbox row");
        delivered
    }
    .instrument(span)
    .await
}

/// Not skipped: a newer release, or another configuration, may deliver it, and order must hold. Its lane of its entity
/// waits, and nobody else: a row that waits for its next attempt takes no place on the wire, and an idle entity leaves
/// memory and comes back after those that were tried less often. The entity's key stays out of the log: it may be a
/// hashed number.
fn rejected(shared: &Shared, from: &EntityId, sequence: u64, target: &Target, reason: &str) {
    let (lane, shard) = (target.lane().label(), from.shard());
    shared.metrics.relay_rejections.with_label_values(&[lane]).inc();
    let (from, to) = (&from.kind, target.name());
    tracing::error!(%from, %shard, sequence, to, reason, "outbox row cannot be delivered");
}

async fn hand_over(shared: &Shared, id: &EntityId, row: OutboxRow) -> bool {
    let OutboxRow {
        sequence,
        target,
        payload,
        at,
        trace,
    } = row;
    let outcome = match &target {
        Target::Entity(entity) => {
            let command = Command {
                id: entity.clone(),
                bytes: payload,
                request: None,
                source: Some(Source {
                    entity: id.clone(),
                    sequence,
                }),
                trace,
                deadline: DELIVERY_DEADLINE,
            };
            ask_to_take(shared, command).await
        }
        Target::Topic(name) | Target::Table(name) => {
            let event = Event {
                source: id.clone(),
                sequence,
                at,
                payload,
                trace,
            };
            put(shared, &target, name, &event).await
        }
    };
    if let Err(Some(reason)) = &outcome {
        rejected(shared, id, sequence, &target, reason);
    }
    outcome.is_ok()
}

/// What a target did not take, with the reason if it never will as it is.
type Taken = Result<(), Option<String>>;

async fn put(shared: &Shared, target: &Target, name: &str, event: &Event) -> Taken {
    let answer = if target.lane() == Lane::Topics {
        let append = shared.ports.events.append(name, event);
        shared.store("append_event", append).await
    } else {
        let apply = shared.ports.tables.apply(name, event);
        shared.store("apply_table", apply).await
    };
    answer.map_err(|error| error.is_final().then(|| error.to_string()))
}

async fn ask_to_take(shared: &Shared, command: Command) -> Taken {
    match ask(shared, command).await {
        outcome if outcome.is_decided() => Ok(()),
        outcome @ (Outcome::Corrupt | Outcome::TooLarge) => Err(Some(outcome.label().to_owned())),
        _ => Err(None),
    }
}

/// What this node answers.
pub(super) struct Answering(pub(super) Arc<Shared>);

#[async_trait]
impl Inbound for Answering {
    async fn handle(&self, from: NodeId, request: Request) -> Response {
        let outcome = match Body::open(&request.bytes) {
            None => Outcome::Corrupt,
            Some(Body::Entity {
                id,
                command,
                request: name,
                source,
                trace,
            }) => {
                let deadline = request.deadline;
                let command = Command {
                    id,
                    bytes: command,
                    request: name,
                    source,
                    trace,
                    deadline,
                };
                let span =
                    tracing::info_span!("command", kind = %command.id.kind, trace_id = command.trace.id());
                let outcome = async {
                    let outcome = ask_here(&self.0, command).await;
                    tracing::debug!(outcome = outcome.label(), "command");
                    outcome
                }
                .instrument(span)
                .await;
                self.0
                    .metrics
                    .commands
                    .with_label_values(&[outcome.label()])
                    .inc();
                outcome
            }
            Some(Body::Service {
                name,
                payload,
                request: id,
                trace,
            }) => {
                let call = Call {
                    deadline: request.deadline,
                    request: id,
                    trace,
                };
                serve(&self.0, from, &name, payload, call).await
            }
        };
        envelope::answer(outcome)
    }

    fn cast(&self, from: NodeId, bytes: Vec<u8>) {
        let Some(Body::Service {
            name,
            payload,
            request,
            trace,
        }) = Body::open(&bytes)
        else {
            return;
        };
        // Bounded like everything else: a place is taken before the task exists.
        let Some(permit) = self.0.admit() else { return };
        let shared = self.0.clone();
        tokio::spawn(async move {
            let _permit = permit;
            let Some(service) = shared.services.get(&name) else {
                return;
            };
            let call = Call {
                deadline: DELIVERY_DEADLINE,
                request,
                trace,
            };
            let _one_way = tokio::time::timeout(DELIVERY_DEADLINE, service.handle(from, payload, call)).await;
        });
    }
}

async fn ask_here(shared: &Arc<Shared>, command: Command) -> Outcome {
    if shared.is_stopping() {
        return Outcome::Stopping;
    }
    let Some(permit) = shared.admit_command() else {
        return Outcome::overloaded(RETRY_AFTER);
    };
    let shard = command.id.shard();
    let Some(actor) = shared.route(shard) else {
        return not_here(shared, &command.id);
    };
    let (reply, answer) = oneshot::channel();
    let asked = Asked {
        command: command.bytes,
        request: command.request,
        source: command.source,
        trace: command.trace,
        deadline: shared.clock.boot() + command.deadline,
        permit,
        reply,
    };
    if actor
        .cast(shard::Msg::Ask {
            id: command.id,
            asked: Box::new(asked),
        })
        .is_err()
    {
        return Outcome::NotOwner { hint: None };
    }
    match tokio::time::timeout(command.deadline.saturating_add(GRACE), answer).await {
        Ok(Ok(outcome)) => outcome,
        // The actor is gone with the reply port.
        Ok(Err(_)) => Outcome::unavailable("the entity stopped; whether it was carried out is unknown"),
        Err(_) => Outcome::TimedOut,
    }
}

/// No open shard here: another node's, or not claimed yet.
fn not_here(shared: &Shared, id: &EntityId) -> Outcome {
    match shared.owner(id.shard()) {
        Some(owner) if owner != shared.node => Outcome::NotOwner { hint: Some(owner) },
        _ => Outcome::unavailable("the shard is being taken"),
    }
}

async fn serve(shared: &Arc<Shared>, from: NodeId, name: &str, payload: Vec<u8>, call: Call) -> Outcome {
    let Some(_permit) = shared.admit() else {
        return Outcome::overloaded(RETRY_AFTER);
    };
    let Some(service) = shared.services.get(name) else {
        return Outcome::unavailable("no such service here");
    };
    match tokio::time::timeout(call.deadline, service.handle(from, payload, call)).await {
        Ok(Ok(answer)) => Outcome::Done(answer),
        Ok(Err(ServiceError::Overloaded)) => Outcome::overloaded(RETRY_AFTER),
        Ok(Err(ServiceError::Corrupt)) => Outcome::Corrupt,
        Ok(Err(ServiceError::Failed(reason))) => Outcome::unavailable(reason),
        Err(_) => Outcome::TimedOut,
    }
}
