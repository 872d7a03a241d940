//! How a command that runs until it is told to end is told.

use std::future::Future;
use std::io;
use std::sync::Arc;

use casque_server::Server;
use tokio::sync::Notify;

/// Completes at Ctrl-C or, where there is such a thing, SIGTERM.
pub(crate) fn told_to_end() -> io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};

        let (mut interrupt, mut terminate) = (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        );
        Ok(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        })
    }
    #[cfg(not(unix))]
    Ok(async {
        // Without a signal the server ends with its process.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}

/// As [`told_to_end`], for a server that drains. Ctrl-C does not wait for that, and neither does a second SIGTERM.
pub(crate) fn told_to_drain(server: Server) -> io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};

        let (mut interrupt, mut terminate) = (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        );
        Ok(async move {
            let hurried = tokio::select! {
                _ = interrupt.recv() => true,
                _ = terminate.recv() => false,
            };
            if hurried {
                server.hurry();
                return;
            }
            tokio::spawn(async move {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                server.hurry();
            });
        })
    }
    #[cfg(not(unix))]
    {
        let _ = server;
        told_to_end()
    }
}

/// Notifies at every SIGHUP, where there is such a thing.
pub(crate) fn notify_hangups(reload: Arc<Notify>) -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};

        let mut hangups = signal(SignalKind::hangup())?;
        tokio::spawn(async move {
            while hangups.recv().await.is_some() {
                reload.notify_one();
            }
        });
    }
    #[cfg(not(unix))]
    let _ = reload;
    Ok(())
}
