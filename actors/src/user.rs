//! A person's account: standing, profile, devices, invites, notices; and, in memory only, live sockets and the room they
//! are in.
//!
//! It is the arbiter of everything that is "once per person": which invite they came in by, which ticket is theirs, which
//! room and device they are in. Other entities send it commands that are idempotent by state, so their repeats do no harm.
//! What grows without bound (followers, old notices) is rows in read tables, each written by this entity alone.
//!
//! Invariants: quota and spent invites change together, so `left + pending + kept` is what was given; the newest notice's
//! sequence never falls; at most one claimed room. Commands of a family are decided in its file.
//!
//! Deleting, exporting, blocks and cards are not here yet.

mod access;
mod devices;
mod follows;
mod invites;
mod notices;
mod presence;
mod profile;
mod state;

pub use devices::{DeviceView, TOKEN_HISTORY};
pub use invites::SpentInvite;
pub use notices::{KEPT_NOTICES, Origin};
pub use presence::{RoomClaim, SocketAt};
pub use state::{Account, Live, State, Summary};

use crate::id::{DeviceId, Home, InviteId, SessionId, SocketId, UserId};
use crate::invite::{Invitee, Status};
use crate::number::{PhoneKey, SealedNumber};
use crate::person::{About, Notice, NoticeKind, Standing};
use mitalk_cluster::{Context, Decision, Entity, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The entity type; its key is the user's id.
pub enum User {}

/// How a waiting person became active, other than by an invite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Admitted {
    /// Their ticket was called.
    Ticket,
    /// By the allow-list.
    AllowList,
    /// The phase is open.
    Open,
    /// An operator named them.
    Operator,
}

/// What is asked of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Somebody proved that the number is theirs: makes the account, if it is not there yet.
    SignUp {
        /// Their number's key.
        phone: PhoneKey,
        /// Their number, for messages.
        sealed: SealedNumber,
        /// Its last digits.
        hint: String,
        /// Invites to give, once active.
        quota: u32,
        /// Invites that they hold.
        offered: Vec<InviteId>,
    },
    /// Everything a caller may know of the account.
    Read,
    /// They hold these invites, if they wait.
    OfferInvites {
        /// Which, oldest first.
        invites: Vec<InviteId>,
    },
    /// An invite that they held can not be accepted any more.
    DropOffer {
        /// Which.
        invite: InviteId,
    },
    /// They can not come in now: take a ticket.
    Queue,
    /// A ticket is theirs, unless they have one.
    TakeTicket {
        /// Of which waitlist.
        home: Home,
        /// Which.
        number: u64,
    },
    /// Makes a waiting person active.
    Admit {
        /// How.
        how: Admitted,
    },
    /// An invite entity decided that this person has it: they come in by it if it is their first.
    Redeem {
        /// Which.
        invite: InviteId,
        /// Who gave it.
        inviter: UserId,
    },
    /// An operator stops the account, or lets it go on.
    Suspend {
        /// Stops it.
        suspended: bool,
    },
    /// The number is another account's: this one lost a race that its claim was too late for.
    LoseNumber,

    /// A device signed in.
    OpenDevice {
        /// A fresh one.
        device: DeviceId,
        /// What it calls itself, cut to its limit.
        name: String,
        /// SHA-256 of its first refresh secret.
        hash: [u8; 32],
        /// Devices of an account; the longest unused one makes room.
        most: usize,
    },
    /// A device trades its refresh secret for the next one.
    Rotate {
        /// Which.
        device: DeviceId,
        /// SHA-256 of the secret it has.
        presented: [u8; 32],
        /// SHA-256 of the next one.
        next: [u8; 32],
        /// A device not refreshed for so long is signed out.
        idle: Duration,
    },
    /// Signs a device out.
    RevokeDevice {
        /// Which.
        device: DeviceId,
    },
    /// Lists the devices.
    Devices,

    /// Changes what they write about themselves; checked against the limits by the caller.
    Describe {
        /// All of it.
        about: Box<About>,
        /// Whether people they invited may show by whom.
        shown_as_inviter: bool,
    },
    /// A handle was claimed for them.
    SetHandle {
        /// Which.
        handle: String,
        /// The claim ends then: not to be taken later.
        until: Timestamp,
    },
    /// The handle is somebody else's: the claim was too late.
    LoseHandle {
        /// Which.
        handle: String,
    },

    /// Gives an invite.
    Invite {
        /// Its id: derived from the request, so that a repeat gives the same.
        id: InviteId,
        /// Whom for.
        invitee: Invitee,
        /// The number's last digits.
        hint: Option<String>,
        /// How long it is good.
        lifetime: Duration,
        /// Invites that the account remembers.
        most: usize,
    },
    /// An invite of theirs has ended.
    SettleInvite {
        /// Which.
        invite: InviteId,
        /// How.
        status: Status,
        /// Who accepted it.
        by: Option<UserId>,
    },
    /// An operator gives them more to give.
    GrantInvites {
        /// How many.
        count: u32,
        /// Most that anybody may have left.
        most: u32,
    },
    /// Lists the invites.
    Invites,

    /// Follows somebody, or no more.
    Follow {
        /// Whom.
        whom: UserId,
        /// Or no more.
        follows: bool,
    },
    /// Somebody follows this person now.
    Followed {
        /// Who.
        by: UserId,
    },

    /// Tells them something.
    Notify {
        /// What.
        what: NoticeKind<UserId>,
        /// What it comes from: a repeat changes nothing.
        origin: Origin,
    },
    /// Lists notices, newest first.
    Notices {
        /// Only those with a sequence below.
        before: u64,
        /// At most so many.
        limit: usize,
    },
    /// They have read up to here.
    ReadNotices {
        /// The newest one read.
        up_to: u64,
    },

    /// A live socket of theirs is on a node. Memory only.
    Attach {
        /// It.
        socket: SocketAt,
        /// Sockets of an account; the oldest makes room.
        most: usize,
    },
    /// It is gone. Memory only.
    Detach {
        /// Which.
        socket: SocketId,
    },
    /// They are in this room, by this session, from now on. Memory only.
    ClaimRoom(RoomClaim),
    /// That session is over. Memory only.
    ReleaseRoom {
        /// Which.
        session: SessionId,
    },
    /// Which room are they in?
    FindRoom,
}

/// What it answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// Done, or nothing had to be.
    Done,
    /// The account after the command.
    Account(Box<Summary>),
    /// A device is signed in, or got its next secret.
    Device {
        /// For the access token.
        standing: Standing,
    },
    /// An old secret was used again: the device was signed out.
    Reused,
    /// All devices, newest first.
    Devices(Vec<DeviceView>),
    /// An invite that was given.
    Invite(SpentInvite),
    /// All invites, newest first.
    Invites {
        /// They.
        invites: Vec<SpentInvite>,
        /// Left to give.
        left: u32,
    },
    /// Notices, newest first.
    Notices {
        /// They.
        notices: Vec<Notice<UserId>>,
        /// Older ones are in the table.
        more: bool,
    },
    /// A room was claimed.
    Claimed {
        /// The claim that had to give way: its node has been told.
        evicted: Option<RoomClaim>,
    },
    /// The room they are in.
    Room(Option<RoomClaim>),
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// No account of this id.
    #[error("there is no such account")]
    NoAccount,
    /// An operator stopped it.
    #[error("the account is suspended")]
    Suspended,
    /// Only for active people.
    #[error("the account is not active")]
    NotActive,
    /// No such device, or signed out.
    #[error("there is no such device")]
    NoDevice,
    /// Not a secret of this device, or not used for too long.
    #[error("the refresh token is not valid")]
    RefreshInvalid,
    /// Nothing left to give.
    #[error("no invites are left")]
    QuotaUsedUp,
    /// All remembered invites are pending.
    #[error("too many invites are pending")]
    TooManyPending,
    /// The handle's claim was over before the account could take it.
    #[error("the claim is over")]
    ClaimOver,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// The account exists.
    SignedUp(Box<Account>),
    /// Access: invites held, ticket, standing.
    Access(access::Change),
    /// Devices.
    Device(devices::Change),
    /// Profile and handle.
    Profile(profile::Change),
    /// Invites to give.
    Invite(invites::Change),
    /// Notices.
    Notice(notices::Change),
    /// Whom they followed lately.
    Follow(follows::Change),
    /// Sockets and room: memory only.
    Live(presence::Change),
}

/// What is done after the commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Says something to their live sockets.
    Tell {
        /// Which.
        sockets: Vec<SocketAt>,
        /// What.
        tell: Tell,
    },
    /// Closes a socket that had to give way.
    Close(SocketAt),
    /// The session of another claim leaves its room.
    Evict(RoomClaim),
    /// All nodes refuse a device, or (absent) all of the account's, from now on.
    ShutOut(Option<DeviceId>),
    /// All nodes let the account in again.
    LetIn,
}

/// A word to a live socket; the node that has it makes the message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tell {
    /// The account changed.
    Changed,
    /// A notice.
    Notice(Notice<UserId>),
}

impl Entity for User {
    const KIND: &'static str = "user";
    const VERSION: u16 = 1;
    type State = State;
    type Command = Command;
    type Event = Event;
    type Reply = Reply;
    type Refusal = Refusal;
    type Effect = Effect;

    fn decide(state: &State, command: Command, cx: &mut Context) -> Result<Decision<Self>, Refusal> {
        use Command as C;
        match command {
            C::SignUp {
                phone,
                sealed,
                hint,
                quota,
                offered,
            } => {
                let number = access::Number { phone, sealed, hint };
                access::sign_up(state, number, quota, offered, cx)
            }
            C::Read => Ok(Decision::reply(state.summary(cx)?)),
            C::OfferInvites { invites } => Ok(access::offer(state, &invites, cx)),
            C::DropOffer { invite } => Ok(access::drop_offer(state, invite)),
            C::Queue => access::queue(state, cx),
            C::TakeTicket { home, number } => Ok(access::take_ticket(state, home, number)),
            C::Admit { how } => access::admit(state, how, cx),
            C::Redeem { invite, inviter } => Ok(access::redeem(state, invite, inviter, cx)),
            C::Suspend { suspended } => access::suspend(state, suspended, cx),
            C::LoseNumber => Ok(access::lose_number(state, cx)),

            C::OpenDevice {
                device,
                name,
                hash,
                most,
            } => devices::open(state, device, name, hash, most, cx),
            C::Rotate {
                device,
                presented,
                next,
                idle,
            } => devices::rotate(state, device, presented, next, idle, cx),
            C::RevokeDevice { device } => devices::revoke(state, device),
            C::Devices => Ok(Decision::reply(Reply::Devices(devices::list(state.account()?)))),

            C::Describe {
                about,
                shown_as_inviter,
            } => profile::describe(state, *about, shown_as_inviter, cx),
            C::SetHandle { handle, until } => profile::set_handle(state, handle, until, cx),
            C::LoseHandle { handle } => Ok(profile::lose_handle(state, &handle, cx)),

            C::Invite {
                id,
                invitee,
                hint,
                lifetime,
                most,
            } => invites::give(
                state,
                id,
                invites::Gift {
                    invitee,
                    hint,
                    lifetime,
                },
                most,
                cx,
            ),
            C::SettleInvite { invite, status, by } => Ok(invites::settle(state, invite, status, by, cx)),
            C::GrantInvites { count, most } => invites::grant(state, count, most, cx),
            C::Invites => invites::list(state),

            C::Follow { whom, follows } => follows::follow(state, whom, follows, cx),
            C::Followed { by } => Ok(follows::followed(state, by, cx)),

            C::Notify { what, origin } => Ok(notices::notify(state, what, Some(origin), cx)),
            C::Notices { before, limit } => notices::list(state, before, limit),
            C::ReadNotices { up_to } => notices::read(state, up_to),

            C::Attach { socket, most } => presence::attach(state, socket, most, cx),
            C::Detach { socket } => Ok(presence::detach(state, socket)),
            C::ClaimRoom(claim) => presence::claim(state, claim),
            C::ReleaseRoom { session } => Ok(presence::release(state, session)),
            C::FindRoom => Ok(Decision::reply(Reply::Room(state.live.room.clone()))),
        }
    }

    fn fold(state: &mut State, event: &Event) {
        match (event, &mut state.account) {
            (Event::SignedUp(account), none) => *none = Some(account.clone()),
            (Event::Live(change), _) => change.fold(&mut state.live),
            (_, None) => {}
            (Event::Access(change), Some(account)) => change.fold(account),
            (Event::Device(change), Some(account)) => change.fold(account),
            (Event::Profile(change), Some(account)) => change.fold(account),
            (Event::Invite(change), Some(account)) => change.fold(account),
            (Event::Notice(change), Some(account)) => change.fold(account),
            (Event::Follow(change), Some(account)) => change.fold(account),
        }
    }

    fn durable(event: &Event) -> bool {
        !matches!(event, Event::Live(_))
    }

    fn remembers(command: &Command) -> bool {
        matches!(command, Command::Invite { .. } | Command::GrantInvites { .. })
    }

    /// Sockets and the room are only known here: they must not be forgotten while they last.
    fn pinned(state: &State) -> bool {
        !state.live.sockets.is_empty() || state.live.room.is_some()
    }
}

#[cfg(test)]
mod tests;
