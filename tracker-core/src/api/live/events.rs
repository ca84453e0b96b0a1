//! `EventSelection` states which events of another process a client asks for, and `LiveEvent` is an event as it is sent; users, `tracker-cli`,
//! `client`, `frame` and `event_stream` use them. `server` calls `send` on the thread of a connection: it writes the events of a subscription to
//! the socket, and blocks while the client is slow.

use serde::{Deserialize, Serialize};

#[cfg(unix)]
use crate::{api::tracker::Tracker, engine::Subscription, model::error::Result};
use crate::{engine::Notification, model::status::StatusInfo};

/// The events that [`Client::subscribe`](super::Client::subscribe) asks for. The default selects all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct EventSelection {
    /// The kind; `None` for every kind, and for batches.
    pub kind: Option<String>,
    /// Leaves out progress.
    pub without_progress: bool,
}

/// An event of another process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct LiveEvent {
    /// The event.
    pub notification: Notification,
    /// The status of the task after the event. `None` if the task is gone, with progress, and with events that are not about a task.
    pub status: Option<StatusInfo>,
}

#[cfg(unix)]
pub(super) use sender::{CAPACITY, send};

#[cfg(unix)]
mod sender {
    use std::{
        io::Write as _,
        os::{fd::AsFd as _, unix::net::UnixStream},
        time::Duration,
    };

    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    use super::{LiveEvent, Notification, Result, StatusInfo, Subscription, Tracker};
    use crate::api::live::frame::{self, Answer, Reply};

    /// The most events that wait for a slow reader: a few megabytes.
    pub(in crate::api::live) const CAPACITY: usize = 1 << 14;
    /// Bytes after which the frames of waiting events are written. The last frame may exceed it.
    const WRITE_BYTES: usize = 1 << 16;
    /// How often a connection without events is checked for its end.
    const CHECK_EVERY: Duration = Duration::from_secs(1);

    /// Writes events to a connection until the subscription ends or the client closes the connection. A slow client delays only this
    /// thread. The subscription drops events meanwhile, and counts them.
    pub(in crate::api::live) fn send(
        subscription: &Subscription,
        tracker: &Tracker,
        mut stream: &UnixStream,
        is_stopping: impl Fn() -> bool,
    ) -> Result<()> {
        let io_error = |error| frame::connection_error(&error);
        stream.set_write_timeout(None).map_err(io_error)?;
        let encode = |notification| {
            frame::encode(&Answer::Ok(Reply::Event(live_event(tracker, notification))), frame::LONGEST_ANSWER)
        };
        loop {
            // Checked before the next event is taken: a closed subscription gets no further event, so that none is missed.
            let has_ended = subscription.is_closed();
            let Some(event) = subscription.next_within(CHECK_EVERY) else {
                if has_ended {
                    let end = frame::encode(&Answer::Ok(Reply::EventsEnded), frame::LONGEST_ANSWER)?;
                    return stream.write_all(&end).map_err(io_error);
                }
                // A server that stops has shut down the reading side itself, so that the connection is readable too.
                if has_hung_up(stream) && !is_stopping() {
                    return Ok(());
                }
                continue;
            };
            let mut frames = encode(event)?;
            while frames.len() < WRITE_BYTES
                && let Some(event) = subscription.try_next()
            {
                frames.extend(encode(event)?);
            }
            stream.write_all(&frames).map_err(io_error)?;
        }
    }

    /// Whether the client has closed the connection. It sends nothing after its call, so a readable connection is a closed one.
    fn has_hung_up(stream: &UnixStream) -> bool {
        let mut ready = [PollFd::new(stream.as_fd(), PollFlags::POLLIN)];
        matches!(poll(&mut ready, PollTimeout::ZERO), Ok(ready) if ready > 0)
    }

    fn live_event(tracker: &Tracker, notification: Notification) -> LiveEvent {
        let status = status_of(tracker, &notification);
        LiveEvent { notification, status }
    }

    fn status_of(tracker: &Tracker, notification: &Notification) -> Option<StatusInfo> {
        let Notification::Event(event) = notification else { return None };
        let code = event.status?;
        let kinds = tracker.shared.engine.kinds();
        kinds.by_name(&event.kind)?.graph.statuses().iter().find(|status| status.code == code).cloned()
    }
}
