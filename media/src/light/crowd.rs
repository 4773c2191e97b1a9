//! Many light clients on one thread, each with a UDP socket of its own: the shell of [`Client`].
//!
//! A socket per client, since the server tells clients apart by address. One thread serves thousands: 2.4-3.1 us per
//! packet were measured, most of it the system's.
//!
//! Lacks: several threads (make several crowds) and signalling (the caller carries offers and answers).

use super::{Client, Received};
use crate::wire::{MAX_DATAGRAM_BYTES, Wire};
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

/// Sockets reported per wait.
const READY: usize = 256;
/// Datagrams taken from one socket before the next has its turn.
const PER_SOCKET: usize = 16;
/// How often clients' timers are looked at.
const TIMERS_EVERY: Duration = Duration::from_millis(5);

/// Light clients with their sockets.
#[derive(Debug)]
pub struct Crowd {
    epoll: OwnedFd,
    people: Vec<Person>,
    timers_at: Instant,
}

/// One client and its socket.
#[derive(Debug)]
pub struct Person {
    /// The client.
    pub client: Client,
    /// Its way out.
    pub wire: SocketWire,
}

/// Sends on a socket.
#[derive(Debug)]
pub struct SocketWire {
    socket: UdpSocket,
    buffer: Box<[u8; MAX_DATAGRAM_BYTES]>,
    /// Datagrams that the system did not take.
    pub failed: u64,
}

impl Wire for SocketWire {
    fn buffer(&mut self) -> &mut [u8; MAX_DATAGRAM_BYTES] {
        &mut self.buffer
    }

    fn send(&mut self, len: usize, to: SocketAddr) {
        self.failed += u64::from(self.socket.send_to(&self.buffer[..len], to).is_err());
    }
}

impl Crowd {
    /// Nobody yet.
    ///
    /// # Errors
    /// The system has no descriptors left.
    pub fn new(now: Instant) -> io::Result<Self> {
        // SAFETY: no pointers; the result is checked before it is owned.
        let epoll = unsafe {
            match libc::epoll_create1(libc::EPOLL_CLOEXEC) {
                -1 => return Err(io::Error::last_os_error()),
                fd => OwnedFd::from_raw_fd(fd),
            }
        };
        Ok(Self {
            epoll,
            people: Vec::new(),
            timers_at: now,
        })
    }

    /// Takes a client in and gives it a socket on this address. Returns its number, counted from 0.
    ///
    /// # Errors
    /// The system refuses a socket.
    pub fn add(&mut self, client: Client, local: IpAddr) -> io::Result<usize> {
        let at = self.people.len();
        let socket = self.socket(at, local)?;
        let wire = SocketWire {
            socket,
            buffer: Box::new([0; MAX_DATAGRAM_BYTES]),
            failed: 0,
        };
        self.people.push(Person { client, wire });
        Ok(at)
    }

    /// Gives a client another socket, as when its network changes.
    ///
    /// # Errors
    /// The system refuses a socket.
    ///
    /// # Panics
    /// If there is no such client.
    pub fn move_away(&mut self, at: usize, local: IpAddr) -> io::Result<()> {
        self.people[at].wire.socket = self.socket(at, local)?;
        Ok(())
    }

    fn socket(&self, at: usize, local: IpAddr) -> io::Result<UdpSocket> {
        let socket = UdpSocket::bind((local, 0))?;
        socket.set_nonblocking(true)?;
        let mut event = libc::epoll_event {
            events: libc::EPOLLIN as u32,
            u64: at as u64,
        };
        // SAFETY: both descriptors are open, the event is valid for the call.
        let added = unsafe {
            libc::epoll_ctl(
                self.epoll.as_raw_fd(),
                libc::EPOLL_CTL_ADD,
                socket.as_raw_fd(),
                &mut event,
            )
        };
        if added == 0 {
            Ok(socket)
        } else {
            Err(io::Error::last_os_error())
        }
    }

    /// All clients, by number.
    pub fn people(&mut self) -> &mut [Person] {
        &mut self.people
    }

    /// Waits at most `wait` (rounded up to milliseconds), takes in what came and does what is due. `heard` gets each
    /// audio packet: the client's number, the packet, its payload. Returns the time it read.
    pub fn turn(&mut self, wait: Duration, mut heard: impl FnMut(usize, &Received, &[u8])) -> Instant {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; READY];
        let wait = wait.min(TIMERS_EVERY).as_micros().div_ceil(1000) as libc::c_int;
        // SAFETY: the array is valid for the call. A failure (a signal) counts as nothing ready.
        let ready = unsafe {
            libc::epoll_wait(
                self.epoll.as_raw_fd(),
                events.as_mut_ptr(),
                READY as libc::c_int,
                wait,
            )
        };
        let now = Instant::now();
        for event in events.iter().take(usize::try_from(ready).unwrap_or(0)) {
            let at = event.u64 as usize;
            if let Some(person) = self.people.get_mut(at) {
                person.receive(now, |received, payload| heard(at, received, payload));
            }
        }
        if now >= self.timers_at {
            self.timers_at = now + TIMERS_EVERY;
            for Person { client, wire } in &mut self.people {
                if client.due().is_some_and(|due| due <= now) {
                    client.tick(now, wire);
                }
            }
        }
        now
    }
}

impl Person {
    fn receive(&mut self, now: Instant, mut heard: impl FnMut(&Received, &[u8])) {
        let mut datagram = [0; MAX_DATAGRAM_BYTES];
        for _ in 0..PER_SOCKET {
            let Ok((len, from)) = self.wire.socket.recv_from(&mut datagram) else {
                return;
            };
            let received = self
                .client
                .handle(from, &mut datagram[..len], now, &mut self.wire);
            if let Some(received) = received {
                heard(&received, &datagram[received.payload.clone()]);
            }
        }
    }
}
