//! SIGINT (Ctrl-C) and SIGTERM.

use std::future::Future;

use lifeboat_model::Code;

use tokio_util::sync::CancellationToken;

use crate::failure::Failure;
use crate::progress::Progress;

/// Runs `work` until it ends or the process is asked to end. Dropping the work leaves the same state as a crash, which
/// every command can continue from; the operating system releases the locks.
pub(crate) async fn unless_interrupted<T>(
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::select! {
        result = work => result,
        signal = signal() => Err(interrupted(signal)),
    }
}

/// Runs `work` to its end, and cancels `token` when the process is asked to end, so that the work completes what it has
/// begun. A second signal ends the work at once.
pub(crate) async fn interruptible<T>(
    work: impl Future<Output = Result<T, Failure>>,
    token: CancellationToken,
    progress: &Progress,
) -> Result<T, Failure> {
    let mut work = std::pin::pin!(work);
    let first = tokio::select! {
        result = &mut work => return result,
        signal = signal() => signal,
    };
    token.cancel();
    progress.warn(format!(
        "{first}: completing what is being written; a second signal ends the command at once"
    ));
    tokio::select! {
        result = work => result,
        signal = signal() => Err(interrupted(signal)),
    }
}

fn interrupted(signal: &str) -> Failure {
    Failure::new(Code::Interrupted, format!("interrupted by {signal}"))
}

#[cfg(unix)]
async fn signal() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    // Without a handler the system ends the process at once, which is also safe.
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => "SIGINT (Ctrl-C)",
        _ = terminate.recv() => "SIGTERM",
    }
}

#[cfg(not(unix))]
async fn signal() -> &'static str {
    match tokio::signal::ctrl_c().await {
        Ok(()) => "Ctrl-C",
        Err(_) => std::future::pending().await,
    }
}
