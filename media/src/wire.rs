//! Where datagrams go out: the one seam between the sans-I/O core and a socket.
//!
//! A packet is written straight into the buffer from which the system sends it: at 50 packets a second to
//! thousands of listeners a second copy is worth avoiding.

use std::net::SocketAddr;

/// The largest datagram we send or take in; Ethernet's limit, and more than any Opus packet needs.
pub const MAX_DATAGRAM_BYTES: usize = 1500;

/// Takes outgoing datagrams.
pub trait Wire {
    /// The buffer of the next datagram. What it holds is undefined.
    fn buffer(&mut self) -> &mut [u8; MAX_DATAGRAM_BYTES];

    /// Sends the first `len` bytes of [`Wire::buffer`]. May be lost, like any datagram.
    fn send(&mut self, len: usize, to: SocketAddr);

    /// Sends a copy. Longer ones than [`MAX_DATAGRAM_BYTES`] are dropped; nothing we write is.
    fn send_copy(&mut self, datagram: &[u8], to: SocketAddr) {
        if let Some(buffer) = self.buffer().get_mut(..datagram.len()) {
            buffer.copy_from_slice(datagram);
            self.send(datagram.len(), to);
        }
    }
}
