//! `SubscriptionStream` delivers a subscription as a stream, for async programs (feature `tokio`). Made by `Subscription::stream`, read by users.
//! Reads the queue behind its lock, and waits with a timer of tokio.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_core::Stream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::{Next, Subscription};
use crate::engine::event::Notification;

/// A [`Subscription`] as a [`Stream`]. Made by [`Subscription::stream`].
pub struct SubscriptionStream {
    subscription: Subscription,
    /// Ends when withheld progress can be delivered.
    timer: Option<Pin<Box<Sleep>>>,
}

impl fmt::Debug for SubscriptionStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SubscriptionStream").field(&self.subscription).finish()
    }
}

impl Subscription {
    /// Returns the subscription as a stream. It ends when the subscription or the tracker is closed; dropping it closes the
    /// subscription.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # use tracker_core::Tracker;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
    /// # let tracker = Tracker::in_memory()?;
    /// # let jobs = tracker.tasks::<Job>()?.asynchronous();
    /// let mut events = jobs.subscribe().stream();
    /// jobs.submit(&job("one")).await?;
    /// assert!(events.next().await.is_some());
    /// # Ok::<(), tracker_core::Error>(())
    /// # })?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    /// Polls panic outside a tokio runtime whose time driver is enabled, unless the subscription is
    /// [`without_progress`](crate::events::SubscriptionBuilder::without_progress).
    #[must_use]
    pub fn stream(self) -> SubscriptionStream {
        SubscriptionStream { subscription: self, timer: None }
    }
}

impl SubscriptionStream {
    /// Waits for the next item. Returns `None` when the subscription or the tracker is closed. A future that is dropped has lost nothing.
    pub async fn next(&mut self) -> Option<Notification> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// Returns the subscription, for example for its [`handle`](Subscription::handle).
    #[must_use]
    pub fn subscription(&self) -> &Subscription {
        &self.subscription
    }
}

impl Stream for SubscriptionStream {
    type Item = Notification;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Notification>> {
        loop {
            let queue = self.subscription.0.clone();
            let mut state = queue.lock();
            let due = match queue.pop(&mut state) {
                Next::Event(event) => return Poll::Ready(Some(Arc::unwrap_or_clone(event).notification)),
                Next::Lagged(dropped) => return Poll::Ready(Some(Notification::Lagged(dropped))),
                Next::Closed => return Poll::Ready(None),
                Next::Wait(due) => Some(due),
                Next::Empty => None,
            };
            // Done under the lock, so that a push that follows wakes the task. A waker may be foreign code, so it is dropped after the lock.
            let replaced = state.waker.replace(context.waker().clone());
            drop(state);
            drop(replaced);
            self.timer = due.map(|due| Box::pin(sleep_until(Instant::from_std(due))));
            if !self.timer.as_mut().is_some_and(|timer| timer.as_mut().poll(context).is_ready()) {
                return Poll::Pending;
            }
        }
    }
}
