//! A client's connection, with bounds that HTTP does not set.
//!
//! - A peer that takes nothing for [`WRITE_TIMEOUT`] while something is to be written is cut off: what waits for it is
//!   kernel memory, megabytes for each connection.
//! - What comes in is taken at a bounded rate. Frames of a WebSocket can be empty, so a bound on messages is none on frames:
//!   one peer sent six million of them a second.
//! - The connection's places are held as long as the stream lives, also after it became a WebSocket.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

/// Longer than a mobile network loses its radio; the live socket's own time-out is shorter.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// What a client may send is counted over so long.
const READ_WINDOW: Duration = Duration::from_secs(1);
/// Bytes taken of one connection in a window: 16 of the largest bodies.
const READ_BYTES: usize = 1024 * 1024;

/// See the module. `P` is what is held as long as it lives.
pub(super) struct Stream<P> {
    inner: TcpStream,
    /// Armed while the peer takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
    /// None: reads are not counted, the peer is a proxy that carries many people's requests.
    reads: Option<Reads>,
    _places: P,
}

struct Reads {
    since: Instant,
    bytes: usize,
    /// Armed while the window is used up.
    pause: Option<Pin<Box<Sleep>>>,
}

impl<P> Stream<P> {
    pub(super) fn new(inner: TcpStream, is_proxy: bool, places: P) -> Self {
        let reads = (!is_proxy).then(|| Reads {
            since: Instant::now(),
            bytes: 0,
            pause: None,
        });
        Self {
            inner,
            stalled: None,
            reads,
            _places: places,
        }
    }

    /// Watches what became of a write.
    fn progress<T>(&mut self, cx: &mut Context, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(WRITE_TIMEOUT)));
        ready!(stalled.as_mut().poll(cx));
        // Else the kernel goes on keeping what was not taken after we closed.
        let _ = self.inner.set_zero_linger();
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl Reads {
    fn poll_allowed(&mut self, cx: &mut Context) -> Poll<()> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        if self.since.elapsed() >= READ_WINDOW {
            self.since = Instant::now();
            self.bytes = 0;
        }
        if self.bytes < READ_BYTES {
            return Poll::Ready(());
        }
        let pause = self.pause.insert(Box::pin(sleep_until(self.since + READ_WINDOW)));
        ready!(pause.as_mut().poll(cx));
        self.pause = None;
        self.since = Instant::now();
        self.bytes = 0;
        Poll::Ready(())
    }
}

impl<P: Unpin> AsyncRead for Stream<P> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context, buffer: &mut ReadBuf) -> Poll<io::Result<()>> {
        if let Some(reads) = &mut self.reads {
            ready!(reads.poll_allowed(cx));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buffer))?;
        if let Some(reads) = &mut self.reads {
            reads.bytes += buffer.filled().len() - before;
        }
        Poll::Ready(Ok(()))
    }
}

impl<P: Unpin> AsyncWrite for Stream<P> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.progress(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context,
        bytes: &[io::IoSlice],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, bytes);
        self.progress(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    async fn pair() -> (Stream<()>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        (Stream::new(server, false, ()), client)
    }

    /// Time goes by itself when nothing else can happen.
    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_is_cut_off() {
        let (mut server, client) = pair().await;
        let before = Instant::now();
        let chunk = vec![0; 64 * 1024];
        let error = loop {
            if let Err(error) = server.write_all(&chunk).await {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(before.elapsed() >= WRITE_TIMEOUT);
        drop(client);
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_in_is_taken_at_a_bounded_rate() {
        let (mut server, mut client) = pair().await;
        let sent = 3 * READ_BYTES;
        let sender = tokio::spawn(async move { client.write_all(&vec![0; sent]).await });
        let before = Instant::now();
        let mut buffer = vec![0; READ_BYTES];
        let mut seen = 0;
        while seen < sent {
            let bytes = server.read(&mut buffer).await.unwrap();
            assert!(bytes > 0, "the end came after {seen}");
            seen += bytes;
        }
        let took = before.elapsed();
        assert!(took >= READ_WINDOW, "three windows full took {took:?}");
        sender.await.unwrap().unwrap();
    }
}
