//! Read tables: projections that the relay writes from outbox rows, and that reads without a decision use.
//!
//! Each row is written by **one** entity only. An adapter keeps the source's sequence beside each row and changes
//! nothing if an event is not newer, so repeats and late zombies do no harm; a removal is therefore a row that says so
//! (a tombstone), never a missing row. A change names its version; adapters read all older ones.

use crate::id::{DeviceId, Home, RoomId, UserId};
use crate::person::{About, Brief, Notice, Standing};
use crate::rooms::Card;
use mitalk_cluster::{DecodeError, Outgoing, Timestamp, wire};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Tickets in a block.
pub const BLOCK_TICKETS: u64 = 4_096;
/// Bytes of a block's bitmap.
pub const BLOCK_BYTES: usize = (BLOCK_TICKETS / 8) as usize;

/// How long a row of the table `shut_out` is kept, by the times of the rows: twice what an access token may live.
pub const SHUT_OUT_KEPT: Duration = Duration::from_secs(2 * 60 * 60);

const VERSION: u16 = 1;

/// A change of one row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Table `profile`, key `user`, written by the user.
    Profile(Profile),
    /// Table `handle`, key `handle`, written by the handle.
    Handle(Handle),
    /// Table `follow`, key (`follower`, `followee`) and its reverse, written by the follower.
    Follow(Follow),
    /// Table `notice`, key (`user`, `notice.seq`), written by the user.
    Notice(NoticeOf),
    /// Table `notice`, all keys of a user: there are none any more, nor will there be.
    NoticesGone(NoticesGone),
    /// Table `ticket_block`, key (`home`, `block`), written by the block.
    TicketBlock(TicketBlock),
    /// Table `live_room`, key `room`, written by the room.
    LiveRoom(LiveRoom),
    /// Table `shut_out`, key (`user`, `device`), written by the user.
    ShutOut(ShutOut),
}

/// What lists and profile pages show of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Who.
    pub user: UserId,
    /// Waiting, active, suspended or deleted.
    pub standing: Standing,
    /// Unique handle.
    pub handle: Option<String>,
    /// What they write.
    pub about: About,
    /// Who invited them.
    pub invited_by: Option<UserId>,
    /// Whether people they invited may show by whom.
    pub shown_as_inviter: bool,
    /// Deleted, and follows of theirs are still being removed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub erasing: bool,
}

impl Profile {
    /// Whether not even follows of theirs are left.
    pub fn is_erased(&self) -> bool {
        self.is_deleted() && !self.erasing
    }

    /// Whether nobody is there any more: only the row is left.
    pub fn is_deleted(&self) -> bool {
        self.standing == Standing::Deleted
    }

    /// Enough to show them in a list.
    pub fn brief(&self) -> Brief {
        Brief {
            id: self.user,
            name: self.about.name.clone(),
            handle: self.handle.clone(),
            headline: self.about.headline.clone(),
        }
    }
}

/// Whose a handle is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handle {
    /// Lower case.
    pub handle: String,
    /// Absent: nobody's any more.
    pub user: Option<UserId>,
}

/// Somebody follows somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Follow {
    /// Who follows.
    pub follower: UserId,
    /// Whom.
    pub followee: UserId,
    /// Not any more if false.
    pub follows: bool,
}

/// A notice of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeOf {
    /// Whose.
    pub user: UserId,
    /// It.
    pub notice: Notice<UserId>,
}

/// The account was deleted, and its notices with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticesGone {
    /// Whose.
    pub user: UserId,
}

/// Who still waits among [`BLOCK_TICKETS`] tickets in a row.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketBlock {
    /// Of which waitlist.
    pub home: Home,
    /// Holds the tickets from `block * BLOCK_TICKETS + 1` on.
    pub block: u32,
    /// Bits set.
    pub waiting: u32,
    /// [`BLOCK_BYTES`]; bit `i % 8` of byte `i / 8` is the block's `i`-th ticket (from 0), set while it waits.
    #[serde(with = "serde_bytes")]
    pub bitmap: Vec<u8>,
}

/// A live room, for the hallway.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LiveRoom {
    /// It lives, and this is what the hallway shows.
    Put(Box<Card>),
    /// It ended.
    Remove {
        /// Which.
        room: RoomId,
    },
}

/// Access tokens that count no more although their time is not over. Rows are kept for [`SHUT_OUT_KEPT`], which no access
/// token outlives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShutOut {
    /// Whose.
    pub user: UserId,
    /// Of which device; absent: of all, the account is suspended.
    pub device: Option<DeviceId>,
    /// Not any more if false.
    pub shut_out: bool,
    /// When it was decided, by the clock of the account's owner: rows grow old by it.
    pub at: Timestamp,
}

/// As stored: with its version.
#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    v: u16,
    row: T,
}

impl Change {
    /// The table's name.
    pub fn table(&self) -> &'static str {
        match self {
            Self::Profile(_) => "profile",
            Self::Handle(_) => "handle",
            Self::Follow(_) => "follow",
            Self::Notice(_) | Self::NoticesGone(_) => "notice",
            Self::TicketBlock(_) => "ticket_block",
            Self::LiveRoom(_) => "live_room",
            Self::ShutOut(_) => "shut_out",
        }
    }

    /// The change as an outbox row.
    pub fn outgoing(&self) -> Outgoing {
        Outgoing::table(
            self.table(),
            &Versioned {
                v: VERSION,
                row: self,
            },
        )
    }

    /// Reads the payload of an event that a relay gave to `table`.
    ///
    /// # Errors
    /// No change, one of a newer release, or one of another table.
    pub fn read_for(table: &str, payload: &[u8]) -> Result<Self, DecodeError> {
        let change = Self::read(payload)
            .map_err(|error| DecodeError(format!("a change of table {table} cannot be read: {error}")))?;
        if change.table() != table {
            let found = change.table();
            return Err(DecodeError(format!(
                "a change of table {found} was sent to table {table}"
            )));
        }
        Ok(change)
    }

    /// Reads a change, whichever its table is.
    ///
    /// # Errors
    /// No change, or one of a newer release.
    pub fn read(payload: &[u8]) -> Result<Self, DecodeError> {
        let read: Versioned<Self> = wire::decode(payload)?;
        if read.v == VERSION {
            Ok(read.row)
        } else {
            Err(DecodeError(format!(
                "a read table's change of version {}, newer than {VERSION}",
                read.v
            )))
        }
    }
}

impl std::fmt::Debug for TicketBlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "TicketBlock({}-{}, {} waiting)",
            self.home, self.block, self.waiting
        )
    }
}
