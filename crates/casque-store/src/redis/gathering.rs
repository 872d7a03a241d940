//! Commands that are asked for at the same moment go out together.

use std::{
    io,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::dial::BoxedWire;

/// A wire that lets every task run that is ready before it writes: what these ask for goes out in the same packet, and
/// its answers come back in one. A packet costs both sides more than a command does.
///
/// For a writer that takes more on while a write is pending. Where nothing else is ready, nothing is waited for.
pub(super) struct Gathering {
    wire: BoxedWire,
    /// The others have had their turn since the last flush.
    has_gathered: bool,
}

impl Gathering {
    pub(super) fn new(wire: BoxedWire) -> Self {
        Self {
            wire,
            has_gathered: false,
        }
    }
}

impl AsyncRead for Gathering {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Gathering {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if !self.has_gathered {
            self.has_gathered = true;
            // Behind all that are ready, those of whom the system has just news among them. A task that wakes itself
            // would be behind the first kind only, and would wake another thread of the runtime to steal it.
            if pin!(tokio::task::yield_now()).poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
        Pin::new(&mut self.wire).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = ready!(Pin::new(&mut self.wire).poll_flush(cx));
        self.has_gathered = false;
        Poll::Ready(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use redis::{AsyncConnectionConfig, RedisConnectionInfo, aio::MultiplexedConnection, cmd};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[test]
    fn what_ready_tasks_ask_for_is_written_at_once() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
            let info = RedisConnectionInfo::default().set_skip_set_lib_name();
            let config = AsyncConnectionConfig::new().set_response_timeout(None);
            let wire = Gathering::new(Box::new(ours));
            let (connection, driver) = MultiplexedConnection::new_with_config(&info, wire, config)
                .await
                .expect("nothing is said at the beginning");
            tokio::spawn(driver);
            let start = Arc::new(tokio::sync::Barrier::new(5));
            let callers: Vec<_> = (0..5)
                .map(|_| {
                    let (mut connection, start) = (connection.clone(), start.clone());
                    tokio::spawn(async move {
                        start.wait().await;
                        cmd("PING").query_async::<String>(&mut connection).await
                    })
                })
                .collect();
            let mut packet = vec![0; 64 * 1024];
            let read = theirs.read(&mut packet).await.expect("open");
            let pings = packet[..read].windows(4).filter(|word| *word == b"PING");
            assert_eq!(pings.count(), 5);
            theirs
                .write_all(&b"+PONG\r\n".repeat(5))
                .await
                .expect("open");
            for caller in callers {
                assert_eq!(caller.await.expect("no panic").expect("an answer"), "PONG");
            }
        });
    }
}
