//! UDP in batches: `recvmmsg` and `sendmmsg` by 64, an IPv4 and an IPv6 socket at most.
//!
//! A system call per packet costs 2.85 us, a 64th of `sendmmsg` 2.3 us (on newer kernels 1.1). Sockets do not block:
//! when the system's buffer is full we wait for it, as often as it is, but for so long a turn and no longer; then we drop,
//! as the network would. An address that the system refuses costs its own datagram only.
//!
//! Lacks: segmentation offload, and answering from the very address a datagram was sent to (the system picks
//! the source by its routes; on machines with several addresses in one network, bind to one of them).

use super::batch::{BATCH, Batch};
use crate::StartError;
use crate::metrics::SocketCounts;
use crate::wire::{MAX_DATAGRAM_BYTES, Wire};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::time::{Duration, Instant};

/// Asked of the system for each direction: 0.4 s of 10,000 packets per second of 900 B of kernel memory each. It may grant
/// less (`net.core.rmem_max`, `wmem_max`).
const SOCKET_BUFFER_BYTES: usize = 4 << 20;
/// How long a full send buffer is waited for in one turn, all in all: a quarter of a packet's time. A room of thousands
/// fills the buffer several times with each packet, and is through long before.
const SEND_WAIT: Duration = Duration::from_millis(5);
/// What a wait costs at least, whatever the clock says.
const LEAST_WAIT: Duration = Duration::from_micros(50);

/// A shard's sockets and what is about to be sent on them.
pub(crate) struct Sockets {
    sockets: Vec<UdpSocket>,
    pub(crate) outgoing: Outgoing,
    datagrams_in: u64,
    /// Of sockets that are closed.
    overflowed: u64,
}

/// What [`Sockets::wait`] found.
pub(crate) struct Ready {
    pub(crate) woken: bool,
    /// Sockets to read from.
    pub(crate) readable: Vec<usize>,
}

/// Binds one socket.
///
/// # Errors
/// With advice: port in use, no address of ours, or what the system says.
pub(crate) fn bind(address: SocketAddr) -> Result<UdpSocket, StartError> {
    let system = |what| move |source: io::Error| StartError::System { what, source };
    let domain = Domain::for_address(address);
    let socket =
        Socket::new(domain, Type::DGRAM, Some(Protocol::UDP)).map_err(system("opening a UDP socket"))?;
    if address.is_ipv6() {
        socket
            .set_only_v6(true)
            .map_err(system("restricting a socket to IPv6"))?;
    }
    socket
        .bind(&address.into())
        .map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => StartError::PortBusy(address),
            io::ErrorKind::AddrNotAvailable => StartError::NotOurAddress(address.ip()),
            _ => StartError::System {
                what: "binding a UDP socket",
                source,
            },
        })?;
    socket
        .set_nonblocking(true)
        .map_err(system("setting a socket up"))?;
    for grow in [Socket::set_recv_buffer_size, Socket::set_send_buffer_size] {
        grow(&socket, SOCKET_BUFFER_BYTES).map_err(system("enlarging a socket's buffer"))?;
    }
    for (size, limit) in [
        (socket.recv_buffer_size(), "net.core.rmem_max"),
        (socket.send_buffer_size(), "net.core.wmem_max"),
    ] {
        // Linux says twice what it granted, for its own bookkeeping (socket(7)).
        let granted = size.map_err(system("reading a socket's buffer size"))? / 2;
        if granted < SOCKET_BUFFER_BYTES {
            // Receiving: a pause of the thread loses audio sooner. Sending: a room of thousands takes more than one go.
            tracing::info!(
                granted,
                wanted = SOCKET_BUFFER_BYTES,
                limit,
                "the system limits UDP buffers"
            );
        }
    }
    Ok(socket.into())
}

/// Datagrams that the system dropped since the socket was opened, its receive buffer being full; 0 where it does not say.
fn overflows(socket: &UdpSocket) -> u64 {
    // linux/sock_diag.h: SK_MEMINFO_VARS words, of which this one counts drops.
    const WORDS: usize = 9;
    const DROPS: usize = 8;
    let mut words = [0u32; WORDS];
    let mut len = size_of_val(&words) as libc::socklen_t;
    // SAFETY: the buffer and its length are valid for the call; on failure nothing is written.
    unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            words.as_mut_ptr().cast(),
            &mut len,
        )
    };
    u64::from(words[DROPS])
}

/// Where people can send to when a socket is bound to all addresses: loopback, and the address from which the system
/// would send to the internet (nothing is sent to find that out).
pub(crate) fn reachable(bound: IpAddr) -> Vec<IpAddr> {
    let (any, far, loopback): (IpAddr, IpAddr, IpAddr) = if bound.is_ipv4() {
        (
            Ipv4Addr::UNSPECIFIED.into(),
            Ipv4Addr::new(192, 0, 2, 1).into(),
            Ipv4Addr::LOCALHOST.into(),
        )
    } else {
        let documentation = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
        (
            Ipv6Addr::UNSPECIFIED.into(),
            documentation.into(),
            Ipv6Addr::LOCALHOST.into(),
        )
    };
    if !bound.is_unspecified() {
        return vec![bound];
    }
    const DISCARD_PORT: u16 = 9;
    let outbound = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((far, DISCARD_PORT))?;
        Ok(socket.local_addr()?.ip())
    });
    outbound
        .into_iter()
        .filter(|ip| !ip.is_unspecified() && *ip != loopback)
        .chain([loopback])
        .collect()
}

impl Sockets {
    pub(crate) fn new(sockets: Vec<UdpSocket>) -> Self {
        let fd = |v4: bool| {
            let family = |s: &&UdpSocket| s.local_addr().is_ok_and(|address| address.is_ipv4() == v4);
            sockets.iter().find(family).map(AsRawFd::as_raw_fd)
        };
        let outgoing = Outgoing {
            v4: fd(true),
            v6: fd(false),
            batch: Batch::default(),
            filled: 0,
            patience: SEND_WAIT,
            counts: SocketCounts::default(),
        };
        Self {
            sockets,
            outgoing,
            datagrams_in: 0,
            overflowed: 0,
        }
    }

    /// Waits for datagrams or a wake-up.
    pub(crate) fn wait(&self, waker: BorrowedFd<'_>, timeout: Duration) -> Ready {
        let fds = self
            .sockets
            .iter()
            .map(AsRawFd::as_raw_fd)
            .chain([waker.as_raw_fd()]);
        let mut polled: Vec<libc::pollfd> = fds
            .map(|fd| libc::pollfd {
                fd,
                events: libc::POLLIN,
                revents: 0,
            })
            .collect();
        let timeout = libc::timespec {
            tv_sec: timeout.as_secs() as libc::time_t,
            tv_nsec: libc::c_long::from(timeout.subsec_nanos() as i32),
        };
        // SAFETY: the array and the time are valid for the call; no signal mask is given. A failure (a signal) leaves
        // all results zero, as a timeout does.
        unsafe {
            libc::ppoll(
                polled.as_mut_ptr(),
                polled.len() as libc::nfds_t,
                &timeout,
                std::ptr::null(),
            );
        }
        let ready = |fd: &libc::pollfd| fd.revents != 0;
        let readable = (0..self.sockets.len()).filter(|at| ready(&polled[*at])).collect();
        Ready {
            woken: polled.last().is_some_and(ready),
            readable,
        }
    }

    /// Nothing is received or sent any more; what was counted stays.
    pub(crate) fn close(&mut self) {
        self.overflowed += self
            .sockets
            .drain(..)
            .map(|socket| overflows(&socket))
            .sum::<u64>();
        (self.outgoing.v4, self.outgoing.v6) = (None, None);
    }

    /// Fills the batch from a socket. Returns how many datagrams there were.
    pub(crate) fn receive(&mut self, socket: usize, batch: &mut Batch) -> usize {
        let count = batch.receive(self.sockets[socket].as_raw_fd());
        self.datagrams_in += count as u64;
        count
    }

    /// Sends what is waiting, at the end of a turn.
    pub(crate) fn flush(&mut self) {
        self.outgoing.flush();
        self.outgoing.patience = SEND_WAIT;
    }

    pub(crate) fn counts(&self) -> SocketCounts {
        SocketCounts {
            datagrams_in: self.datagrams_in,
            overflows: self.overflowed + self.sockets.iter().map(overflows).sum::<u64>(),
            ..self.outgoing.counts.clone()
        }
    }
}

/// Datagrams that go out with the next flush.
pub(crate) struct Outgoing {
    v4: Option<RawFd>,
    v6: Option<RawFd>,
    batch: Batch,
    filled: usize,
    /// What is left of this turn's [`SEND_WAIT`].
    patience: Duration,
    counts: SocketCounts,
}

impl Wire for Outgoing {
    fn buffer(&mut self) -> &mut [u8; MAX_DATAGRAM_BYTES] {
        self.batch.buffer(self.filled)
    }

    fn send(&mut self, len: usize, to: SocketAddr) {
        self.batch.set(self.filled, len, to);
        self.filled += 1;
        if self.filled == BATCH {
            self.flush();
        }
    }
}

impl Outgoing {
    fn flush(&mut self) {
        let mut from = 0;
        while from < self.filled {
            let v4 = self.batch.is_ipv4(from);
            let to = (from..self.filled)
                .find(|at| self.batch.is_ipv4(*at) != v4)
                .unwrap_or(self.filled);
            match if v4 { self.v4 } else { self.v6 } {
                Some(fd) => self.flush_to(fd, from, to),
                None => self.counts.send_failed += (to - from) as u64,
            }
            from = to;
        }
        self.filled = 0;
    }

    fn flush_to(&mut self, fd: RawFd, from: usize, to: usize) {
        let mut way = Way {
            batch: &mut self.batch,
            fd,
        };
        push(&mut way, from, to, &mut self.patience, &mut self.counts);
    }
}

/// Where datagrams go, as far as [`push`] can tell.
trait Out {
    /// As [`Batch::send`].
    fn send(&mut self, from: usize, to: usize) -> io::Result<usize>;

    /// Waits until it takes some again, at most so long. Whether it does, and how long that took.
    fn wait(&mut self, most: Duration) -> (bool, Duration);
}

/// The system's.
struct Way<'a> {
    batch: &'a mut Batch,
    fd: RawFd,
}

impl Out for Way<'_> {
    fn send(&mut self, from: usize, to: usize) -> io::Result<usize> {
        self.batch.send(self.fd, from, to)
    }

    fn wait(&mut self, most: Duration) -> (bool, Duration) {
        let began = Instant::now();
        (wait_writable(self.fd, most), began.elapsed())
    }
}

/// Sends the datagrams `from..to`, and takes the time that it waits from `patience`.
fn push(out: &mut impl Out, mut from: usize, to: usize, patience: &mut Duration, counts: &mut SocketCounts) {
    while from < to {
        match out.send(from, to) {
            Ok(sent) => {
                counts.datagrams_out += sent as u64;
                from += sent;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if is_full(&error) => {
                let (writable, took) = if patience.is_zero() {
                    (false, Duration::ZERO)
                } else {
                    out.wait(*patience)
                };
                // A buffer that says it has room, at once, and has none must not be asked for ever.
                *patience = patience.saturating_sub(took.max(LEAST_WAIT));
                if !writable {
                    counts.send_full += (to - from) as u64;
                    return;
                }
            }
            // About the first datagram only: an address that cannot be reached.
            Err(_) => {
                counts.send_failed += 1;
                from += 1;
            }
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(libc::ENOBUFS)
}

fn wait_writable(fd: RawFd, most: Duration) -> bool {
    let mut polled = libc::pollfd {
        fd,
        events: libc::POLLOUT,
        revents: 0,
    };
    let most = libc::timespec {
        tv_sec: most.as_secs() as libc::time_t,
        tv_nsec: libc::c_long::from(most.subsec_nanos() as i32),
    };
    // SAFETY: one valid entry and a valid time; no signal mask is given.
    unsafe { libc::ppoll(&mut polled, 1, &most, std::ptr::null()) > 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_had_to_drop_is_counted() {
        const SENT: usize = 2_000;
        let loopback: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let receiver = bind(loopback).unwrap();
        socket2::SockRef::from(&receiver).set_recv_buffer_size(0).unwrap();
        let (sender, to) = (UdpSocket::bind(loopback).unwrap(), receiver.local_addr().unwrap());
        for _ in 0..SENT {
            sender.send_to(&[0; 1000], to).unwrap();
        }
        let (mut sockets, mut batch) = (Sockets::new(vec![receiver]), Batch::default());
        while sockets.receive(0, &mut batch) > 0 {}
        let counts = sockets.counts();
        assert!(counts.overflows > 0);
        assert_eq!(counts.datagrams_in + counts.overflows, SENT as u64);
        sockets.close();
        assert_eq!(sockets.counts(), counts);
    }

    /// A buffer that holds `room` datagrams, and takes a time to be empty again.
    struct Narrow {
        room: usize,
        left: usize,
        drains_in: Duration,
        waits: usize,
    }

    impl Out for Narrow {
        fn send(&mut self, from: usize, to: usize) -> io::Result<usize> {
            let sent = self.left.min(to - from);
            self.left -= sent;
            if sent == 0 {
                Err(io::ErrorKind::WouldBlock.into())
            } else {
                Ok(sent)
            }
        }

        fn wait(&mut self, most: Duration) -> (bool, Duration) {
            self.waits += 1;
            if self.drains_in > most {
                return (false, most);
            }
            self.left = self.room;
            (true, self.drains_in)
        }
    }

    /// One packet for 1,000 listeners, in a turn of 64 at a time.
    fn turn(room: usize, drains_in: Duration) -> (Narrow, SocketCounts) {
        let (mut patience, mut counts) = (SEND_WAIT, SocketCounts::default());
        let mut out = Narrow {
            room,
            left: room,
            drains_in,
            waits: 0,
        };
        for _ in 0..1000 / 50 {
            push(&mut out, 0, 50, &mut patience, &mut counts);
        }
        (out, counts)
    }

    #[test]
    fn a_small_buffer_is_waited_for_again_and_again() {
        let (out, counts) = turn(100, Duration::from_micros(200));
        assert_eq!((counts.datagrams_out, counts.send_full), (1000, 0));
        assert_eq!(out.waits, 9);
    }

    #[test]
    fn a_turn_waits_no_longer_than_it_may() {
        let (out, counts) = turn(100, Duration::from_millis(2));
        assert_eq!((counts.datagrams_out, counts.send_full), (300, 700));
        assert_eq!(out.waits, 3, "twice 2 ms, and a third time in vain");
        // Ready, it says, and takes nothing.
        let (out, counts) = turn(0, Duration::ZERO);
        assert_eq!((counts.datagrams_out, counts.send_full), (0, 1000));
        assert_eq!(out.waits as u128, SEND_WAIT.as_micros() / LEAST_WAIT.as_micros());
    }

    /// A route that is gone, a full connection table or a firewall: whatever the system says about one listener's
    /// address, the others behind it in the batch get their packets, whole.
    #[test]
    fn a_refused_address_costs_its_own_datagram_only() {
        let loopback: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let receiver = UdpSocket::bind(loopback).unwrap();
        receiver.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let to = receiver.local_addr().unwrap();
        // Refused at once (EACCES) on a socket that was not allowed to broadcast.
        let refused: SocketAddr = "255.255.255.255:9".parse().unwrap();
        for refused_at in [vec![1], vec![0], vec![3], vec![0, 1, 3], vec![1, 2]] {
            let mut sockets = Sockets::new(vec![bind(loopback).unwrap()]);
            for at in 0..5 {
                let len = 100 + at;
                sockets.outgoing.buffer()[..len].fill(at as u8);
                let to = if refused_at.contains(&at) { refused } else { to };
                sockets.outgoing.send(len, to);
            }
            sockets.flush();
            for at in (0..5).filter(|at| !refused_at.contains(at)) {
                let mut buffer = [0; MAX_DATAGRAM_BYTES];
                let len = receiver.recv(&mut buffer).unwrap();
                assert_eq!(buffer[..len], vec![at as u8; 100 + at], "refused: {refused_at:?}");
            }
            let counts = sockets.counts();
            let expected = (5 - refused_at.len() as u64, refused_at.len() as u64);
            assert_eq!((counts.datagrams_out, counts.send_failed), expected);
        }
    }
}
