//! The words of the engine's public edge: keys, rights, requests, answers and events.
//!
//! All of them are plain values. What they mean (a room, a stage, a person) is the caller's affair.

use std::time::Duration;

/// Names a room on this node. Chosen by the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomKey(pub u64);

/// Names one session (one PeerConnection) on this node. Chosen by the caller, unique per process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionKey(pub u64);

/// Names a speaker to clients: the CSRC of every packet they sent. Never reused in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StageNumber(pub u32);

/// What a session may do. Asked for every packet that comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rights {
    /// In the audience: hears, and is never heard.
    Listen,
    /// On stage with the microphone closed: hears, and is not heard.
    Muted(StageNumber),
    /// On stage: heard by everybody else, under this number.
    Speak(StageNumber),
}

/// Asks for a new session.
#[derive(Clone, Debug)]
pub struct Join {
    /// The room whose speakers are heard.
    pub room: RoomKey,
    /// The caller's name for the session; refused if it is in use.
    pub session: SessionKey,
    /// Rights from the first packet on.
    pub rights: Rights,
    /// The client's SDP offer: one `sendonly` audio m-line (the microphone, no track needed) and 1 to 4
    /// `recvonly` ones (the slots), bundled, Opus.
    pub offer: String,
    /// How long after its last authenticated packet the session is given up; a day at most.
    pub grace: Duration,
}

/// The reply to an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The SDP answer, candidates included. Nothing is ever renegotiated but ICE.
    pub sdp: String,
}

/// What became of a session. Each comes at most once in a row, and nothing follows `Gone`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionEvent {
    /// ICE and DTLS are up: audio flows.
    Up {
        /// Which session.
        session: SessionKey,
    },
    /// No authenticated packet for some seconds: the client's network is lost. No audio is sent to it; ICE
    /// goes on asking for it.
    Silent {
        /// Which session.
        session: SessionKey,
    },
    /// Authenticated packets come again, by themselves or after an ICE restart.
    Back {
        /// Which session.
        session: SessionKey,
    },
    /// The session ended. Its key may be used again.
    Gone {
        /// Which session.
        session: SessionKey,
        /// How it ended.
        why: Gone,
    },
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Gone {
    /// The client said goodbye (DTLS close_notify).
    ClosedByPeer,
    /// No authenticated packet for the whole grace.
    GraceOver,
    /// `leave`, `close_room` or the engine's shutdown.
    Removed,
    /// ICE and DTLS did not come up within 30 s.
    NeverConnected,
    /// The transport could not go on: a failed handshake, a certificate that is not the offer's, or a fault of ours.
    Failed,
}

/// Where a session's transport stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Link {
    /// ICE or DTLS is not up yet.
    Connecting,
    /// Audio flows.
    Up,
    /// Nothing authentic was received for some seconds.
    Silent,
}

/// A snapshot of the engine, for tests and operations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// All sessions, in no particular order.
    pub sessions: Vec<SessionStats>,
    /// Shards whose thread has ended or was given up after several panics: joins of their rooms are refused. Unless the
    /// engine was shut down, the process has to be restarted.
    pub stopped_shards: usize,
    /// Speakers' RTP packets that were decrypted, since the start.
    pub packets_in: u64,
    /// Speakers' packets that were encrypted for a listener, since the start; without the silent frames that end a
    /// talkspurt, which each session's own count has as well.
    pub packets_out: u64,
    /// Packets that were decrypted and not forwarded, since the start: their sender may not speak or sends more than any
    /// codec makes, they are no Opus, or come too late.
    pub packets_refused: u64,
    /// Datagrams that were not looked into, since the start: of nobody we know, not made with a session's password or (first
    /// of an SSRC) keys, or more than a client sends.
    pub datagrams_dropped: u64,
}

/// One session of [`Stats`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionStats {
    /// Which session.
    pub session: SessionKey,
    /// In which room.
    pub room: RoomKey,
    /// Where its transport stands.
    pub link: Link,
    /// Time since its last authenticated packet; since the join if there was none.
    pub quiet_for: Duration,
    /// RTP packets received from it.
    pub packets_in: u64,
    /// RTP packets sent to it.
    pub packets_out: u64,
}
