//! What people see: snapshots, the changes on their live sockets, and answers about who is here.

use super::home::names;
use super::{Local, Message};
use crate::forwarder::personal::{Shown, named_in};
use crate::forwarder::protocol::{Answer, Refusal, Sight};
use crate::forwarder::watchers::Watcher;
use crate::id::{SocketId, UserId};
use crate::live::{LiveMessage, LiveSink};
use crate::person::Brief;
use crate::room::Version;
use std::collections::BTreeSet;

/// Changes that wait for a name; more and everybody gets a snapshot instead.
const UNSHOWN: usize = 256;
/// People of the audience who are listed, the first by id; more are counted only.
const AUDIENCE_LISTED: usize = crate::ports::MANY;

impl Local {
    pub(super) fn watch(&mut self, sink: LiveSink, after: Option<Version>) -> Result<(), Refusal> {
        let user = sink.user();
        if !self.is_of_session(&sink) {
            return Err(Refusal::NotInRoom);
        }
        let Some(replica) = &self.replica else {
            return Err(Refusal::NotInRoom);
        };
        let missed = after
            .and_then(|after| replica.since(after))
            .map(Iterator::collect::<Vec<_>>);
        // Who became a moderator meanwhile sees more than the changes tell; and what the socket's queue cannot take at once
        // would close it, for its client to ask for the same again.
        let healed = missed
            .filter(|told| told.len() <= sink.free() && told.iter().all(|told| told.promoted != Some(user)));
        let shown = Shown::new(&replica.view, &self.names, &self.shared.links);
        let messages = match healed {
            Some(told) => told
                .into_iter()
                .map(|told| LiveMessage::Room {
                    room: self.room,
                    seq: told.version.as_u64(),
                    change: shown.change(told, user),
                })
                .collect(),
            None => vec![LiveMessage::RoomSnapshot(Box::new(shown.snapshot(user, true)))],
        };
        let seen = replica.view.version;
        if messages.into_iter().all(|message| sink.send(message).is_ok()) {
            let watcher = Watcher { sink, seen };
            self.shared.ledger.watch(self.room, &watcher);
            self.watchers.add(watcher);
        }
        Ok(())
    }

    /// Watching goes with the media session: who is put out must see nothing more, on none of their devices.
    pub(super) fn is_of_session(&self, sink: &LiveSink) -> bool {
        let person = self.roster.get(sink.user());
        person.is_some_and(|person| person.device == sink.device())
    }

    pub(super) fn unwatch(&mut self, socket: SocketId) {
        self.watchers.remove(socket);
        self.shared.ledger.unwatch(self.room, socket);
    }

    /// Shows the changes that wait, in order, as far as the names in them are known.
    pub(super) fn show(&mut self) {
        if self.unshown.len() > UNSHOWN {
            self.unshown.clear();
            self.show_everything();
        }
        while let Some(told) = self.unshown.front() {
            if named_in(&told.change).is_some_and(|user| !self.names.knows(user)) {
                self.look_names_up();
                return;
            }
            let (Some(told), Some(replica)) = (self.unshown.pop_front(), &self.replica) else {
                return;
            };
            let (room, view) = (self.room, &replica.view);
            let shown = Shown::new(view, &self.names, &self.shared.links);
            self.watchers.send(told.version, |user| {
                let seq = told.version.as_u64();
                let mut messages = vec![LiveMessage::Room {
                    room,
                    seq,
                    change: shown.change(&told, user),
                }];
                if told.promoted != Some(user) {
                    return (told.version, messages);
                }
                // A new moderator sees hands that went up before. What waits to be shown is in the snapshot already.
                messages.push(LiveMessage::RoomSnapshot(Box::new(shown.snapshot(user, true))));
                (view.version, messages)
            });
        }
    }

    /// Everybody gets the whole room.
    pub(super) fn show_everything(&mut self) {
        let Some(replica) = &self.replica else { return };
        let view = &replica.view;
        let shown = Shown::new(view, &self.names, &self.shared.links);
        self.watchers.send(view.version, |user| {
            let snapshot = shown.snapshot(user, true);
            (view.version, vec![LiveMessage::RoomSnapshot(Box::new(snapshot))])
        });
    }

    fn look_names_up(&mut self) {
        if self.naming {
            return;
        }
        let unknown = self.unshown.iter().filter_map(|told| named_in(&told.change));
        let asked: BTreeSet<_> = unknown.filter(|user| !self.names.knows(*user)).collect();
        let asked: Vec<_> = asked.into_iter().collect();
        self.naming = true;
        let reads = self.shared.reads.clone();
        self.later(async move {
            let found = names(&*reads, &asked).await;
            Message::Named { asked, found }
        });
    }

    /// People without a profile, or whose profile cannot be read now, are shown by their id alone.
    pub(super) fn named(&mut self, asked: &[UserId], found: Vec<Brief>) {
        self.naming = false;
        for user in asked {
            self.names.learn(Brief::unknown(*user));
        }
        for brief in found {
            self.names.learn(brief);
        }
        self.show();
    }

    /// Keeps only names that are needed.
    pub(super) fn tick_names(&mut self) {
        let Some(replica) = &self.replica else { return };
        let (scene, roster, unshown) = (&replica.view.scene, &self.roster, &self.unshown);
        let waits = |user| unshown.iter().any(|told| named_in(&told.change) == Some(user));
        self.names
            .retain(|user| roster.has(user) || scene.holds(user) || waits(user));
    }

    pub(super) fn snapshot_for(&self, user: UserId) -> Result<Answer, Refusal> {
        let replica = self.replica.as_ref().ok_or(Refusal::NotInRoom)?;
        if !self.roster.has(user) {
            return Err(Refusal::NotInRoom);
        }
        let shown = Shown::new(&replica.view, &self.names, &self.shared.links);
        Ok(Answer::Snapshot(Box::new(shown.snapshot(user, true))))
    }

    pub(super) fn sight(&self, user: UserId) -> Result<Answer, Refusal> {
        let scene = &self.replica.as_ref().ok_or(Refusal::NotInRoom)?.view.scene;
        Ok(Answer::Sight(Sight {
            role: self.roster.has(user).then(|| scene.role(user)),
            stage: scene.stage.iter().map(|seat| seat.user).collect(),
            hands: scene.hands.iter().map(|hand| hand.user).collect(),
            hand_raising: scene.settings.hand_raising,
        }))
    }

    pub(super) fn audience(&self) -> Vec<UserId> {
        let scene = self.replica.as_ref().map(|replica| &replica.view.scene);
        let listens = |user: &UserId| scene.is_none_or(|scene| scene.seat(*user).is_none());
        self.roster
            .users()
            .filter(listens)
            .take(AUDIENCE_LISTED)
            .collect()
    }

    pub(super) fn audience_count(&self) -> u32 {
        let stage = self.replica.iter().flat_map(|replica| &replica.view.scene.stage);
        let on_stage = stage.filter(|seat| self.roster.has(seat.user)).count();
        u32::try_from(self.roster.len() - on_stage).unwrap_or(u32::MAX)
    }
}
