//! What can go wrong at the engine's edge, with words that say what to do.

use std::net::{IpAddr, SocketAddr};

/// Why a request was refused. Nothing was changed by a refused request, but for [`Handle::restart`](crate::Handle::restart).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The engine has more work than it takes on. Retry after a second.
    #[error("the media engine is overloaded; try again shortly")]
    Overloaded,
    /// No such session, or it ended meanwhile. A retry does not help: join again.
    #[error("no such media session; join again")]
    NoSuchSession,
    /// The session key is in use. A fault of the caller's.
    #[error("this session key is in use")]
    SessionExists,
    /// The offer is not one that this engine answers. The text tells a client's author what to change.
    #[error("offer refused: {0}")]
    BadOffer(String),
    /// The node holds as many sessions as it is configured for. Retry elsewhere.
    #[error("this node is full")]
    Full,
    /// The engine was shut down.
    #[error("the media engine has stopped")]
    Stopped,
}

impl Error {
    /// Whether the same request may succeed later on this node.
    pub fn retry_helps(&self) -> bool {
        matches!(self, Self::Overloaded | Self::Full)
    }
}

/// Why the engine could not start. Each says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A value of the configuration cannot be right.
    #[error("media.{field}: {what}")]
    Config {
        /// The configuration's field.
        field: &'static str,
        /// What is wrong and what to do.
        what: String,
    },
    /// The UDP port is taken.
    #[error("UDP port {0} is in use by another process; stop it or set another port in media.bind")]
    PortBusy(SocketAddr),
    /// An address of `bind` is not one of this machine's.
    #[error(
        "{0} is not an address of this machine; set media.bind to one that is, or to 0.0.0.0 with media.announce = [\"{0}\"] behind a NAT"
    )]
    NotOurAddress(IpAddr),
    /// The operating system refused a socket or a thread.
    #[error("{what}: {source}")]
    System {
        /// What was being done.
        what: &'static str,
        /// The system's own words.
        source: std::io::Error,
    },
    /// The cryptography library failed its self-test or could not make a certificate.
    #[error("cryptography: {0}")]
    Crypto(String),
}
