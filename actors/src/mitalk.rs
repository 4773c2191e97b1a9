//! The facade: everything that the edge may ask of the domain, as plain asynchronous calls.
//!
//! [`Mitalk`] is cheap to clone and decides nothing: decisions are the entities', reads come from the projections. Its
//! methods are grouped by family, one file each: [`auth`], [`account`], [`people`], [`invites`], [`operator`],
//! [`push`], [`sockets`]; rooms are [`Mitalk::rooms`]. A method may ask several entities one after the other; it can be cut off between any two of them, and then
//! the next request of the same person goes on where it stopped, because every step is idempotent.

pub mod account;
pub mod auth;
pub mod invites;
pub(crate) mod leaving;
mod number;
pub mod operator;
pub mod people;
pub mod push;
mod shown;
pub mod sockets;
mod start;
mod sunset;
mod waiting;

pub use start::{Parts, StartError};

use crate::budgets::Budget;
use crate::error::{Trouble, refusal};
use crate::id::{Home, UserId};
use crate::limits::Limits;
use crate::live::{Pump, Sockets};
use crate::metrics::Metrics;
use crate::ports::{AllowList, DeadLetters, EventSource, Push, Reads};
use crate::rooms::Rooms;
use crate::secrets::{Secrets, random};
use crate::supervise::Jobs;
use crate::user::{self, Summary, User};
use crate::waitlist::position::Positions;
use mitalk_cluster::{Call, Clock, Cluster};
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

/// The domain, running. Cheap to clone.
#[derive(Clone)]
pub struct Mitalk(Arc<Core>);

/// What all methods share.
pub struct Core {
    pub(crate) cluster: Cluster,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) reads: Arc<dyn Reads>,
    pub(crate) limits: Limits,
    pub(crate) secrets: Secrets,
    pub(crate) sockets: Arc<Sockets>,
    pub(crate) metrics: Metrics,
    pump: Arc<Pump>,
    rooms: Rooms,
    home: Home,
    homes: Vec<Home>,
    allow_list: Arc<dyn AllowList>,
    positions: Positions,
    /// One-time codes per address and hour.
    addresses: Budget<IpAddr>,
    /// One-time codes per block of numbers and day.
    blocks: Budget<Box<str>>,
    /// One-time codes per day.
    all_codes: Budget<()>,
    /// Archives of their data per person and day.
    exports: Budget<UserId>,
    phase: waiting::PhaseCache,
    push: Arc<dyn Push>,
    source: Arc<dyn EventSource>,
    letters: Arc<dyn DeadLetters>,
    sunset: sunset::SunsetCache,
    jobs: OnceLock<Jobs>,
}

impl Deref for Mitalk {
    type Target = Core;

    fn deref(&self) -> &Core {
        &self.0
    }
}

impl Mitalk {
    /// Everything about rooms.
    pub fn rooms(&self) -> &Rooms {
        &self.rooms
    }

    /// Of people, for operators: register them once.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The cluster underneath, for operations.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Whether everything that has to run on this node does; if not, it has to be restarted.
    pub fn is_supervised(&self) -> bool {
        self.rooms.are_supervised() && self.jobs.get().is_some_and(Jobs::are_supervised)
    }

    /// Closes all live sockets, ends the background work and drains the node.
    pub async fn stop(self) {
        for sink in self.sockets.all() {
            sink.close(crate::live::CloseReason::Restart);
        }
        if let Some(jobs) = self.jobs.get() {
            jobs.stop().await;
        }
        self.cluster.clone().shutdown().await;
    }

    /// Asks an account; its refusal becomes the family's error.
    async fn ask_user<E: From<Trouble> + From<user::Refusal>>(
        &self,
        user: UserId,
        command: user::Command,
        call: Call,
    ) -> Result<user::Reply, E> {
        match self.cluster.ask::<User>(&user.to_string(), command, call).await {
            Ok(reply) => Ok(reply),
            Err(error) => Err(refusal(error)?.into()),
        }
    }

    /// Asks an account something that it answers with all of itself.
    async fn ask_account<E: From<Trouble> + From<user::Refusal>>(
        &self,
        user: UserId,
        command: user::Command,
        call: Call,
    ) -> Result<Summary, E> {
        match self.ask_user::<E>(user, command, call).await? {
            user::Reply::Account(account) => Ok(*account),
            _ => Err(Trouble::Corrupt.into()),
        }
    }
}

/// 128 random bits for an id.
fn random_bits() -> u128 {
    u128::from_be_bytes(random())
}
