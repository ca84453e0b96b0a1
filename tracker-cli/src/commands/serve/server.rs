//! Listens on the port, prints the URL, and serves the dashboard until the process ends. Called by `tracker serve`.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use serde::Serialize;
use tokio::{net::TcpListener, runtime};
use tracker_web::Dashboard;

use super::{Args, file_source::FileSource};
use crate::{
    error::CliError,
    exit::Exit,
    output::{Output, TextStyle, TextWriter, View},
};

/// The output of the command when the dashboard is ready.
#[derive(Serialize)]
struct Served {
    url: String,
    /// The address on which it listens.
    listen: SocketAddr,
    write: bool,
}

pub fn run(args: &Args, output: &Output) -> Result<Exit, CliError> {
    let source = FileSource::open(args.file.clone(), args.write)?;
    let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_io().enable_time().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(args.listen).await.map_err(|error| refused(args.listen, &error))?;
        let listen = listener.local_addr()?;
        let mut dashboard = Dashboard::new(source).write(args.write);
        for name in &args.host {
            dashboard = dashboard.host(name);
        }
        let token = dashboard.token().unwrap_or_default();
        let url = format!("http://{}/?token={token}", reachable(listen));
        if !listen.ip().is_loopback() {
            eprintln!(
                "tracker: warning: other machines can reach {listen}, and the connection is not encrypted: anyone who reads along can use the dashboard"
            );
        }
        output.print(&Served { url, listen, write: args.write })?;
        Ok(dashboard.serve(listener).await?)
    })
    .map(|()| Exit::Success)
}

fn refused(listen: SocketAddr, error: &io::Error) -> CliError {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => ": another program listens there; choose another port, or port 0 for a free one",
        io::ErrorKind::AddrNotAvailable => ": this machine does not have the address",
        _ => "",
    };
    CliError::file(format!("cannot listen on {listen}: {error}{advice}"))
}

/// The address under which a browser on this machine reaches a listener.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let loopback: IpAddr = if listen.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
    if listen.ip().is_unspecified() { SocketAddr::new(loopback, listen.port()) } else { listen }
}

impl View for Served {
    fn write(&self, out: &mut TextWriter<'_>) -> io::Result<()> {
        out.line(TextStyle::Strong, &self.url)?;
        let commands = if self.write { "commands are allowed" } else { "read only; --write allows commands" };
        out.line(TextStyle::Quiet, &format!("{commands}; Ctrl-C ends it"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_names_an_address_that_a_browser_can_open() {
        for (listen, expected) in
            [("0.0.0.0:80", "127.0.0.1:80"), ("[::]:80", "[::1]:80"), ("10.1.2.3:80", "10.1.2.3:80")]
        {
            let reached = reachable(listen.parse::<SocketAddr>().unwrap_or_else(|error| panic!("{listen}: {error}")));
            assert_eq!(reached.to_string(), expected);
        }
    }
}
