//! 64 datagrams and the two system calls that move them at once.
//!
//! Invariant: the pointers handed to the system live for one call only. They are set anew each time (a few
//! nanoseconds per datagram), so nothing here points into itself.

use crate::wire::MAX_DATAGRAM_BYTES;
use std::io;
use std::mem::{size_of, zeroed};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::RawFd;
use std::ptr;

/// Datagrams per system call.
pub(super) const BATCH: usize = 64;

/// Buffers for one system call.
pub(crate) struct Batch {
    buffers: Box<[[u8; MAX_DATAGRAM_BYTES]]>,
    addresses: [Address; BATCH],
    lengths: [usize; BATCH],
}

/// An address as the system wants it.
#[derive(Clone, Copy)]
#[repr(C)]
union Address {
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
}

impl Default for Batch {
    fn default() -> Self {
        Self {
            buffers: vec![[0; MAX_DATAGRAM_BYTES]; BATCH].into_boxed_slice(),
            addresses: [Address::zero(); BATCH],
            lengths: [0; BATCH],
        }
    }
}

impl Batch {
    pub(super) fn buffer(&mut self, at: usize) -> &mut [u8; MAX_DATAGRAM_BYTES] {
        &mut self.buffers[at]
    }

    /// The datagram in buffer `at` is `len` bytes long and goes to `to`.
    pub(super) fn set(&mut self, at: usize, len: usize, to: SocketAddr) {
        (self.lengths[at], self.addresses[at]) = (len, to.into());
    }

    pub(super) fn is_ipv4(&self, at: usize) -> bool {
        self.addresses[at].is_ipv4()
    }

    /// The first `count` datagrams and where they came from; truncated ones are left out.
    pub(super) fn received(&self, count: usize) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        (0..count.min(BATCH)).filter_map(|at| {
            let datagram = self.buffers[at].get(..self.lengths[at])?;
            Some((self.addresses[at].to_socket_addr()?, datagram))
        })
    }

    /// Takes what has arrived. Returns how many datagrams.
    pub(super) fn receive(&mut self, fd: RawFd) -> usize {
        self.lengths = [MAX_DATAGRAM_BYTES; BATCH];
        self.addresses = [Address::zero(); BATCH];
        let (count, lengths) = self.with_headers(0, BATCH, |headers| {
            // SAFETY: every header points at a buffer, an address and a vector that outlive the call.
            let count = unsafe {
                let count = BATCH as libc::c_uint;
                libc::recvmmsg(
                    fd,
                    headers.as_mut_ptr(),
                    count,
                    libc::MSG_DONTWAIT,
                    ptr::null_mut(),
                )
            };
            (count, std::array::from_fn(|at| received_bytes(&headers[at])))
        });
        self.lengths = lengths;
        usize::try_from(count).unwrap_or(0)
    }

    /// Sends the datagrams `from..to`. Returns how many were taken, at least one. The others stay as they were, to be
    /// sent again: the system writes lengths for those only that it took.
    ///
    /// # Errors
    /// What the system says about the first of them.
    pub(super) fn send(&mut self, fd: RawFd, from: usize, to: usize) -> io::Result<usize> {
        let sent = self.with_headers(from, to, |headers| {
            // SAFETY: as above.
            unsafe {
                libc::sendmmsg(
                    fd,
                    headers.as_mut_ptr(),
                    headers.len() as libc::c_uint,
                    libc::MSG_DONTWAIT,
                )
            }
        });
        // Neither an error nor progress: leave one out, as for an address that cannot be reached.
        if sent == 0 {
            Err(io::ErrorKind::Other.into())
        } else {
            usize::try_from(sent).map_err(|_| io::Error::last_os_error())
        }
    }

    /// Lays out what the system calls want.
    fn with_headers<T>(&mut self, from: usize, to: usize, call: impl FnOnce(&mut [libc::mmsghdr]) -> T) -> T {
        // SAFETY: both are plain data of the system's, for which zero is a valid value.
        let mut headers: [libc::mmsghdr; BATCH] = unsafe { zeroed() };
        let mut vectors: [libc::iovec; BATCH] = unsafe { zeroed() };
        for (at, (header, vector)) in headers
            .iter_mut()
            .zip(&mut vectors)
            .enumerate()
            .take(to)
            .skip(from)
        {
            vector.iov_base = self.buffers[at].as_mut_ptr().cast();
            vector.iov_len = self.lengths[at];
            header.msg_hdr.msg_name = ptr::from_mut(&mut self.addresses[at]).cast();
            header.msg_hdr.msg_namelen = self.addresses[at].len();
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
        }
        call(&mut headers[from..to])
    }
}

/// How much the system wrote; more than any buffer if it had to cut the datagram.
fn received_bytes(header: &libc::mmsghdr) -> usize {
    if header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0 {
        usize::MAX
    } else {
        header.msg_len as usize
    }
}

impl Address {
    fn zero() -> Self {
        // SAFETY: plain data, for which zero is a valid value.
        unsafe { zeroed() }
    }

    fn family(&self) -> libc::sa_family_t {
        // SAFETY: both members begin with the family, and all bytes are initialised.
        unsafe { self.v4.sin_family }
    }

    fn is_ipv4(&self) -> bool {
        libc::c_int::from(self.family()) == libc::AF_INET
    }

    /// What to tell the system: the size of the address, or of the room for one.
    fn len(&self) -> libc::socklen_t {
        let len = if self.is_ipv4() {
            size_of::<libc::sockaddr_in>()
        } else {
            size_of::<Self>()
        };
        len as libc::socklen_t
    }

    fn to_socket_addr(self) -> Option<SocketAddr> {
        match libc::c_int::from(self.family()) {
            libc::AF_INET => {
                // SAFETY: the family says which member it is.
                let v4 = unsafe { self.v4 };
                let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
                Some(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
            }
            libc::AF_INET6 => {
                // SAFETY: the family says which member it is.
                let v6 = unsafe { self.v6 };
                let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
                Some(SocketAddrV6::new(ip, u16::from_be(v6.sin6_port), 0, v6.sin6_scope_id).into())
            }
            _ => None,
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        let mut raw = Self::zero();
        match address {
            SocketAddr::V4(v4) => {
                raw.v4.sin_family = libc::AF_INET as libc::sa_family_t;
                raw.v4.sin_port = v4.port().to_be();
                raw.v4.sin_addr.s_addr = u32::from(*v4.ip()).to_be();
            }
            SocketAddr::V6(v6) => {
                raw.v6.sin6_family = libc::AF_INET6 as libc::sa_family_t;
                raw.v6.sin6_port = v6.port().to_be();
                raw.v6.sin6_addr.s6_addr = v6.ip().octets();
                raw.v6.sin6_scope_id = v6.scope_id();
            }
        }
        raw
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsRawFd;

    #[test]
    fn addresses_survive_the_system_format() {
        for text in ["192.0.2.1:4711", "[2001:db8::1]:4711", "[fe80::1%3]:9"] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(Address::from(address).to_socket_addr(), Some(address));
        }
    }

    #[test]
    fn a_batch_arrives_whole_and_what_is_too_long_is_left_out() {
        for any in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(receiver) = UdpSocket::bind(any) else {
                continue;
            };
            let sender = UdpSocket::bind(any).unwrap();
            let to = receiver.local_addr().unwrap();
            let mut out = Batch::default();
            for at in 0..BATCH {
                out.buffer(at)[0] = at as u8;
                out.set(at, 1 + at, to);
            }
            assert_eq!(out.send(sender.as_raw_fd(), 0, BATCH).unwrap(), BATCH);
            sender.send_to(&[0; MAX_DATAGRAM_BYTES + 1], to).unwrap();
            let mut batch = Batch::default();
            let count = batch.receive(receiver.as_raw_fd());
            let received: Vec<_> = batch.received(count).collect();
            assert_eq!(received.len(), BATCH);
            for (at, (from, datagram)) in received.into_iter().enumerate() {
                assert_eq!((from, datagram.len()), (sender.local_addr().unwrap(), 1 + at));
                assert_eq!(datagram[0], at as u8);
            }
            let count = batch.receive(receiver.as_raw_fd());
            assert_eq!((count, batch.received(count).count()), (1, 0));
            assert_eq!(batch.receive(receiver.as_raw_fd()), 0);
        }
    }
}
