//! UDP sockets of one thread: one per session, waited for by epoll, read and written in batches.
//!
//! A session has a socket of its own because a server tells sessions apart by their address, as it does with real people.
//! Buffers are the thread's and used by one socket at a time.

use mitalk_media::light::{MAX_DATAGRAM_BYTES, Wire};
use std::io;
use std::mem::zeroed;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// Datagrams per system call.
const BATCH: usize = 32;
/// Sockets per wake-up; the rest is reported by the next.
const READY: usize = 256;
/// Audio of one session for some seconds, so that a pause of this process loses nothing.
const RECEIVE_BUFFER_BYTES: usize = 256 * 1024;

/// Opens a socket towards a server, on a port of the system's choice.
///
/// # Errors
/// Those of the operating system; out of file descriptors is the likely one.
pub fn connect(server: SocketAddr) -> io::Result<UdpSocket> {
    let local: SocketAddr = if server.is_ipv4() {
        ([0, 0, 0, 0], 0).into()
    } else {
        ([0u16; 8], 0).into()
    };
    let socket = UdpSocket::bind(local)?;
    socket.connect(server)?;
    socket.set_nonblocking(true)?;
    socket2::SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    Ok(socket)
}

/// Raises the limit of open files to what the system allows, and returns it.
///
/// # Errors
/// Those of the operating system.
pub fn raise_file_limit() -> io::Result<u64> {
    // SAFETY: both calls get a pointer to a live rlimit.
    unsafe {
        let mut limit: libc::rlimit = zeroed();
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) != 0 {
            return Err(io::Error::last_os_error());
        }
        limit.rlim_cur = limit.rlim_max;
        if libc::setrlimit(libc::RLIMIT_NOFILE, &limit) != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(limit.rlim_cur)
    }
}

/// Waits for many sockets. Level-triggered: what is not read is reported again.
#[derive(Debug)]
pub struct Poll {
    epoll: OwnedFd,
    wake: OwnedFd,
    ready: Vec<libc::epoll_event>,
}

/// Wakes a [`Poll`] from another thread. Cheap to make; many wake-ups are one.
#[derive(Debug)]
pub struct Waker(OwnedFd);

const WAKE_TOKEN: u64 = u64::MAX;

impl Poll {
    /// A poll without sockets.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn new() -> io::Result<Self> {
        // SAFETY: the descriptors are fresh and owned by nobody else.
        let (epoll, wake) = unsafe {
            let epoll = OwnedFd::from_raw_fd(check(libc::epoll_create1(libc::EPOLL_CLOEXEC))?);
            let wake = OwnedFd::from_raw_fd(check(libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK))?);
            (epoll, wake)
        };
        let poll = Self {
            epoll,
            wake,
            // SAFETY: all zeroes is a valid epoll_event.
            ready: vec![unsafe { zeroed() }; READY],
        };
        poll.watch(poll.wake.as_raw_fd(), WAKE_TOKEN)?;
        Ok(poll)
    }

    /// A handle that ends a [`Poll::wait`] under way, or else the next.
    ///
    /// # Errors
    /// Out of file descriptors.
    pub fn waker(&self) -> io::Result<Waker> {
        self.wake.try_clone().map(Waker)
    }

    /// Adds a socket, reported as `token`. It leaves by being closed.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn add(&self, socket: &UdpSocket, token: usize) -> io::Result<()> {
        self.watch(socket.as_raw_fd(), token as u64)
    }

    /// Waits until a socket can be read, somebody wakes us, or the time is over. Appends the tokens of readable sockets.
    ///
    /// # Errors
    /// Those of the operating system, but for interruptions.
    pub fn wait(&mut self, time: Duration, readable: &mut Vec<usize>) -> io::Result<()> {
        let ms = i32::try_from(time.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
        // SAFETY: the array has READY elements and lives through the call.
        let count =
            unsafe { libc::epoll_wait(self.epoll.as_raw_fd(), self.ready.as_mut_ptr(), READY as i32, ms) };
        let count = match check(count) {
            Ok(count) => count as usize,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(error) => return Err(error),
        };
        for event in &self.ready[..count] {
            match event.u64 {
                WAKE_TOKEN => self.drain_wake(),
                token => readable.push(token as usize),
            }
        }
        Ok(())
    }

    fn watch(&self, fd: RawFd, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event {
            events: libc::EPOLLIN as u32,
            u64: token,
        };
        // SAFETY: both descriptors are open and the event lives through the call.
        check(unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &mut event) })?;
        Ok(())
    }

    fn drain_wake(&self) {
        let mut count = 0u64;
        // SAFETY: reads 8 bytes into 8 bytes. An empty eventfd only says EAGAIN.
        unsafe { libc::read(self.wake.as_raw_fd(), (&raw mut count).cast(), 8) };
    }
}

impl Waker {
    /// Wakes.
    pub fn wake(&self) {
        let one = 1u64;
        // SAFETY: writes 8 bytes from 8 bytes. A full counter says EAGAIN, and then the wake-up is already due.
        unsafe { libc::write(self.0.as_raw_fd(), (&raw const one).cast(), 8) };
    }
}

/// Reads batches of datagrams.
pub struct Receive {
    bytes: Vec<[u8; MAX_DATAGRAM_BYTES]>,
    lengths: [usize; BATCH],
}

impl Default for Receive {
    fn default() -> Self {
        Self {
            bytes: vec![[0; MAX_DATAGRAM_BYTES]; BATCH],
            lengths: [0; BATCH],
        }
    }
}

impl Receive {
    /// Reads what is there, at most a batch, and hands each datagram over. An ICMP error (a server that is gone) counts
    /// as nothing there.
    pub fn read(&mut self, socket: &UdpSocket, mut each: impl FnMut(&mut [u8])) {
        let count = self.fill(socket);
        for (bytes, length) in self.bytes.iter_mut().zip(self.lengths).take(count) {
            each(&mut bytes[..length]);
        }
    }

    fn fill(&mut self, socket: &UdpSocket) -> usize {
        // SAFETY: all zeroes is valid for both; the pointers are to buffers that outlive the call.
        unsafe {
            let mut parts: [libc::iovec; BATCH] = zeroed();
            let mut messages: [libc::mmsghdr; BATCH] = zeroed();
            for (n, bytes) in self.bytes.iter_mut().enumerate() {
                parts[n] = libc::iovec {
                    iov_base: bytes.as_mut_ptr().cast(),
                    iov_len: MAX_DATAGRAM_BYTES,
                };
                messages[n].msg_hdr.msg_iov = &mut parts[n];
                messages[n].msg_hdr.msg_iovlen = 1;
            }
            let (fd, flags) = (socket.as_raw_fd(), libc::MSG_DONTWAIT);
            let count = libc::recvmmsg(
                fd,
                messages.as_mut_ptr(),
                BATCH as u32,
                flags,
                std::ptr::null_mut(),
            );
            let count = usize::try_from(count).unwrap_or(0);
            for (length, message) in self.lengths.iter_mut().zip(&messages).take(count) {
                *length = message.msg_len as usize;
            }
            count
        }
    }
}

/// Buffers for datagrams on their way out, used by one socket at a time.
pub struct Send {
    bytes: Vec<[u8; MAX_DATAGRAM_BYTES]>,
    lengths: [usize; BATCH],
    filled: usize,
}

impl Default for Send {
    fn default() -> Self {
        Self {
            bytes: vec![[0; MAX_DATAGRAM_BYTES]; BATCH],
            lengths: [0; BATCH],
            filled: 0,
        }
    }
}

/// The way from one session to its server. What was written goes out in as few calls as possible, at the latest when
/// this is dropped. Best effort, as UDP is: what the system refuses is lost.
pub struct Link<'a> {
    send: &'a mut Send,
    socket: &'a UdpSocket,
    server: SocketAddr,
}

impl<'a> Link<'a> {
    /// A way out through a socket that is connected to `server`.
    pub fn new(send: &'a mut Send, socket: &'a UdpSocket, server: SocketAddr) -> Self {
        Self { send, socket, server }
    }

    fn flush(&mut self) {
        let count = std::mem::take(&mut self.send.filled);
        // SAFETY: all zeroes is valid for both; the pointers are to buffers that outlive the calls.
        unsafe {
            let mut parts: [libc::iovec; BATCH] = zeroed();
            let mut messages: [libc::mmsghdr; BATCH] = zeroed();
            for (n, bytes) in self.send.bytes.iter_mut().enumerate().take(count) {
                parts[n] = libc::iovec {
                    iov_base: bytes.as_mut_ptr().cast(),
                    iov_len: self.send.lengths[n],
                };
                messages[n].msg_hdr.msg_iov = &mut parts[n];
                messages[n].msg_hdr.msg_iovlen = 1;
            }
            let mut sent = 0;
            while sent < count {
                let (fd, rest) = (self.socket.as_raw_fd(), (count - sent) as u32);
                let taken = libc::sendmmsg(fd, messages[sent..].as_mut_ptr(), rest, 0);
                // A refused datagram (a full buffer, an ICMP error reported late) is skipped.
                sent += usize::try_from(taken).unwrap_or(0).max(1);
            }
        }
    }
}

impl Wire for Link<'_> {
    fn buffer(&mut self) -> &mut [u8; MAX_DATAGRAM_BYTES] {
        if self.send.filled == BATCH {
            self.flush();
        }
        &mut self.send.bytes[self.send.filled]
    }

    /// Goes to the connected server, or, as a check of another candidate, nowhere.
    fn send(&mut self, len: usize, to: SocketAddr) {
        if to == self.server {
            self.send.lengths[self.send.filled] = len;
            self.send.filled += 1;
        }
    }
}

impl Drop for Link<'_> {
    fn drop(&mut self) {
        self.flush();
    }
}

fn check(result: i32) -> io::Result<i32> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A generous limit: the test waits for an event, not for the time.
    const LIMIT: Duration = Duration::from_secs(20);

    #[test]
    fn batches_arrive_whole_and_in_order() {
        let server = UdpSocket::bind("127.0.0.1:0").expect("a loopback port");
        let socket = connect(server.local_addr().expect("bound")).expect("connects");
        server
            .connect(("127.0.0.1", socket.local_addr().expect("bound").port()))
            .expect("connects");
        let count = BATCH + 5;
        let datagrams: Vec<_> = (0..count).map(|n| vec![n as u8; n + 1]).collect();
        let (mut buffers, to) = (Send::default(), server.peer_addr().expect("connected"));
        let mut link = Link::new(&mut buffers, &server, to);
        datagrams.iter().for_each(|datagram| link.send_copy(datagram, to));
        link.send_copy(b"elsewhere", server.local_addr().expect("bound"));
        drop(link);

        let (mut poll, mut receive, mut got) = (Poll::new().expect("epoll"), Receive::default(), Vec::new());
        poll.add(&socket, 7).expect("adds");
        while got.len() < count {
            let mut readable = Vec::new();
            poll.wait(LIMIT, &mut readable).expect("waits");
            assert_eq!(readable, [7]);
            receive.read(&socket, |bytes| got.push(bytes.to_vec()));
        }
        assert_eq!(got, datagrams);
    }

    #[test]
    fn a_waker_ends_the_wait_without_a_token() {
        let mut poll = Poll::new().expect("epoll");
        let waker = poll.waker().expect("clones");
        let thread = std::thread::spawn(move || waker.wake());
        let mut readable = Vec::new();
        poll.wait(LIMIT, &mut readable).expect("waits");
        thread.join().expect("no panic");
        assert!(readable.is_empty());
    }
}
