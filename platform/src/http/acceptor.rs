//! Takes connections, so many at once and no more: descriptors are shared with calls. What is not
//! taken waits in the system's backlog. A connection on which nothing moves is ended.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use poem::http::uri::Scheme;
use poem::listener::Acceptor;
use poem::web::{LocalAddr, RemoteAddr};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

/// Connections at once.
pub(super) const MOST_CONNECTIONS: usize = 4_096;
/// How long to wait after the system refused a connection: it has no descriptors left, and would
/// refuse the next one too.
const BREATH: Duration = Duration::from_millis(100);
/// A connection ends when nothing came or went for so long: its request's head never came to an end,
/// or its client takes no answer. Longer than any answer takes.
const STILL_FOR: Duration = Duration::from_secs(120);

/// An acceptor with a limit.
pub(super) struct Limited<A> {
    inner: A,
    seats: Arc<Semaphore>,
}

impl<A> Limited<A> {
    pub(super) fn new(inner: A, most: usize) -> Self {
        Self { inner, seats: Arc::new(Semaphore::new(most)) }
    }
}

impl<A: Acceptor> Acceptor for Limited<A> {
    type Io = Seated<A::Io>;

    fn local_addr(&self) -> Vec<LocalAddr> {
        self.inner.local_addr()
    }

    async fn accept(&mut self) -> io::Result<(Self::Io, LocalAddr, RemoteAddr, Scheme)> {
        let seats = Arc::clone(&self.seats);
        let seat = seats.acquire_owned().await.map_err(io::Error::other)?;
        match self.inner.accept().await {
            Ok((io, local, remote, scheme)) => {
                Ok((Seated::new(io, seat, STILL_FOR), local, remote, scheme))
            }
            Err(error) => {
                tracing::warn!(%error, "an HTTP connection was not taken");
                tokio::time::sleep(BREATH).await;
                Err(error)
            }
        }
    }
}

/// A connection with its seat.
pub(super) struct Seated<T> {
    inner: T,
    still_for: Duration,
    still: Pin<Box<Sleep>>,
    _seat: OwnedSemaphorePermit,
}

impl<T> Seated<T> {
    fn new(inner: T, seat: OwnedSemaphorePermit, still_for: Duration) -> Self {
        Self { inner, still_for, still: Box::pin(sleep(still_for)), _seat: seat }
    }

    /// Begins the time anew where something moved, and ends the connection where it has run out.
    fn watched<R>(
        &mut self,
        moved: Poll<io::Result<R>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<R>> {
        if moved.is_ready() {
            self.still.as_mut().reset(Instant::now() + self.still_for);
            return moved;
        }
        match self.still.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Seated<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let moved = Pin::new(&mut self.inner).poll_read(cx, buffer);
        self.watched(moved, cx)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Seated<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let moved = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.watched(moved, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use poem::listener::{Listener as _, TcpListener};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::net::TcpStream;

    #[tokio::test]
    async fn a_connection_waits_until_another_ends() {
        let inner = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
        let address = *inner.local_addr()[0].as_socket_addr().unwrap();
        let mut acceptor = Limited::new(inner, 1);
        let _clients = (
            TcpStream::connect(address).await.unwrap(),
            TcpStream::connect(address).await.unwrap(),
        );
        let (first, ..) = acceptor.accept().await.unwrap();
        {
            let mut second = std::pin::pin!(acceptor.accept());
            let mut context = Context::from_waker(std::task::Waker::noop());
            assert!(second.as_mut().poll(&mut context).is_pending());
        }
        assert_eq!(acceptor.seats.available_permits(), 0);
        drop(first);
        assert!(acceptor.accept().await.is_ok());
    }

    #[tokio::test]
    async fn a_connection_on_which_nothing_moves_is_ended() {
        let (mut client, server) = duplex(64);
        let seat = Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap();
        let still_for = Duration::from_millis(50);
        let mut served = Seated::new(server, seat, still_for);
        let (mut byte, mut last) = ([0], Instant::now());
        // Bytes that come now and then keep it open for longer than it may be still.
        for _ in 0..4 {
            sleep(still_for / 2).await;
            client.write_all(b"G").await.unwrap();
            last = Instant::now();
            served.read_exact(&mut byte).await.unwrap();
        }
        let error = served.read_exact(&mut byte).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(last.elapsed() >= still_for, "the time began anew with the last byte");
    }
}
