//! The state of a room and its events.
//!
//! `#[serde(skip)]` is the border between what is committed and what lives only as long as the activation.

use super::Presence;
use super::To;
use super::limits::{Limits, REMOVALS_REMEMBERED};
use super::scene::{Change, Passing, Scene, Seat, Version, View, apply};
use crate::id::UserId;
use mitalk_cluster::{NodeId, RequestId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// Whoever holds something in the room and is not reported by any forwarder for so many ticks has left. With the
/// [usual tick](crate::limits::Rooms::tick_ms) this is 30 s. Ticks are counted instead of reading a clock: wall clocks jump.
pub const UNSEEN_TICKS: u32 = 6;
/// For so many ticks after an activation every node is told what changes: forwarders register with their next heartbeat.
const SETTLING_TICKS: u32 = 2;

/// The state of a room. The default is a room that was never opened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// How often the entity was activated since the room was opened.
    activations: u32,
    /// Absent: never opened.
    opened: Option<Opened>,
    #[serde(skip)]
    live: Live,
}

/// The committed part of a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Opened {
    scene: Scene,
    limits: Limits,
    /// The next stage number.
    next_number: u32,
    /// Since when the stage is empty.
    empty_since: Option<Timestamp>,
}

/// The volatile part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Live {
    /// This activation was committed.
    active: bool,
    sequence: u32,
    passing: Passing,
    forwarders: BTreeMap<NodeId, Forwarder>,
    /// Requests to remove somebody, oldest first: a repeat is none.
    removals: VecDeque<RequestId>,
    /// By which session whoever holds something was last reported.
    present: BTreeMap<UserId, Presence>,
    /// Ticks since somebody who holds something was heard of.
    unseen: BTreeMap<UserId, u32>,
    /// When the audience's size was last told.
    audience_told: Timestamp,
    ticks: u32,
}

/// What the home knows of a forwarder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Forwarder {
    audience: u32,
    /// Ticks since its last heartbeat.
    unseen: u32,
}

/// What happened. Folded, never stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The room exists; nobody is on stage yet.
    Opened(Box<Scene>, Limits),
    /// The first decision of an activation.
    Activated,
    /// Something that forwarders are told.
    Changed(Change),
    /// The stage is empty since then, or is not.
    StageEmpty(Option<Timestamp>),
    /// Somebody was removed by this request.
    Removed(RequestId),
    /// A forwarder registered.
    Registered(NodeId),
    /// A forwarder's heartbeat.
    Reported {
        /// Its node.
        node: NodeId,
        /// Its people who are not on stage.
        audience: u32,
        /// Its people who hold something, with their sessions.
        holders: Vec<(UserId, u64)>,
    },
    /// A forwarder is gone.
    Parted(NodeId),
    /// Somebody did something and so is there.
    Seen(UserId),
    /// The audience's size was told.
    AudienceTold(Timestamp),
    /// A tick.
    Ticked,
}

impl Event {
    /// False for what touches only the volatile part.
    pub(super) fn durable(&self) -> bool {
        match self {
            Self::Opened(..) | Self::Activated | Self::StageEmpty(_) => true,
            Self::Changed(change) => change.durable(),
            Self::Removed(_)
            | Self::Registered(_)
            | Self::Reported { .. }
            | Self::Parted(_)
            | Self::Seen(_)
            | Self::AudienceTold(_)
            | Self::Ticked => false,
        }
    }
}

impl State {
    pub(super) fn fold(&mut self, event: &Event) {
        match event {
            Event::Opened(scene, limits) => {
                self.opened = Some(Opened {
                    scene: (**scene).clone(),
                    limits: limits.clone(),
                    next_number: 1,
                    empty_since: None,
                });
            }
            Event::Activated => {
                self.activations += 1;
                self.live = Live {
                    active: true,
                    ..Live::default()
                };
            }
            Event::Changed(change) => self.change(change),
            Event::StageEmpty(since) => {
                if let Some(opened) = &mut self.opened {
                    opened.empty_since = *since;
                }
            }
            Event::Removed(request) => {
                if self.live.removals.len() >= REMOVALS_REMEMBERED {
                    self.live.removals.pop_front();
                }
                self.live.removals.push_back(*request);
            }
            Event::Registered(node) => {
                // A process of before may have had the same name: its numbers are not this one's.
                self.live.present.retain(|_, presence| presence.node != *node);
                self.live.forwarders.entry(node.clone()).or_default().unseen = 0;
            }
            Event::Reported {
                node,
                audience,
                holders,
            } => {
                self.live.forwarders.insert(
                    node.clone(),
                    Forwarder {
                        audience: *audience,
                        unseen: 0,
                    },
                );
                for (holder, session) in holders {
                    self.live.unseen.remove(holder);
                    let (node, session) = (node.clone(), *session);
                    self.live.present.insert(*holder, Presence { node, session });
                }
            }
            Event::Parted(node) => {
                self.live.forwarders.remove(node);
                self.live.present.retain(|_, presence| presence.node != *node);
            }
            Event::Seen(user) => {
                self.live.unseen.remove(user);
            }
            Event::AudienceTold(at) => self.live.audience_told = *at,
            Event::Ticked => self.tick(),
        }
    }

    fn change(&mut self, change: &Change) {
        let Some(opened) = &mut self.opened else { return };
        if let Change::Seated(seat) = change {
            opened.next_number = opened.next_number.max(seat.number + 1);
        }
        self.live.sequence += 1;
        let version = Version {
            activation: self.activations,
            sequence: self.live.sequence,
        };
        apply(&mut opened.scene, &mut self.live.passing, version, change);
    }

    fn tick(&mut self) {
        self.live.ticks = self.live.ticks.saturating_add(1);
        for forwarder in self.live.forwarders.values_mut() {
            forwarder.unseen += 1;
        }
        let before = std::mem::take(&mut self.live.unseen);
        let holders = self.opened.iter().flat_map(|opened| opened.scene.holders());
        self.live.unseen = holders
            .map(|user| (user, before.get(&user).map_or(1, |ticks| ticks + 1)))
            .collect();
        let Live { present, unseen, .. } = &mut self.live;
        present.retain(|user, _| unseen.contains_key(user));
    }

    /// The room, unless it was never opened or is over.
    pub(super) fn live_scene(&self) -> Option<&Scene> {
        self.scene().filter(|scene| !scene.ended)
    }

    /// The room, unless it was never opened.
    pub fn scene(&self) -> Option<&Scene> {
        self.opened.as_ref().map(|opened| &opened.scene)
    }

    /// The bounds it was opened with.
    pub(super) fn limits(&self) -> Option<&Limits> {
        self.opened.as_ref().map(|opened| &opened.limits)
    }

    /// The version of the last change.
    pub fn version(&self) -> Version {
        Version {
            activation: self.activations,
            sequence: self.live.sequence,
        }
    }

    /// Everything that a forwarder needs.
    pub(super) fn view(&self) -> Option<View> {
        let scene = self.scene()?.clone();
        Some(View {
            version: self.version(),
            scene,
            passing: self.live.passing.clone(),
        })
    }

    /// Whether this activation was committed.
    pub(super) fn is_active(&self) -> bool {
        self.live.active
    }

    /// The seat that somebody who comes on stage gets.
    pub(super) fn new_seat(&self, user: UserId, role: super::Role) -> Option<Seat> {
        let number = self.opened.as_ref()?.next_number;
        Some(Seat {
            user,
            role,
            number,
            muted: true,
        })
    }

    /// Since when the stage is empty.
    pub(super) fn empty_since(&self) -> Option<Timestamp> {
        self.opened.as_ref()?.empty_since
    }

    /// When a room with an empty stage ends.
    pub(super) fn empty_stage_due(&self) -> Option<Timestamp> {
        self.live_scene()?;
        Some(self.empty_since()? + self.limits()?.empty_stage)
    }

    /// Whether the network of somebody on stage is gone.
    pub(super) fn is_away(&self, user: UserId) -> bool {
        self.live.passing.away.contains(&user)
    }

    /// Whether this activation has removed somebody by that request.
    pub(super) fn has_removed(&self, request: Option<RequestId>) -> bool {
        request.is_some_and(|request| self.live.removals.contains(&request))
    }

    /// Whether somebody was reported by a newer session than this one, or by another node's.
    pub(super) fn is_back_since(&self, user: UserId, gone: &Presence) -> bool {
        let newest = self.live.present.get(&user);
        newest.is_some_and(|newest| newest.node != gone.node || newest.session > gone.session)
    }

    /// Which nodes are told what changes.
    pub(super) fn told(&self) -> To {
        if self.live.ticks < SETTLING_TICKS {
            To::Everybody
        } else {
            To::Nodes(self.live.forwarders.keys().cloned().collect())
        }
    }

    /// Whether that forwarder registered with this activation.
    pub(super) fn knows(&self, node: &NodeId) -> bool {
        self.live.forwarders.contains_key(node)
    }

    /// The audience by the forwarders' last heartbeats.
    pub(super) fn counted_audience(&self) -> u32 {
        self.live
            .forwarders
            .values()
            .map(|forwarder| forwarder.audience)
            .fold(0, u32::saturating_add)
    }

    /// The audience as it was last told.
    pub(super) fn told_audience(&self) -> u32 {
        self.live.passing.audience
    }

    /// When it was.
    pub(super) fn audience_told(&self) -> Timestamp {
        self.live.audience_told
    }

    /// Forwarders that have not been heard of for too long.
    pub(super) fn lost_forwarders(&self) -> Vec<NodeId> {
        let lost = self
            .live
            .forwarders
            .iter()
            .filter(|(_, forwarder)| forwarder.unseen >= UNSEEN_TICKS);
        lost.map(|(node, _)| node.clone()).collect()
    }

    /// People who hold something and whom no forwarder has reported for too long.
    pub(super) fn lost_people(&self) -> Vec<UserId> {
        let lost = self
            .live
            .unseen
            .iter()
            .filter(|(_, ticks)| **ticks >= UNSEEN_TICKS);
        lost.map(|(user, _)| *user).collect()
    }
}
