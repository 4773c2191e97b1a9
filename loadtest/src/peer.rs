//! One simulated person's media: a light client on a socket of its own, which listens or speaks.

use crate::ear::{Counts, Ear, Packet};
use crate::pattern::{FRAME_MS, Frame};
use crate::report::Times;
use crate::socket::{Link, Receive, Send};
use mitalk_media::light::{Client, State};
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How loud speakers are, in -dBov (RFC 6464): a clear voice. All alike, so that with more than three the server's
/// hysteresis holds those who came first.
const LEVEL: u8 = 20;
const FRAME: Duration = Duration::from_millis(FRAME_MS);
/// Behind by more frames than this a speaker has fallen silent for a while rather than sending them all at once: more than
/// the server's budget for a burst (60) would be refused, and the loss would be of this tool's making.
const LONGEST_BURST: u32 = 40;

/// What a peer is there for.
#[derive(Debug)]
pub enum Role {
    /// Judges what it hears.
    Listener {
        /// Judges.
        ear: Ear,
        /// Told the moment of the first intact frame.
        first_audio: Option<oneshot::Sender<Instant>>,
    },
    /// Says a frame every 20 ms as soon as it is connected.
    Speaker(Voice),
}

/// What a speaker says.
#[derive(Debug)]
pub struct Voice {
    run: u32,
    speaker: u32,
    epoch: Instant,
    /// When frame 0 was due; set when the peer is connected.
    began: Option<Instant>,
    /// The next frame.
    next: u32,
    connected: Option<oneshot::Sender<Instant>>,
    hushed: bool,
    stalls: u32,
}

/// What became of a speaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// Index in the run.
    pub speaker: u32,
    /// Counter of the last frame that was sent.
    pub last: Option<u32>,
    /// How often this machine was too slow to speak in time.
    pub stalls: u32,
}

/// A peer on its socket.
#[derive(Debug)]
pub struct Peer {
    /// The session.
    pub client: Client,
    /// Connected to `server`.
    pub socket: UdpSocket,
    /// Where the session's packets go.
    pub server: SocketAddr,
    /// Listens or speaks.
    pub role: Role,
}

/// What all peers of a thread use in turn.
#[derive(Default)]
pub struct Shared {
    /// For datagrams that come in.
    pub receive: Receive,
    /// For datagrams that go out.
    pub send: Send,
    /// From a frame's due time to its decryption.
    pub latency: Times,
}

impl Peer {
    /// Takes in what has arrived, at most a batch.
    pub fn read(&mut self, shared: &mut Shared, epoch: Instant) {
        let now = Instant::now();
        let mut link = Link::new(&mut shared.send, &self.socket, self.server);
        let (client, role, latency) = (&mut self.client, &mut self.role, &mut shared.latency);
        shared.receive.read(&self.socket, |datagram| {
            let Some(received) = client.handle(self.server, datagram, now, &mut link) else {
                return;
            };
            let Role::Listener { ear, first_audio } = role else {
                return;
            };
            let header = received.header;
            let heard = ear.hear(&Packet {
                ssrc: header.ssrc,
                sequence: header.sequence,
                timestamp: header.timestamp,
                csrc: header.csrc,
                payload: &datagram[received.payload],
            });
            let Some(frame) = heard else { return };
            latency.note(since_due(now.saturating_duration_since(epoch), frame.due_us));
            if let Some(first) = first_audio.take() {
                // Nobody waits any more for a join that took too long.
                let _ = first.send(now);
            }
        });
    }

    /// Sends what is due: checks, the handshake, a speaker's frames.
    pub fn tick(&mut self, shared: &mut Shared, now: Instant) {
        let mut link = Link::new(&mut shared.send, &self.socket, self.server);
        if self.client.due().is_some_and(|due| due <= now) {
            self.client.tick(now, &mut link);
        }
        if let Role::Speaker(voice) = &mut self.role {
            voice.speak(&mut self.client, now, &mut link);
        }
    }

    /// When the next frame is to be said; `None` for listeners, and for those who can not speak yet.
    pub fn speaks_at(&self) -> Option<Instant> {
        match &self.role {
            Role::Speaker(voice) => voice.due(),
            Role::Listener { .. } => None,
        }
    }

    /// The server ended the session.
    pub fn is_dropped(&self) -> bool {
        self.client.state() == State::Closed
    }

    /// Frames that have not come yet of those that were sent (see [`Ear::behind`]).
    pub fn behind(&self, sent: &[Option<u32>]) -> u64 {
        match &self.role {
            Role::Listener { ear, .. } if !self.is_dropped() => ear.behind(sent),
            Role::Listener { .. } | Role::Speaker(_) => 0,
        }
    }

    /// What was heard so far.
    pub fn heard(&self) -> Counts {
        match &self.role {
            Role::Listener { ear, .. } => ear.counts(),
            Role::Speaker(_) => Counts::default(),
        }
    }

    /// Says goodbye and judges. `sent` gives the last frame of each speaker by index in the run; empty: not to be
    /// compared.
    pub fn finish(mut self, shared: &mut Shared, sent: &[Option<u32>]) -> Counts {
        self.client.close(
            Instant::now(),
            &mut Link::new(&mut shared.send, &self.socket, self.server),
        );
        match self.role {
            Role::Listener { ear, .. } => ear.finish(sent),
            Role::Speaker(_) => Counts::default(),
        }
    }
}

impl Voice {
    /// The voice of a speaker with this index in the run, which frames tell their time from the start (`epoch`) of.
    /// `connected` is told when it begins to talk.
    pub fn new(run: u32, speaker: u32, epoch: Instant, connected: oneshot::Sender<Instant>) -> Self {
        Self {
            run,
            speaker,
            epoch,
            began: None,
            next: 0,
            connected: Some(connected),
            hushed: false,
            stalls: 0,
        }
    }

    /// Says nothing any more.
    pub fn hush(&mut self) -> Said {
        self.hushed = true;
        Said {
            speaker: self.speaker,
            last: self.next.checked_sub(1),
            stalls: self.stalls,
        }
    }

    fn due(&self) -> Option<Instant> {
        let began = self.began.filter(|_| !self.hushed)?;
        Some(began + FRAME * self.next)
    }

    fn speak(&mut self, client: &mut Client, now: Instant, link: &mut Link<'_>) {
        if client.state() != State::Up {
            return;
        }
        if self.began.is_none() {
            self.began = Some(now);
            if let Some(connected) = self.connected.take() {
                let _ = connected.send(now);
            }
        }
        self.catch_up(now);
        while let Some(due) = self.due().filter(|due| *due <= now) {
            let frame = Frame {
                run: self.run,
                speaker: self.speaker,
                counter: self.next,
                due_us: due.saturating_duration_since(self.epoch).as_micros() as u32,
            };
            client.speak(LEVEL, &frame.write(), link);
            self.next += 1;
        }
    }

    /// Too far behind, they speak on from now, with the next counter: as if they had been silent.
    fn catch_up(&mut self, now: Instant) {
        let Some(late) = self.due().map(|due| now.saturating_duration_since(due)) else {
            return;
        };
        if late > FRAME * LONGEST_BURST {
            self.began = self.began.map(|began| began + late);
            self.stalls += 1;
        }
    }
}

/// From due to now, both counted from the start of the run; `due_us` wraps.
fn since_due(now: Duration, due_us: u32) -> Duration {
    let elapsed_us = (now.as_micros() as u32).wrapping_sub(due_us);
    Duration::from_micros(elapsed_us.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_is_right_over_the_wrap_of_the_clock() {
        let wrap = Duration::from_micros(1 << 32);
        assert_eq!(
            since_due(Duration::from_millis(7), 5_000),
            Duration::from_millis(2)
        );
        assert_eq!(
            since_due(wrap + Duration::from_millis(1), u32::MAX - 999),
            Duration::from_millis(2)
        );
    }

    #[test]
    fn a_speaker_who_is_too_late_goes_on_without_a_burst_and_says_so() {
        let epoch = Instant::now();
        let (connected, _up) = oneshot::channel();
        let mut voice = Voice::new(1, 0, epoch, connected);
        voice.began = Some(epoch);
        voice.next = 10;
        let due = voice.due().expect("talking");
        voice.catch_up(due + FRAME * LONGEST_BURST);
        assert_eq!(
            (voice.stalls, voice.due()),
            (0, Some(due)),
            "a burst that the server takes"
        );
        let late = due + Duration::from_secs(2);
        voice.catch_up(late);
        assert_eq!((voice.stalls, voice.due(), voice.next), (1, Some(late), 10));
    }
}
