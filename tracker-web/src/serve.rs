//! `Dashboard::serve`: a web server for the dashboard (feature `serve`), for programs without one. Called by users and `tracker serve`; listens
//! on a socket.

use std::io;

use tokio::net::TcpListener;

use crate::dashboard::Dashboard;

impl Dashboard {
    /// Serves the dashboard on a listener until the future is dropped. Needs a tokio runtime with I/O and time.
    ///
    /// # Errors
    /// An error of the listener.
    pub async fn serve(self, listener: TcpListener) -> io::Result<()> {
        axum::serve(listener, self.router()).await
    }
}
