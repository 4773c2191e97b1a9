//! The least that forwarding can cost here: AES-256-GCM and `sendmmsg` by 64, to as many sockets.
//!
//! Nobody waits at these sockets. On loopback the sender also pays for waking the receiver, so that the engine's figure
//! holds about a microsecond per packet which a network card would not ask for.

use mitalk_media::light::{Header, MAX_TAG_BYTES, Profile, contexts};
use std::mem::zeroed;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;

const ROUNDS: usize = 200;
const BATCH: usize = 64;
const PACKET_BYTES: usize = 124;

/// Nanoseconds per packet.
pub(crate) struct Floor {
    pub(crate) seal_ns: f64,
    pub(crate) send_ns: f64,
}

/// Measures both, one after the other, on this thread.
pub(crate) fn measure(destinations: usize) -> Floor {
    Floor {
        seal_ns: seal(destinations),
        send_ns: send(destinations),
    }
}

/// A key per listener, as in the engine: the keys' tables do not all fit the cache.
fn seal(listeners: usize) -> f64 {
    let contexts: Vec<_> = (0..listeners)
        .map(|at| contexts(Profile::Gcm256, &[at as u8; 88]).unwrap().0)
        .collect();
    let mut packet = [0; PACKET_BYTES + MAX_TAG_BYTES];
    let started = cpu();
    for index in 1..=ROUNDS as u64 {
        for context in &contexts {
            let header = Header {
                sequence: index as u16,
                level: Some(20),
                csrc: Some(1),
                ..Header::default()
            };
            let at = header.write(1, &mut packet);
            context.seal(&mut packet, at, PACKET_BYTES, index);
        }
    }
    (cpu() - started).as_nanos() as f64 / (ROUNDS * listeners) as f64
}

/// To sockets that nobody reads: what does not fit them is dropped after all the work is done.
fn send(destinations: usize) -> f64 {
    let sockets: Vec<UdpSocket> = (0..destinations)
        .map(|_| UdpSocket::bind("127.0.0.1:0").unwrap())
        .collect();
    let mut addresses: Vec<libc::sockaddr_in> = sockets.iter().map(address).collect();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut packet = [0u8; PACKET_BYTES + MAX_TAG_BYTES];
    let mut vector = libc::iovec {
        iov_base: packet.as_mut_ptr().cast(),
        iov_len: packet.len(),
    };
    let started = cpu();
    for _ in 0..ROUNDS {
        for batch in addresses.chunks_mut(BATCH) {
            // SAFETY: zero is a valid header; all pointers outlive the call.
            unsafe {
                let mut headers: [libc::mmsghdr; BATCH] = zeroed();
                for (header, address) in headers.iter_mut().zip(batch.iter_mut()) {
                    header.msg_hdr.msg_name = std::ptr::from_mut(address).cast();
                    header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_in>() as u32;
                    header.msg_hdr.msg_iov = &mut vector;
                    header.msg_hdr.msg_iovlen = 1;
                }
                libc::sendmmsg(sender.as_raw_fd(), headers.as_mut_ptr(), batch.len() as u32, 0);
            }
        }
    }
    (cpu() - started).as_nanos() as f64 / (ROUNDS * destinations) as f64
}

/// CPU time of this thread, like the engine's figure: others may be using the machine.
fn cpu() -> Duration {
    // SAFETY: zero is a valid time, and the pointer outlives the call.
    let time = unsafe {
        let mut time: libc::timespec = zeroed();
        libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time);
        time
    };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn address(socket: &UdpSocket) -> libc::sockaddr_in {
    let SocketAddr::V4(v4) = socket.local_addr().unwrap() else {
        unreachable!("bound to IPv4")
    };
    // SAFETY: zero is a valid address.
    let mut raw: libc::sockaddr_in = unsafe { zeroed() };
    raw.sin_family = libc::AF_INET as libc::sa_family_t;
    raw.sin_port = v4.port().to_be();
    raw.sin_addr.s_addr = u32::from(*v4.ip()).to_be();
    raw
}
