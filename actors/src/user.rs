//! A person's account: standing, profile, devices, invites, notices; and, in memory only, live sockets and the room they
//! are in.
//!
//! It is the arbiter of everything that is "once per person": which invite they came in by, which ticket is theirs, which
//! room and device they are in. Other entities send it commands that are idempotent by state, so their repeats do no harm.
//! What grows without bound (followers, old notices) is rows in read tables, each written by this entity alone.
//!
//! Invariants: quota and spent invites change together, so `left + pending + kept` is what was given; the newest notice's
//! sequence never falls; at most one claimed room, by a device of an account in use. Commands of a family are decided in its file.
//!
//! Blocks and cards are not here yet.

mod access;
mod command;
mod devices;
mod earning;
mod follows;
mod invites;
mod leaving;
mod notices;
mod number;
mod presence;
mod profile;
pub mod push;
mod state;

pub use command::{Admitted, Command, Gone, Refusal, Reply};
pub use devices::{DeviceView, TOKEN_HISTORY};
pub use earning::{ACCEPTED_PER_INVITE, EARNED_MOST, ROOMS_PER_INVITE, TakenPart, earned, rooms_to_next};
pub use invites::SpentInvite;
pub use leaving::{ERASED_AT_ONCE, Page, Whom};
pub use notices::{KEPT_NOTICES, Origin};
pub use presence::{CLAIM_LEASE, Evicted, RoomClaim, SocketAt};
pub use state::{Account, Live, State, Summary};

use crate::id::{DeviceId, UserId};
use crate::person::Notice;
use mitalk_cluster::{Context, Decision, Entity, Timer};
use serde::{Deserialize, Serialize};

/// The entity type; its key is the user's id.
pub enum User {}

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
    /// Pushes.
    Push(push::Change),
    /// Whom they followed lately.
    Follow(follows::Change),
    /// Another number.
    Number(number::Change),
    /// Leaving.
    Leaving(leaving::Change),
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
    /// The session of a claim leaves its room.
    Evict {
        /// Which.
        claim: RoomClaim,
        /// Why.
        why: Evicted,
    },
    /// All nodes refuse a device from now on.
    ShutOut(DeviceId),
    /// All nodes refuse the account from now on, and these devices also when it is let in again.
    ShutOutAll(Vec<DeviceId>),
    /// All nodes let the account in again.
    LetIn,
    /// Reads a page of people for an account that is being erased.
    Read(Page),
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
            C::NumberTaken { phone } => Ok(access::number_taken(state, &phone, cx)),
            C::ChangeNumber {
                phone,
                sealed,
                hint,
                until,
            } => number::change(state, access::Number { phone, sealed, hint }, until, cx),

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
            C::RevokeDevice { device } => devices::revoke(state, device, cx),
            C::Devices => Ok(Decision::reply(Reply::Devices(devices::list(state.account()?)))),

            C::Describe { patch } => profile::describe(state, *patch, cx),
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
            C::TakePart { room } => Ok(earning::take_part(state, room)),
            C::Invites => invites::list(state),

            C::Follow {
                whom,
                follows,
                listed,
            } => follows::follow(state, whom, follows, listed, cx),
            C::Followed { by } => Ok(follows::followed(state, by, cx)),

            C::Notify { what, origin } => Ok(notices::notify(state, what, Some(origin), cx)),
            C::Notices { before, limit } => notices::list(state, before, limit),
            C::ReadNotices { up_to } => notices::read(state, up_to, cx),

            C::Subscribe { device, to } => push::subscribe(state, device, *to),
            C::Unsubscribe { device, endpoint } => push::unsubscribe(state, device, endpoint.as_deref()),
            C::NoticeSettings => push::settings(state),
            C::SetNoticeSettings { settings } => push::set(state, settings, cx),
            C::PushDue => Ok(push::due(state, cx)),
            C::Push {
                from_seq,
                up_to_seq,
                device,
            } => Ok(push::push(state, from_seq, up_to_seq, device, cx)),
            C::PushLater { device, missed, wait } => Ok(push::later(state, device, missed, wait, cx)),

            C::Leave { after } => leaving::leave(state, after, cx),
            C::Stay => leaving::stay(state, cx),
            C::Depart => Ok(leaving::depart(state, cx)),
            C::Purge => Ok(leaving::purge(state, cx)),
            C::Erase { step } => Ok(leaving::erase(state, step, cx)),
            C::EraseAgain => Ok(leaving::erase_again(state, cx)),
            C::ErasePage { step, people, last } => Ok(leaving::erase_page(state, step, &people, last, cx)),
            C::Forget { whom, follows } => Ok(leaving::forget(state, whom, follows, cx)),
            C::HoldsNumber { phone } => Ok(leaving::holds_number(state, &phone, cx)),

            C::Attach { socket, most, again } => presence::attach(state, socket, most, again, cx),
            C::Detach { socket, silent } => Ok(presence::detach(state, socket, silent, cx)),
            C::ClaimRoom { claim, again } => presence::claim(state, claim, again, cx),
            C::ReleaseRoom { session } => Ok(presence::release(state, session)),
            C::FindRoom => presence::find(state, cx),
        }
    }

    fn fold(state: &mut State, event: &Event) {
        if let Event::Leaving(change) = event {
            return change.fold(state);
        }
        match (event, &mut state.account) {
            (Event::SignedUp(account), none) => *none = Some(account.clone()),
            (Event::Live(change), _) => change.fold(&mut state.live),
            (Event::Leaving(_), _) | (_, None) => {}
            (Event::Access(change), Some(account)) => change.fold(account),
            (Event::Number(change), Some(account)) => change.fold(account),
            (Event::Device(change), Some(account)) => change.fold(account),
            (Event::Profile(change), Some(account)) => change.fold(account),
            (Event::Invite(change), Some(account)) => change.fold(account),
            (Event::Notice(change), Some(account)) => change.fold(account),
            (Event::Push(change), Some(account)) => change.fold(account),
            (Event::Follow(change), Some(account)) => change.fold(account),
        }
    }

    fn durable(event: &Event) -> bool {
        !matches!(event, Event::Live(_))
    }

    fn timers(state: &State) -> Vec<Timer> {
        let push = push::timers(state);
        leaving::timers(state).into_iter().chain(push).collect()
    }

    fn on_timer(name: &str) -> Option<Command> {
        leaving::on_timer(name).or_else(|| push::on_timer(name))
    }

    fn remembers(command: &Command) -> bool {
        matches!(command, Command::Invite { .. } | Command::GrantInvites { .. })
    }

    /// Sockets are only known here: they must not be forgotten while they last. The claim of a room keeps nothing in memory:
    /// as long as its session lasts it is made again more often than an idle account is forgotten.
    fn pinned(state: &State) -> bool {
        !state.live.sockets.is_empty()
    }
}

#[cfg(test)]
mod tests;
