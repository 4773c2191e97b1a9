//! What the domain publishes on the event log: topics and their typed messages.
//!
//! Events carry opaque ids, never phone numbers, names or texts: a consumer looks those up, so deletion in the store is
//! deletion everywhere. The topic's name carries the version; a message only ever gains fields. Who consumes by
//! [`Event::source`](mitalk_cluster::store::Event) and sequence may see a message twice and must drop the second.

use crate::id::{DeviceId, InviteId, RoomId, UserId};
use mitalk_cluster::{DecodeError, Outgoing, wire};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Invites and what became of them: [`Invites`].
pub const INVITES: &str = "mitalk.invites.v1";
/// What people are to be told: [`Notices`].
pub const NOTICES: &str = "mitalk.notices.v1";
/// What is to be pushed to devices: [`Pushes`].
pub const PUSHES: &str = "mitalk.pushes.v1";
/// What was done by whom, for operators: [`Audit`].
pub const AUDIT: &str = "mitalk.audit.v1";
/// Every topic; beside each there is one with [`DEAD_LETTERS`] appended.
pub const TOPICS: [&str; 4] = [INVITES, NOTICES, PUSHES, AUDIT];
/// The end of the name of a topic for messages that nobody can read.
pub const DEAD_LETTERS: &str = ".dlq";

/// A message type and its topic.
pub trait Message: Serialize + DeserializeOwned {
    /// Where it goes.
    const TOPIC: &'static str;

    /// The message as an outbox row.
    fn outgoing(&self) -> Outgoing {
        Outgoing::topic(Self::TOPIC, self)
    }

    /// Reads the payload of an event of this topic.
    ///
    /// # Errors
    /// It is none: a poison message.
    fn read(payload: &[u8]) -> Result<Self, DecodeError> {
        wire::decode(payload)
    }
}

/// [`INVITES`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Invites {
    /// An invite waits to be accepted. Bound to a number: it is to get a text message.
    Created {
        /// Which.
        invite: InviteId,
        /// Who invites.
        by: UserId,
        /// Bound to a number, which is to be told.
        to_number: bool,
    },
    /// It was accepted for good.
    Accepted {
        /// Which.
        invite: InviteId,
        /// Who accepted.
        by: UserId,
    },
    /// Its giver took it back.
    Revoked {
        /// Which.
        invite: InviteId,
    },
    /// Its time is over.
    Expired {
        /// Which.
        invite: InviteId,
    },
    /// The person came in by another invite.
    GivenBack {
        /// Which.
        invite: InviteId,
    },
}

/// [`NOTICES`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Notices {
    /// Left the waitlist: is told by text message, too.
    Admitted {
        /// Who.
        user: UserId,
    },
    /// A moderator asks somebody on stage.
    StageInvitation {
        /// Whom.
        to: UserId,
        /// Where.
        room: RoomId,
        /// Who asks.
        by: UserId,
    },
    /// Somebody is asked into a room.
    Pinged {
        /// Whom.
        to: UserId,
        /// Where.
        room: RoomId,
        /// Who asks.
        by: UserId,
    },
    /// A room began: followers of its creator are to be told.
    RoomStarted {
        /// Who started it.
        by: UserId,
        /// Which.
        room: RoomId,
    },
}

/// [`PUSHES`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Pushes {
    /// Some notices are to be pushed, as one. Whatever of them was read or is of no use by then is not.
    Due {
        /// To whom.
        to: UserId,
        /// The first notice.
        from_seq: u64,
        /// The last one.
        up_to_seq: u64,
        /// Only to this device, whose push service did not take it before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        device: Option<DeviceId>,
        /// The event whose push this repeats; absent: this one is its own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tag: Option<String>,
        /// Tries before this one.
        #[serde(default)]
        tries: u32,
    },
}

/// Who did something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// An operator, through the admin API.
    Operator,
    /// A person.
    User(UserId),
    /// The service itself: a timer, a rule.
    Service,
}

/// [`AUDIT`]: who did what to whom. The log keeps when, and the entity that decided it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// Who.
    pub by: Actor,
    /// What, as a stable word: `phase_set`, `user_suspended`, `room_banned`.
    pub action: String,
    /// To whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// In which room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<RoomId>,
    /// With which invite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invite: Option<InviteId>,
    /// How many, or how often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// A stable word more: the new phase, the name of a dead letter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

impl Audit {
    /// `action` by somebody, with nothing else said yet.
    pub fn new(by: Actor, action: &str) -> Self {
        Self {
            by,
            action: action.to_owned(),
            user: None,
            room: None,
            invite: None,
            count: None,
            value: None,
        }
    }

    /// Adds whom it was done to.
    #[must_use]
    pub fn user(mut self, user: UserId) -> Self {
        self.user = Some(user);
        self
    }

    /// Adds where.
    #[must_use]
    pub fn room(mut self, room: RoomId) -> Self {
        self.room = Some(room);
        self
    }

    /// Adds how many.
    #[must_use]
    pub fn count(mut self, count: u64) -> Self {
        self.count = Some(count);
        self
    }

    /// Adds a stable word.
    #[must_use]
    pub fn value(mut self, value: &str) -> Self {
        self.value = Some(value.to_owned());
        self
    }
}

impl Message for Invites {
    const TOPIC: &'static str = INVITES;
}

impl Message for Notices {
    const TOPIC: &'static str = NOTICES;
}

impl Message for Pushes {
    const TOPIC: &'static str = PUSHES;
}

impl Message for Audit {
    const TOPIC: &'static str = AUDIT;
}
