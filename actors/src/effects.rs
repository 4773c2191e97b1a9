//! What entities do after their commit, besides replying: text messages, words to live sockets, eviction, shutting out.
//!
//! Effects run in the entity's shell and must not block, so they only cast into bounded queues or spawn a bounded task. A
//! crash between commit and effect loses the effect: whoever needs more than that uses the outbox (shutting out does both). One-time codes are
//! effects on purpose, since they go out at most once.

use crate::forwarder;
use crate::id::{SocketId, UserId};
use crate::language::Language;
use crate::live::Cast;
use crate::metrics::Metrics;
use crate::mitalk::leaving::Wanted;
use crate::number::{PhoneKey, SealedNumber};
use crate::phone::{self, Phone};
use crate::ports::{EventKey, Message, Sms, SmsMessage};
use crate::secrets::{Secrets, random};
use crate::user::{self, SocketAt, Tell, User};
use mitalk_cluster::{Cluster, Effects, Entity, EntityId, NodeId, Stamp, wire};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use tokio::sync::{Semaphore, mpsc};

/// The service that every node has for its live sockets.
pub const LIVE: &str = "live";
/// Codes on their way to the provider at once; more are not sent, and the person asks again.
const CODES_UNDER_WAY: usize = 1_024;

/// The cluster, for effects that are registered before it starts. Unset only until `start` returns: nobody has asked for
/// anything then.
pub(crate) type Late = Arc<OnceLock<Cluster>>;

/// The effects of an entity type that has none.
#[derive(Clone, Copy, Debug)]
pub enum None {}

/// Runs no effects.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nothing;

impl<E: Entity<Effect = None>> Effects<E> for Nothing {
    fn run(&self, _id: &EntityId, _stamp: Stamp, _effects: Vec<None>) {}
}

/// Sends one-time codes.
pub(crate) struct Codes {
    pub(crate) sms: Arc<dyn Sms>,
    pub(crate) secrets: Secrets,
    pub(crate) metrics: Metrics,
    under_way: Arc<Semaphore>,
}

impl Codes {
    pub(crate) fn new(sms: Arc<dyn Sms>, secrets: Secrets, metrics: Metrics) -> Self {
        let under_way = Arc::new(Semaphore::new(CODES_UNDER_WAY));
        Self {
            sms,
            secrets,
            metrics,
            under_way,
        }
    }
}

impl Effects<Phone> for Codes {
    fn run(&self, id: &EntityId, _stamp: Stamp, effects: Vec<phone::Effect>) {
        for phone::Effect::SendCode {
            code,
            number,
            language,
        } in effects
        {
            if let Err(why) = self.send(&PhoneKey::from(&*id.key), code, &number, language) {
                self.metrics.code(false);
                tracing::error!(%why, "one-time code not sent");
            }
        }
    }
}

impl Codes {
    /// Hands a code to the provider, in a task of its own.
    fn send(
        &self,
        key: &PhoneKey,
        code: phone::Secret,
        number: &SealedNumber,
        language: Option<Language>,
    ) -> Result<(), String> {
        let to = self
            .secrets
            .open_number(key, number)
            .map_err(|error| error.to_string())?;
        let permit = self
            .under_way
            .clone()
            .try_acquire_owned()
            .map_err(|_| "too many are under way")?;
        let key = EventKey(format!("code/{:032x}", u128::from_be_bytes(random())));
        let message = SmsMessage {
            to,
            message: Message::Code { code: code.0 },
            language,
            key,
        };
        let (sms, metrics) = (self.sms.clone(), self.metrics.clone());
        tokio::spawn(async move {
            let sent = sms.send(message).await;
            metrics.code(sent.is_ok());
            if let Err(error) = sent {
                // Perhaps it was: nobody sends it a second time, and the person may ask for another one.
                tracing::warn!(%error, "one-time code perhaps not sent");
            }
            drop(permit);
        });
        Ok(())
    }
}

/// Tells nodes what concerns a person.
pub(crate) struct People {
    pub(crate) cluster: Late,
    /// Pages that accounts have to know which are being erased.
    pub(crate) wanted: mpsc::Sender<Wanted>,
}

impl Effects<User> for People {
    fn run(&self, id: &EntityId, _stamp: Stamp, effects: Vec<user::Effect>) {
        let (Some(cluster), Ok(user)) = (self.cluster.get(), id.key.parse::<UserId>()) else {
            return;
        };
        let cast = |node: &NodeId, cast: &Cast| cluster.cast_at(node, LIVE, wire::encode(cast));
        for effect in effects {
            match effect {
                user::Effect::Tell { sockets, tell } => tell_all(user, &sockets, &tell, &cast),
                user::Effect::Close(at) => cast(
                    &at.node,
                    &Cast::Close {
                        user,
                        socket: at.socket,
                    },
                ),
                user::Effect::Evict { claim, why } => forwarder::evict(cluster, user, &claim, why),
                user::Effect::ShutOut(device) => {
                    cluster
                        .nodes()
                        .iter()
                        .for_each(|at| cast(&at.node, &Cast::ShutOut { user, device }));
                }
                user::Effect::ShutOutAll(devices) => {
                    let said = Cast::ShutOutAll { user, devices };
                    cluster.nodes().iter().for_each(|at| cast(&at.node, &said));
                }
                // A full queue: the account's timer asks again.
                user::Effect::Read(page) => drop(self.wanted.try_send((user, page))),
                user::Effect::LetIn => {
                    cluster
                        .nodes()
                        .iter()
                        .for_each(|at| cast(&at.node, &Cast::LetIn { user }));
                }
            }
        }
    }
}

/// One cast for each node that holds some of the sockets.
fn tell_all(user: UserId, sockets: &[SocketAt], tell: &Tell, cast: &impl Fn(&NodeId, &Cast)) {
    let mut by_node = BTreeMap::<&NodeId, Vec<SocketId>>::new();
    for at in sockets {
        by_node.entry(&at.node).or_default().push(at.socket);
    }
    for (node, sockets) in by_node {
        cast(
            node,
            &Cast::Tell {
                user,
                sockets,
                tell: tell.clone(),
            },
        );
    }
}
