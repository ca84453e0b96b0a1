//! `Dashboard`: the options of the dashboard, and the router that they make. Called by the service that mounts it or by `serve`.

use std::{fmt, sync::Arc};

use axum::Router;

use crate::{access::Access, routes, site::Site, source::Source};

/// The dashboard of a tracker. Everything is denied that an option does not allow: it only reads, and every request needs the token.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tracker_core::Tracker;
/// use tracker_web::Dashboard;
///
/// let tracker = Tracker::in_memory()?;
/// let dashboard = Dashboard::new(tracker);
/// if let Some(token) = dashboard.token() {
///     println!("http://127.0.0.1:3000/jobs?token={token}");
/// }
/// let app: axum::Router = axum::Router::new().nest("/jobs", dashboard.router());
/// # Ok(())
/// # }
/// ```
///
/// # Security
///
/// | check | default | option |
/// |---|---|---|
/// | token | a random token in the URL, kept in a `SameSite=Strict`, `HttpOnly` cookie | [`without_token`](Self::without_token) |
/// | `Host` | an IP address or `localhost`, against DNS rebinding | [`host`](Self::host) |
/// | `Origin` | that of the dashboard itself, for every change | - |
/// | changes | none | [`write`](Self::write) |
#[must_use]
pub struct Dashboard {
    source: Box<dyn Source>,
    access: Access,
    write: bool,
    title: Option<String>,
}

/// The reason that a dashboard gives until [`Dashboard::write`] allows changes.
const READ_ONLY: &str = "the program that shows this dashboard allows no commands (Dashboard::write)";

impl Dashboard {
    /// Makes a dashboard that only reads and asks for a new random token.
    pub fn new(source: impl Source) -> Self {
        Self { source: Box::new(source), access: Access::new(), write: false, title: None }
    }

    /// Sets whether the dashboard offers commands. By default it does not.
    pub fn write(mut self, allowed: bool) -> Self {
        self.write = allowed;
        self
    }

    /// Sets the name on every page. By default it is that of the source.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// Adds a name of a host, without a port, under which browsers reach the dashboard, such as `jobs.example.org`. IP addresses and
    /// `localhost` need none.
    pub fn host(mut self, name: impl Into<String>) -> Self {
        self.access.hosts.push(name.into());
        self
    }

    /// Does not ask for a token. Every request that reaches the router is answered: put the router behind the authentication of the
    /// program. The checks of host and origin stay.
    pub fn without_token(mut self) -> Self {
        self.access.token = None;
        self
    }

    /// Returns the token that a URL must give once, as `?token=TOKEN`; `None` after [`without_token`](Self::without_token).
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.access.token.as_deref()
    }

    /// Makes the router. All links are relative, so that it works under any path, with [`Router::nest`] or by itself.
    #[must_use = "the router does nothing until it is served"]
    pub fn router(self) -> Router {
        let read_only = (!self.write).then(|| READ_ONLY.to_owned());
        // The reason of the source comes first: it knows the program.
        let read_only = read_only.map(|reason| self.source.read_only().unwrap_or(reason));
        routes::router(Arc::new(Site::new(self.source, self.access, read_only, self.title)))
    }
}

/// Without the token.
impl fmt::Debug for Dashboard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dashboard").field("write", &self.write).field("title", &self.title).finish_non_exhaustive()
    }
}
