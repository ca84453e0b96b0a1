//! Runs a closure with a subscriber of this thread, beside tests on other threads.

use std::sync::OnceLock;

use tracing::{Dispatch, Subscriber, subscriber::NoSubscriber};

/// While a process has fewer than two subscribers, `tracing` decides by the subscriber of the thread that meets a callsite first whether the
/// callsite is ever enabled. Two subscribers that stay make it ask all.
static OTHERS: OnceLock<[Dispatch; 2]> = OnceLock::new();

/// Runs a closure with a subscriber of this thread.
pub fn with_subscriber<R>(subscriber: impl Subscriber + Send + Sync + 'static, run: impl FnOnce() -> R) -> R {
    OTHERS.get_or_init(|| [(); 2].map(|()| Dispatch::new(NoSubscriber::default())));
    tracing::subscriber::with_default(subscriber, run)
}
