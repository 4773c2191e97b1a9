//! What is asked of an account, and what it answers.

use super::push::{Later, Settings, Subscription};
use super::{DeviceView, Origin, RoomClaim, SocketAt, SpentInvite, Summary, TakenPart};
use crate::id::{DeviceId, Home, InviteId, RoomId, SessionId, SocketId, UserId};
use crate::invite::{Invitee, Status};
use crate::number::{PhoneKey, SealedNumber};
use crate::person::{Notice, NoticeKind, Patch, Standing};
use mitalk_cluster::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

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
    /// As `NumberTaken`, from before accounts could have another number by then.
    LoseNumber,
    /// The number is another account's: this one lost a race that its claim was too late for.
    NumberTaken {
        /// Which: an account that has another one by now has lost nothing.
        phone: PhoneKey,
    },
    /// Another number was proven theirs, and is held for them.
    ChangeNumber {
        /// Its key.
        phone: PhoneKey,
        /// For messages.
        sealed: SealedNumber,
        /// Its last digits.
        hint: String,
        /// The claim ends then: not to be taken later.
        until: Timestamp,
    },

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
        /// What changes.
        patch: Box<Patch>,
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
    /// A room had them on its stage with somebody else: that earns invites.
    TakePart {
        /// Which.
        room: RoomId,
    },
    /// Lists the invites.
    Invites,

    /// Follows somebody, or no more.
    Follow {
        /// Whom.
        whom: UserId,
        /// Or no more.
        follows: bool,
        /// The read table says that they do: it knows of those that the account has long forgotten.
        listed: bool,
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

    /// A device of theirs is pushed to, there; a repeat replaces what was there.
    Subscribe {
        /// Which.
        device: DeviceId,
        /// Where; checked by the caller.
        to: Box<Subscription>,
    },
    /// It is no more.
    Unsubscribe {
        /// Which.
        device: DeviceId,
        /// Only if it is still this one: its push service says that it is gone.
        endpoint: Option<String>,
    },
    /// What is pushed, and when not.
    NoticeSettings,
    /// Other settings; checked by the caller.
    SetNoticeSettings {
        /// They.
        settings: Settings,
    },
    /// The time of a push has come, if it has.
    PushDue,
    /// What a push says by now, and to whom.
    Push {
        /// The first notice that it is about.
        from_seq: u64,
        /// The last one.
        up_to_seq: u64,
        /// Only there.
        device: Option<DeviceId>,
    },
    /// A push service did not take a push.
    PushLater {
        /// To this device.
        device: DeviceId,
        /// What it was about, and the tries before; its time counts for nothing.
        missed: Later,
        /// Not before so long.
        wait: Duration,
    },

    /// They want the account deleted.
    Leave {
        /// So long from now.
        after: Duration,
    },
    /// They want to keep it after all.
    Stay,
    /// The time of its deletion has come, if it has.
    Depart,
    /// The service ends: delete it now.
    Purge,
    /// All rows of this step of its deletion were delivered.
    Erase {
        /// Which.
        step: u64,
    },
    /// A page of people did not come.
    EraseAgain,
    /// A page of people who are to forget it.
    ErasePage {
        /// For which step.
        step: u64,
        /// By id, at most [`ERASED_AT_ONCE`](super::ERASED_AT_ONCE).
        people: Vec<UserId>,
        /// Who was looked at last: the next page is behind them, or else behind the last of `people`. Without either there
        /// are no more of this kind.
        #[serde(default)]
        last: Option<UserId>,
    },
    /// Somebody else's account was deleted.
    Forget {
        /// Whose.
        whom: UserId,
        /// This person follows them, as far as anybody knows.
        follows: bool,
    },
    /// A number believes to be this account's without ever having been claimed: is it?
    HoldsNumber {
        /// Which.
        phone: PhoneKey,
    },

    /// A live socket of theirs is on a node. Memory only.
    Attach {
        /// It.
        socket: SocketAt,
        /// Sockets of an account; the oldest makes room.
        most: usize,
        /// It was attached before, and the account may have forgotten it: nothing gives way to it.
        #[serde(default)]
        again: bool,
    },
    /// It is gone. Memory only, but for what has to be pushed now.
    Detach {
        /// Which.
        socket: SocketId,
        /// Nothing came from it for so long before its end: what it was told meanwhile may not have been seen.
        #[serde(default)]
        silent: Duration,
    },
    /// They are in this room, by this session. Memory only, and for [`CLAIM_LEASE`](super::CLAIM_LEASE): a session that goes
    /// on claims again.
    ClaimRoom {
        /// The place.
        claim: RoomClaim,
        /// Claimed before: so long after they came in. Of two sessions the one that came in later stays then; a first claim
        /// takes the place of any other.
        again: Option<Duration>,
    },
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
    /// So many invites are left to give.
    InvitesLeft(u32),
    /// All invites, newest first.
    Invites {
        /// They.
        invites: Vec<SpentInvite>,
        /// Left to give.
        left: u32,
        /// What they did to earn more.
        part: TakenPart,
    },
    /// Notices, newest first.
    Notices {
        /// They.
        notices: Vec<Notice<UserId>>,
        /// Older ones are in the table.
        more: bool,
    },
    /// What is pushed.
    NoticeSettings(Settings),
    /// To `Push`. No device: there is nothing to push.
    Push {
        /// Devices, and where they are.
        to: Vec<(DeviceId, Subscription)>,
        /// What about, oldest first.
        notices: Vec<Notice<UserId>>,
    },
    /// A room was claimed. [`Reply::Room`] instead: they are in that one since.
    Claimed {
        /// The claim that had to give way: its node has been told.
        evicted: Option<RoomClaim>,
    },
    /// The room they are in.
    Room(Option<RoomClaim>),
    /// To `Purge`.
    Gone(Gone),
}

/// How much of an account is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gone {
    /// It was deleted just now: follows are still being removed.
    Now,
    /// It was deleted before, and they still are.
    Before,
    /// Nothing is left.
    Altogether,
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// No account of this id.
    #[error("there is no such account")]
    NoAccount,
    /// It was deleted.
    #[error("the account was deleted")]
    Gone,
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
