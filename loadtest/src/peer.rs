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
/// Behind by more than this a speaker leaves frames out rather than sending them all at once.
const LONGEST_BURST: u32 = 50;

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
            latency.note(now.saturating_duration_since(epoch + Duration::from_micros(frame.due_us.into())));
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
        }
    }

    /// Says nothing any more. Returns the speaker and the last frame that was sent.
    pub fn hush(&mut self) -> (u32, Option<u32>) {
        self.hushed = true;
        (self.speaker, self.next.checked_sub(1))
    }

    fn due(&self) -> Option<Instant> {
        let began = self.began.filter(|_| !self.hushed)?;
        Some(began + Duration::from_millis(FRAME_MS) * self.next)
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
        let mut burst = 0;
        while let Some(due) = self.due().filter(|due| *due <= now && burst < LONGEST_BURST) {
            let due_us = due.saturating_duration_since(self.epoch).as_micros() as u32;
            let frame = Frame {
                run: self.run,
                speaker: self.speaker,
                counter: self.next,
                due_us,
            };
            client.speak(LEVEL, &frame.write(), link);
            self.next += 1;
            burst += 1;
        }
    }
}
