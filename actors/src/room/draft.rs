//! A decision while it is made: changes are folded at once, so later ones see earlier ones, and what follows from all of
//! them is settled at the end, in one place for every command.
//!
//! What follows: somebody on stage always moderates; an empty stage starts its clock; the hallway's row changes with
//! what it shows; forwarders are told every change once, in order.

use super::scene::{Change, HandDown, Role, Scene, Seat};
use super::state::{Event, State};
use super::{Card, Effect, Reply, Room};
use crate::events::{Actor, Audit, Message as _, Notices};
use crate::id::UserId;
use crate::tables;
use crate::user::{self, User};
use mitalk_cluster::{Context, Decision, Outgoing, Timestamp};

/// See the [module](self).
pub(super) struct Draft<'a> {
    before: &'a State,
    state: State,
    now: Timestamp,
    events: Vec<Event>,
    outbox: Vec<Outgoing>,
    effects: Vec<Effect>,
    told: Vec<(super::Version, Change)>,
}

impl<'a> Draft<'a> {
    /// The first decision of an activation commits that activation, before anything is told under its number.
    pub(super) fn new(before: &'a State, cx: &Context) -> Self {
        let mut draft = Self {
            before,
            state: before.clone(),
            now: cx.now,
            events: vec![],
            outbox: vec![],
            effects: vec![],
            told: vec![],
        };
        if before.live_scene().is_some() && !before.is_active() {
            draft.event(Event::Activated);
            draft.effects.push(Effect::Keep);
        }
        draft
    }

    /// The state with everything so far.
    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// The seat of somebody, by everything so far.
    fn seat(&self, user: UserId) -> Option<Seat> {
        self.state.scene()?.seat(user).copied()
    }

    pub(super) fn event(&mut self, event: Event) {
        self.state.fold(&event);
        self.events.push(event);
    }

    pub(super) fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Something that forwarders are told.
    pub(super) fn change(&mut self, change: Change) {
        self.event(Event::Changed(change.clone()));
        self.told.push((self.state.version(), change));
    }

    /// Takes from somebody whatever they hold.
    pub(super) fn release(&mut self, user: UserId) {
        let Some(scene) = self.state.scene() else { return };
        let (hand, invited) = (scene.hand(user).is_some(), scene.invitation(user).is_some());
        if self.seat(user).is_some() {
            self.change(Change::Unseated(user));
        }
        if hand {
            self.change(Change::HandDown(user, HandDown::Lowered));
        }
        if invited {
            self.change(Change::Uninvited(user));
        }
    }

    /// For operators.
    pub(super) fn audit(&mut self, by: Actor, action: &str, user: Option<UserId>) {
        let Some(scene) = self.state.scene() else { return };
        let audit = Audit::new(by, action).room(scene.room);
        let audit = user.into_iter().fold(audit, Audit::user);
        self.outbox.push(audit.outgoing());
    }

    /// For people who are to be told, in the room or not.
    pub(super) fn notice(&mut self, notice: &Notices) {
        self.outbox.push(notice.outgoing());
    }

    /// Tells an account that its owner was on stage here, not alone.
    pub(super) fn took_part(&mut self, user: UserId) {
        let Some(scene) = self.state.scene() else { return };
        let command = user::Command::TakePart { room: scene.room };
        self.outbox
            .push(Outgoing::to::<User>(&user.to_string(), &command));
    }

    /// Nothing more to say than that it is done.
    pub(super) fn done(self) -> Decision<Room> {
        self.finish(|_| Reply::Done { hand: None })
    }

    /// Settles what follows, and answers with a look at the final state.
    pub(super) fn finish(mut self, reply: impl FnOnce(&State) -> Reply) -> Decision<Room> {
        self.settle_moderator();
        self.settle_empty_stage();
        self.settle_listing();
        if !self.told.is_empty() {
            let changes = std::mem::take(&mut self.told);
            self.effects.push(Effect::Tell {
                to: self.state.told(),
                changes,
            });
        }
        Decision {
            reply: reply(&self.state),
            events: self.events,
            outbox: self.outbox,
            effects: self.effects,
        }
    }

    /// The row goes out before events: who hears of them may look for it.
    fn first(&mut self, row: tables::LiveRoom) {
        self.outbox.insert(0, tables::Change::LiveRoom(row).outgoing());
    }

    /// The longest on stage whose network is there, else the longest on stage.
    fn settle_moderator(&mut self) {
        let Some(scene) = self.state.live_scene() else {
            return;
        };
        if scene.stage.is_empty() || scene.moderators().next().is_some() {
            return;
        }
        let present = scene.stage.iter().find(|seat| !self.state.is_away(seat.user));
        if let Some(heir) = present.or(scene.stage.first()).copied() {
            self.change(Change::Seated(Seat {
                role: Role::Moderator,
                ..heir
            }));
        }
    }

    fn settle_empty_stage(&mut self) {
        let Some(scene) = self.state.live_scene() else {
            return;
        };
        match (scene.stage.is_empty(), self.state.empty_since()) {
            (true, None) => self.event(Event::StageEmpty(Some(self.now))),
            (false, Some(_)) => self.event(Event::StageEmpty(None)),
            _ => {}
        }
    }

    fn settle_listing(&mut self) {
        let Some(scene) = self.state.scene() else { return };
        let ended_before = self.before.scene().is_some_and(|before| before.ended);
        if scene.ended {
            if !ended_before {
                let row = tables::LiveRoom::Remove { room: scene.room };
                self.first(row);
                self.effects.extend([Effect::List(None), Effect::Release]);
            }
            return;
        }
        let row_changed = self
            .before
            .scene()
            .is_none_or(|before| !looks_same(before, scene));
        let size_changed = self.before.told_audience() != self.state.told_audience();
        let taken_over = !self.before.is_active();
        if row_changed || size_changed || taken_over {
            let card = Box::new(Card::of(scene, self.state.version(), self.state.told_audience()));
            if row_changed {
                let row = tables::LiveRoom::Put(card.clone());
                self.first(row);
            }
            self.effects.push(Effect::List(Some(card)));
        }
    }
}

/// To the hallway, which does not show who is muted.
fn looks_same(before: &Scene, after: &Scene) -> bool {
    let seats = |scene: &Scene| {
        scene
            .stage
            .iter()
            .map(|seat| (seat.user, seat.role))
            .collect::<Vec<_>>()
    };
    before.settings == after.settings && before.pinged == after.pinged && seats(before) == seats(after)
}

/// A person as the doer of something, for the audit.
pub(super) fn by(user: UserId) -> Actor {
    Actor::User(user)
}
