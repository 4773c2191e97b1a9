//! Rights, what the media engine says of sessions, and the ways out.

use super::{Local, Message, refuse};
use crate::forwarder::node::Shared;
use crate::forwarder::protocol::Refusal;
use crate::forwarder::roster::{Link, Person};
use crate::id::{DeviceId, SessionId, UserId};
use crate::live::LiveMessage;
use crate::room::{Command, Cut, Out, Presence, Version};
use crate::rooms::LeftWhy;
use crate::user::{self, RoomClaim, User};
use mitalk_cluster::{AskError, Call};
use mitalk_media::{Gone, Rights, SessionEvent, SessionKey};
use std::time::Duration;
use tokio::time::Instant;

/// How long an account may take for a claim or a release.
const DEADLINE: Duration = Duration::from_secs(5);
/// Claims live in the accounts' memory only, so they are made again after this time.
const CLAIM_AGAIN: Duration = Duration::from_secs(60);
/// Claims made anew per tick.
const CLAIMS_PER_TICK: usize = 256;
/// Tries for a release: an account that hears of none goes on saying that the person is in the room.
const RELEASE_TRIES: usize = 3;

impl Local {
    pub(super) fn cut_of(&self, user: UserId) -> Option<Cut> {
        let hushed = self.roster.get(user).is_some_and(|person| person.hushed);
        let cut = self.cuts.get(&user).map(|(cut, _)| *cut);
        cut.or(hushed.then_some(Cut::Mute))
    }

    pub(super) fn rights(&self, user: UserId) -> Rights {
        self.replica
            .as_ref()
            .map_or(Rights::Listen, |replica| replica.rights(user, self.cut_of(user)))
    }

    /// Lets the engine enforce what the room says. A session that is gone without our hearing of it (while the forwarder
    /// was started again) is found out here.
    pub(super) fn set_rights(&mut self, user: UserId) {
        let Some(key) = self.roster.get(user).and_then(Person::live_key) else {
            return;
        };
        let set = self.shared.media.set_rights(key, self.rights(user));
        if set == Err(mitalk_media::Error::NoSuchSession) {
            self.lost(key);
        }
    }

    /// The session is gone; its place is kept for the grace.
    fn lost(&mut self, session: SessionKey) {
        let until = Instant::now() + Duration::from_secs(self.shared.limits.grace_s);
        self.shared.ledger.forget(session);
        self.linked(session, Link::Lost(until));
    }

    /// A right is taken away before it is committed; nobody is told before it is. A former home's cuts are refused.
    pub(super) fn cut(&mut self, at: Version, user: UserId, cut: Cut) {
        if self
            .replica
            .as_ref()
            .is_some_and(|replica| at.activation < replica.view.version.activation)
        {
            return;
        }
        self.cuts.insert(user, (cut, Instant::now()));
        match cut {
            Cut::Mute | Cut::MoveBack => self.set_rights(user),
            Cut::Out(Out::Removed) => self.expel(user, LeftWhy::Removed),
            Cut::Out(Out::Banned) => self.expel(user, LeftWhy::Banned),
        }
    }

    /// The home has decided about the mute of somebody who came without a token. Until the replica shows it, a cut holds.
    pub(super) fn hush_decided(&mut self, user: UserId) {
        if self.unhush(user) && self.has_open_microphone(user) {
            self.cuts.entry(user).or_insert((Cut::Mute, Instant::now()));
        }
    }

    /// True if they were hushed.
    pub(super) fn unhush(&mut self, user: UserId) -> bool {
        let Some(person) = self.roster.get_mut(user).filter(|person| person.hushed) else {
            return false;
        };
        person.hushed = false;
        self.shared.ledger.enter(self.room, person);
        true
    }

    /// By the replica.
    pub(super) fn has_open_microphone(&self, user: UserId) -> bool {
        let scene = self.replica.as_ref().map(|replica| &replica.view.scene);
        scene
            .and_then(|scene| scene.seat(user))
            .is_some_and(|seat| !seat.muted)
    }

    /// Who was put out by a change that only the view tells.
    pub(super) fn put_out_meanwhile(&self, user: UserId) -> Option<LeftWhy> {
        let (view, person) = (&self.replica.as_ref()?.view, self.roster.get(user)?);
        if view.scene.banned.contains(&user) {
            return Some(LeftWhy::Banned);
        }
        let later = |(who, at): &(UserId, Version)| *who == user && *at > person.since;
        view.passing.removed.iter().any(later).then_some(LeftWhy::Removed)
    }

    /// A cut acts before it is decided. Once the home has answered a report that was sent after it, it is decided, and at
    /// that version all that was taken has been told: what is left was refused, and is given back.
    pub(super) fn settle_cuts(&mut self) {
        let Some((sent, version)) = self.home.settled else {
            return;
        };
        if self
            .replica
            .as_ref()
            .is_none_or(|replica| replica.view.version < version)
        {
            return;
        }
        self.home.settled = None;
        let refused = self.cuts.iter().filter(|(_, (_, since))| *since < sent);
        for user in refused.map(|(user, _)| *user).collect::<Vec<_>>() {
            self.cuts.remove(&user);
            self.set_rights(user);
        }
    }

    /// Puts somebody out: their session is closed at once and their place is gone. The resume token of whoever was put out,
    /// or went elsewhere, is refused from now on; who left or was lost may show it and comes in anew.
    pub(super) fn expel(&mut self, user: UserId, why: LeftWhy) {
        self.put_out(user, why);
    }

    fn put_out(&mut self, user: UserId, why: LeftWhy) -> Option<Person> {
        // Who was lost may be coming back just now: their join goes on.
        if why != LeftWhy::LostConnection {
            self.cancel_join(user, None, why);
        }
        let person = self.forget(user)?;
        if matches!(why, LeftWhy::Removed | LeftWhy::Banned | LeftWhy::MovedDevice) {
            self.spent.add(person.generation);
            person
                .before
                .into_iter()
                .for_each(|before| self.spent.add(before));
        }
        self.tell_left(user, person.device, why);
        self.release(vec![(user, person.session)]);
        Some(person)
    }

    /// Somebody goes; the home is told if it has to know.
    pub(super) fn depart(&mut self, user: UserId, why: LeftWhy) {
        let Some(person) = self.put_out(user, why) else {
            return;
        };
        if self
            .replica
            .as_ref()
            .is_some_and(|replica| replica.view.scene.holds(user))
        {
            let node = self.shared.cluster().node().clone();
            let session = person.key.0;
            let presence = Presence { node, session };
            self.errand(Command::Leave { user, presence });
        }
    }

    /// Takes somebody from the roster and closes their session.
    fn forget(&mut self, user: UserId) -> Option<Person> {
        let person = self.roster.leave(user)?;
        self.shared.ledger.leave(self.room, user);
        self.shared.metrics.people.dec();
        if let Some(key) = person.live_key() {
            self.close_session(key);
        }
        Some(person)
    }

    pub(super) fn close_session(&self, key: SessionKey) {
        self.shared.ledger.forget(key);
        // Not there any more: so much the better.
        drop(self.shared.media.leave(key));
    }

    /// The room is over: everybody goes. The forwarder stays until it is idle, and says so to those who still ask.
    pub(super) fn end(&mut self) {
        self.shared.media.close_room(self.key);
        let everybody: Vec<_> = self.roster.users().collect();
        let mut sessions = Vec::with_capacity(everybody.len());
        for user in everybody {
            if let Some(person) = self.forget(user) {
                self.tell_left(user, person.device, LeftWhy::Ended);
                sessions.push((user, person.session));
            }
        }
        self.release(sessions);
        for socket in self.watchers.clear() {
            self.shared.ledger.unwatch(self.room, socket);
        }
        for arriving in std::mem::take(&mut self.arriving).into_values() {
            drop(arriving.reply.send(Err(Refusal::Ended)));
        }
        for message in std::mem::take(&mut self.waiting) {
            refuse(message, Refusal::Ended);
        }
    }

    pub(super) fn media(&mut self, event: SessionEvent) {
        match event {
            SessionEvent::Up { session } => {
                self.spend_token(session);
                self.linked(session, Link::There);
            }
            SessionEvent::Back { session } => self.linked(session, Link::There),
            SessionEvent::Silent { session } => self.linked(session, Link::Silent),
            SessionEvent::Gone { session, why } => {
                match why {
                    // A page that reloads says goodbye, too: its place is kept for the grace.
                    Gone::ClosedByPeer | Gone::Failed => self.lost(session),
                    Gone::GraceOver | Gone::NeverConnected | Gone::Removed => {
                        self.shared.ledger.forget(session);
                        if let Some(user) = self.roster.of_key(session) {
                            self.depart(user, LeftWhy::LostConnection);
                        }
                    }
                }
            }
        }
    }

    /// A token is used up once the client that showed it is connected, and so has its next one.
    fn spend_token(&mut self, session: SessionKey) {
        let person = self
            .roster
            .of_key(session)
            .and_then(|user| self.roster.get_mut(user));
        if let Some(before) = person.and_then(|person| person.before.take()) {
            self.spent.add(before);
        }
    }

    fn linked(&mut self, session: SessionKey, link: Link) {
        if let Some(user) = self.roster.set_link(session, link) {
            if let Some(person) = self.roster.get(user) {
                self.shared.ledger.enter(self.room, person);
            }
            self.reconcile(user);
        }
    }

    /// The home shows who on stage is away; it is told where that is not so any more.
    pub(super) fn reconcile(&mut self, user: UserId) {
        let (Some(replica), Some(person)) = (&self.replica, self.roster.get(user)) else {
            return;
        };
        let away = person.is_away();
        let shown = replica.view.passing.away.contains(&user);
        if replica.view.scene.seat(user).is_some() && shown != away {
            self.errand(Command::Away { user, away });
        }
    }

    pub(super) fn tick_people(&mut self, now: Instant) {
        for user in self.roster.overdue(now) {
            self.depart(user, LeftWhy::LostConnection);
        }
        let stage: Vec<_> = self
            .replica
            .iter()
            .flat_map(|replica| &replica.view.scene.stage)
            .copied()
            .collect();
        for seat in stage {
            if !seat.muted && self.roster.get(seat.user).is_some_and(|person| person.hushed) {
                self.errand(Command::Mute {
                    by: seat.user,
                    user: seat.user,
                });
            }
            self.reconcile(seat.user);
        }
        let old = |person: &&Person| {
            person
                .claimed
                .is_none_or(|at| now.duration_since(at) >= CLAIM_AGAIN)
        };
        let unclaimed = self.roster.people().filter(old).take(CLAIMS_PER_TICK);
        for user in unclaimed.map(|person| person.brief.id).collect::<Vec<_>>() {
            self.claim_again(user);
        }
    }

    /// Tells the account that the person is here. It orders the claims of a person's devices.
    pub(super) fn claim(&mut self, user: UserId) {
        let Some(claim) = self.claim_of(user) else { return };
        let shared = self.shared.clone();
        self.later(async move {
            Message::Claimed {
                user,
                session: claim.session,
                says: make(&shared, user, claim).await,
            }
        });
    }

    /// Makes a claim again that the account may have forgotten, unless it has a newer one: the word that this session
    /// has to go may have been lost.
    fn claim_again(&mut self, user: UserId) {
        let Some(claim) = self.claim_of(user) else { return };
        let shared = self.shared.clone();
        self.later(async move {
            let session = claim.session;
            let command = user::Command::FindRoom;
            let asked = shared
                .cluster()
                .ask::<User>(&user.to_string(), command, Call::within(DEADLINE))
                .await;
            let says = match asked {
                Ok(user::Reply::Room(Some(newer))) if newer.session != session => Claim::Elsewhere,
                Ok(user::Reply::Room(None)) => make(&shared, user, claim).await,
                Err(AskError::Refused(_)) => Claim::Refused,
                _ => Claim::Here,
            };
            Message::Claimed { user, session, says }
        });
    }

    fn claim_of(&mut self, user: UserId) -> Option<RoomClaim> {
        let node = self.shared.cluster().node().clone();
        let person = self.roster.get_mut(user)?;
        // Already now: a claim under way is not made twice.
        person.claimed = Some(Instant::now());
        Some(RoomClaim {
            room: self.room,
            session: person.session,
            device: person.device,
            node,
        })
    }

    /// A claim that got no answer counts until it is made again.
    pub(super) fn claimed(&mut self, user: UserId, session: SessionId, says: Claim) {
        if self
            .roster
            .get(user)
            .is_none_or(|person| person.session != session)
        {
            return;
        }
        match says {
            Claim::Here => {}
            Claim::Elsewhere => self.depart(user, LeftWhy::MovedDevice),
            Claim::Refused => self.depart(user, LeftWhy::Removed),
        }
    }

    /// Tells accounts that these sessions are over.
    fn release(&self, sessions: Vec<(UserId, SessionId)>) {
        if sessions.is_empty() {
            return;
        }
        let shared = self.shared.clone();
        tokio::spawn(async move {
            for (user, session) in sessions {
                for _ in 0..RELEASE_TRIES {
                    let command = user::Command::ReleaseRoom { session };
                    let call = Call::within(DEADLINE);
                    match shared
                        .cluster()
                        .ask::<User>(&user.to_string(), command, call)
                        .await
                    {
                        Err(error) if error.retryable() => {}
                        _ => break,
                    }
                }
            }
        });
    }

    /// The device's sockets learn that it is out, whether they watch or not.
    pub(super) fn tell_left(&mut self, user: UserId, device: DeviceId, why: LeftWhy) {
        for socket in self.watchers.take(user, device) {
            self.shared.ledger.unwatch(self.room, socket);
        }
        for sink in self
            .shared
            .sockets
            .of(user)
            .into_iter()
            .filter(|sink| sink.device() == device)
        {
            // A socket that is too slow closes, and asks when it is back.
            let _ = sink.send(LiveMessage::LeftRoom { room: self.room, why });
        }
    }
}

/// What an account says to a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::forwarder) enum Claim {
    Here,
    /// The person has joined elsewhere since.
    Elsewhere,
    /// The person may not be in rooms (any more).
    Refused,
}

async fn make(shared: &Shared, user: UserId, claim: RoomClaim) -> Claim {
    let command = user::Command::ClaimRoom(claim);
    match shared
        .cluster()
        .ask::<User>(&user.to_string(), command, Call::within(DEADLINE))
        .await
    {
        Err(AskError::Refused(_)) => Claim::Refused,
        _ => Claim::Here,
    }
}
