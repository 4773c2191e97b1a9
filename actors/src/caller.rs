//! Who asks, and how long they wait.

use crate::id::{DeviceId, UserId};
use crate::language::Language;
use crate::person::Standing;
use mitalk_cluster::{BootInstant, Call, RequestId, Trace};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// A signed-in person on a device, as the edge read it from a valid access token.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub user: UserId,
    /// On which device.
    pub device: DeviceId,
    /// As the token says. An active person is trusted to be (suspension travels by the revocation list, see
    /// `Mitalk::revoked`); a waiting one may have been admitted since: the account itself decides.
    pub standing: Standing,
    /// Recognises a repeat of what creates or spends.
    pub request: Option<RequestId>,
    /// How long the answer is waited for.
    pub deadline: Duration,
    /// Passed on to all that follows.
    pub trace: Trace,
}

impl Caller {
    /// How the caller's command is to be carried out.
    pub fn call(&self) -> Call {
        Call {
            deadline: self.deadline,
            request: self.request,
            trace: self.trace.clone(),
        }
    }

    /// The same for a command that nobody repeats by request id.
    pub fn plain_call(&self) -> Call {
        Call {
            deadline: self.deadline,
            request: None,
            trace: self.trace.clone(),
        }
    }
}

/// Whom an address stands for where people are counted by it: an IPv6 address for its /64, which is what one customer has.
pub fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// Somebody who is not signed in (yet).
#[derive(Clone, Debug)]
pub struct Stranger {
    /// Where from, for budgets.
    pub address: IpAddr,
    /// What they asked to be written in, if we write it.
    pub language: Option<Language>,
    /// How long the answer is waited for.
    pub deadline: Duration,
    /// Passed on to all that follows.
    pub trace: Trace,
}

impl Stranger {
    /// How the stranger's command is to be carried out.
    pub fn call(&self) -> Call {
        Call {
            deadline: self.deadline,
            request: None,
            trace: self.trace.clone(),
        }
    }

    /// The same for one of several commands that share a deadline.
    pub(crate) fn call_until(&self, end: BootInstant, now: BootInstant) -> Call {
        Call {
            deadline: end.since(now),
            ..self.call()
        }
    }
}
