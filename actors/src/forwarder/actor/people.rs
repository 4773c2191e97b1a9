//! Rights, what the media engine says of sessions, and the ways out.

use super::{Local, Message, refuse};
use crate::forwarder::claims::{self, Says};
use crate::forwarder::protocol::Refusal;
use crate::forwarder::roster::{Link, Person};
use crate::id::{DeviceId, SessionId, UserId};
use crate::room::{Command, Cut, Out, Presence, Version};
use crate::rooms::LeftWhy;
use crate::user::RoomClaim;
use mitalk_media::{Gone, Rights, SessionEvent, SessionKey};
use std::time::Duration;
use tokio::time::Instant;

/// Claims made anew per tick.
const CLAIMS_PER_TICK: usize = 256;

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
        claims::release(&self.shared, vec![(user, person.session)]);
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
        claims::release(&self.shared, sessions);
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
        let due = |person: &&Person| person.claim_due.is_none_or(|at| at <= now);
        let due = self.roster.people().filter(due).take(CLAIMS_PER_TICK);
        for user in due.map(|person| person.brief.id).collect::<Vec<_>>() {
            self.make_claim(user, true);
        }
    }

    /// Tells the account that the person is here.
    pub(super) fn claim(&mut self, user: UserId) {
        self.make_claim(user, false);
    }

    fn make_claim(&mut self, user: UserId, again: bool) {
        let Some((claim, since)) = self.claim_of(user) else {
            return;
        };
        let shared = self.shared.clone();
        self.later(async move {
            let session = claim.session;
            let again = again.then(|| since.elapsed());
            let says = claims::make(&shared, user, claim, again).await;
            Message::Claimed { user, session, says }
        });
    }

    fn claim_of(&mut self, user: UserId) -> Option<(RoomClaim, Instant)> {
        let node = self.shared.cluster().node().clone();
        let person = self.roster.get_mut(user)?;
        // Already now: a claim under way is not made twice.
        person.claim_due = Some(Instant::now() + claims::AGAIN);
        let claim = RoomClaim {
            room: self.room,
            session: person.session,
            device: person.device,
            node,
        };
        Some((claim, person.came))
    }

    pub(super) fn claimed(&mut self, user: UserId, session: SessionId, says: Says) {
        let Some(person) = self
            .roster
            .get_mut(user)
            .filter(|person| person.session == session)
        else {
            return;
        };
        match says {
            Says::Here => {}
            Says::Nothing => person.claim_due = Some(Instant::now() + claims::RETRY),
            // As when the account tells it: the home must not hear that they left.
            Says::Elsewhere { within: true } => self.expel(user, LeftWhy::MovedDevice),
            Says::Elsewhere { within: false } => self.depart(user, LeftWhy::MovedDevice),
            Says::Refused => self.depart(user, LeftWhy::Removed),
        }
    }

    /// The device's sockets learn that it is out, whether they watch or not.
    pub(super) fn tell_left(&mut self, user: UserId, device: DeviceId, why: LeftWhy) {
        for socket in self.watchers.take(user, device) {
            self.shared.ledger.unwatch(self.room, socket);
        }
        self.shared.tell_left(self.room, user, device, why);
    }
}
