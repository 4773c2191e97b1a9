//! Why a live socket ends, and what was lost by it.

use super::super::codes;
use super::super::problem::Error;
use mitalk_actors::live::CloseReason;
use std::time::Duration;
use tokio::time::Instant;

/// Why a socket ends. The numbers are part of the API: see [`crate::wire::live`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The client closed it.
    Closed,
    /// Its connection broke.
    Gone,
    /// Nothing came for [`live_idle_ms`](crate::config::Http::live_idle_ms).
    Idle,
    SignInAgain,
    Suspended,
    NoHello,
    OpenedElsewhere,
    TooManyMessages,
    TooSlow,
    NotText,
    TooLarge,
    Unavailable,
    Restart,
}

impl End {
    /// Close code, and the reason for people and for metrics.
    pub(super) fn code(self) -> (u16, &'static str) {
        match self {
            Self::Closed | Self::Gone => (1000, "gone"),
            Self::Idle => (1001, "idle"),
            Self::NotText => (1003, "not_text"),
            Self::TooLarge => (1009, "too_large"),
            Self::Restart => (1012, "restart"),
            Self::TooSlow => (1013, "too_slow"),
            Self::Unavailable => (1013, "unavailable"),
            Self::SignInAgain => (4401, "sign_in_again"),
            Self::Suspended => (4403, "suspended"),
            Self::NoHello => (4408, "no_hello"),
            Self::OpenedElsewhere => (4409, "opened_elsewhere"),
            Self::TooManyMessages => (4429, "too_many_messages"),
        }
    }

    /// Since when the client may not have got what was sent: `heard` when anything last came from it, `wrote` when a message
    /// last went out, `now` the end. A client that is there answers each ping; one that owed an answer to two was not.
    pub(super) fn lost_since(
        self,
        heard: Instant,
        wrote: Instant,
        now: Instant,
        pings_every: Duration,
    ) -> Option<Instant> {
        match self {
            Self::Closed => None,
            Self::Gone | Self::Idle => Some(heard),
            Self::TooSlow => Some(heard.min(wrote)),
            _ => (now - heard > pings_every * 2).then_some(heard),
        }
    }
}

impl From<CloseReason> for End {
    fn from(reason: CloseReason) -> Self {
        match reason {
            CloseReason::TooSlow => Self::TooSlow,
            CloseReason::OpenedElsewhere => Self::OpenedElsewhere,
            CloseReason::Revoked => Self::SignInAgain,
            CloseReason::Suspended => Self::Suspended,
            CloseReason::Restart => Self::Restart,
        }
    }
}

/// What a refused token means for the socket.
impl From<Error> for End {
    fn from(error: Error) -> Self {
        if error.code() == codes::SUSPENDED {
            Self::Suspended
        } else {
            Self::SignInAgain
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_client_that_is_there_would_have_shown_counts_as_seen() {
        let (start, pings) = (Instant::now(), Duration::from_secs(20));
        let at = |s| start + Duration::from_secs(s);
        let lost = |end: End, heard, wrote| end.lost_since(at(heard), at(wrote), at(100), pings);
        assert_eq!(lost(End::Closed, 99, 99), None, "it said goodbye");
        assert_eq!(lost(End::Gone, 85, 99), Some(at(85)));
        assert_eq!(lost(End::Idle, 40, 99), Some(at(40)));
        assert_eq!(lost(End::TooSlow, 99, 90), Some(at(90)));
        for end in [End::Restart, End::SignInAgain] {
            assert_eq!(lost(end, 70, 99), None, "{end:?}: one answer may be on its way");
            assert_eq!(lost(end, 59, 99), Some(at(59)), "{end:?}: nobody is behind it");
        }
    }
}
