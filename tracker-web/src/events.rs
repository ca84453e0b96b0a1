//! Server-sent events: tells open pages that the file has changed. Called by `routes`; each stream reads the number of the last change at
//! intervals.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::stream::unfold;
use tokio::{
    sync::OwnedSemaphorePermit,
    task::spawn_blocking,
    time::{Interval, MissedTickBehavior, interval},
};

use crate::site::Site;

/// The least time between two events.
const EVERY: Duration = Duration::from_millis(500);
/// The number of looks without a change after which a comment keeps the connection open.
const SILENT: u32 = 30;

/// One page that listens.
struct Listener {
    site: Arc<Site>,
    looks: Interval,
    seen: Option<u64>,
    silent: u32,
    /// Frees the place of this page when it has gone.
    _place: OwnedSemaphorePermit,
}

/// Responds with a stream of events named `change`.
pub fn events(site: Arc<Site>) -> Response {
    let Ok(place) = site.listeners.clone().try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many pages are open").into_response();
    };
    let mut looks = interval(EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let listener = Listener { site, looks, seen: None, silent: 0, _place: place };
    let stream = unfold(listener, |mut listener| async move {
        let event = listener.next().await;
        Some((Ok::<_, Infallible>(Bytes::from_static(event.as_bytes())), listener))
    });
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(stream)).into_response()
}

impl Listener {
    async fn next(&mut self) -> &'static str {
        loop {
            self.looks.tick().await;
            let site = self.site.clone();
            // A file that cannot be read is a change as well: the page shows the reason.
            let number = spawn_blocking(move || site.change_number()).await.ok().flatten();
            let is_first = self.silent == 0 && self.seen.is_none();
            self.silent += 1;
            if is_first {
                self.seen = number;
                return ":\n\n";
            }
            if self.seen != number {
                (self.seen, self.silent) = (number, 1);
                return "event: change\ndata:\n\n";
            }
            if self.silent > SILENT {
                self.silent = 1;
                return ":\n\n";
            }
        }
    }
}
