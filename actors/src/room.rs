//! The Room entity: who is on stage, who wants to be, who runs it. It is decided at the room's home.
//!
//! Pure: [`Entity::decide`] and [`Entity::fold`] see time and randomness as arguments. The home knows the forwarders
//! (nodes that hold people of the room), not the listeners: what a room costs it is O(nodes).
//!
//! - **Committed**: settings, stage with roles, mutes and stage numbers, hands, invitations, bans, pings, the number of
//!   activations. **Volatile**: forwarders and their counts, who is away, the sequence of changes. See [`State`].
//! - Whatever changes is one [`Change`], folded here and by each forwarder's replica alike (`scene.rs`).
//! - While somebody is on stage there is a moderator. A person is on stage, in the queue of hands, invited, or none
//!   of these. A repeated command changes nothing. Stage numbers are never used twice.
//! - Whoever is on stage, in the queue or invited is reported by a forwarder, or leaves after [`UNSEEN_TICKS`].
//! - Take-over: the first command of an activation commits [`Event::Activated`]; committed state wins, forwarders
//!   contribute presence only.
//!
//! It lacks names and profiles (ids only), the audience's members, and any judgement about follows: callers say those.

mod card;
mod command;
mod decide;
mod draft;
mod limits;
#[cfg(test)]
mod properties;
mod scene;
mod settings;
mod state;
#[cfg(test)]
mod tests;

pub use card::Card;
pub use command::{Command, Presence, Refusal, Reply};
pub(crate) use limits::check_times;
pub use limits::{Limits, Unkept};
pub(crate) use scene::apply;
pub use scene::{
    Change, HandDown, Invitation, Out, Passing, Ping, RaisedHand, Role, Scene, Seat, Version, View,
};
pub use settings::{HandRaising, Invalid, Patch, Settings, Visibility};
pub use state::{Event, State, UNSEEN_TICKS};

use crate::id::UserId;
use mitalk_cluster::{Context, Decision, Entity, NodeId, Phase, Timer, Urgent};

/// The name of the timer that ends a room whose stage stays empty.
const EMPTY_STAGE: &str = "empty_stage";

/// The entity type. Its key is the text of a [`RoomId`](crate::id::RoomId).
#[derive(Debug)]
pub struct Room;

/// What the home's node does after a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Forwarders are told what changed, in order.
    Tell {
        /// Which nodes.
        to: To,
        /// Consecutive versions.
        changes: Vec<(Version, Change)>,
    },
    /// Forwarders take rights away at once, before anything is committed.
    Cut {
        /// Which nodes.
        to: To,
        /// The home's version: what a former home cuts is refused.
        at: Version,
        /// Whose rights.
        user: UserId,
        /// Which rights.
        cut: Cut,
    },
    /// This node is the room's home from now on: it ticks the room.
    Keep,
    /// The room is over: no more ticks.
    Release,
    /// The hallway shows this, or nothing any more.
    List(Option<Box<Card>>),
}

/// Which nodes are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// The forwarders that registered with this activation.
    Nodes(Vec<NodeId>),
    /// Every node: soon after an activation not all forwarders have registered yet.
    Everybody,
}

/// A right that is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// Not heard any more.
    Mute,
    /// Not on stage any more.
    MoveBack,
    /// Not in the room any more.
    Out(Out),
}

impl Entity for Room {
    const KIND: &'static str = "room";
    const VERSION: u16 = 1;
    type State = State;
    type Command = Command;
    type Event = Event;
    type Reply = Reply;
    type Refusal = Refusal;
    type Effect = Effect;

    fn decide(state: &State, command: Command, cx: &mut Context) -> Result<Decision<Self>, Refusal> {
        decide::decide(state, command, cx)
    }

    fn fold(state: &mut State, event: &Event) {
        state.fold(event);
    }

    fn durable(event: &Event) -> bool {
        event.durable()
    }

    fn timers(state: &State) -> Vec<Timer> {
        state
            .empty_stage_due()
            .map(|due| Timer {
                name: EMPTY_STAGE.into(),
                due,
            })
            .into_iter()
            .collect()
    }

    fn on_timer(name: &str) -> Option<Command> {
        (name == EMPTY_STAGE).then_some(Command::EndEmpty)
    }

    fn urgent(state: &State, command: &Command) -> Option<Urgent<Self>> {
        let (user, cut) = decide::cut(state, command)?;
        let effects = vec![Effect::Cut {
            to: state.told(),
            at: state.version(),
            user,
            cut,
        }];
        Some(Urgent {
            effects,
            reply: Reply::Pending,
        })
    }

    /// Changes set rights at the forwarders and must reach them in order, so all of them go before the replies; the
    /// forwarder sets rights first and tells people afterwards.
    fn phase(effect: &Effect) -> Phase {
        match effect {
            Effect::Tell { .. } | Effect::Cut { .. } => Phase::Rights,
            Effect::Keep | Effect::Release | Effect::List(_) => Phase::Live,
        }
    }

    fn pinned(state: &State) -> bool {
        state.live_scene().is_some()
    }
}
