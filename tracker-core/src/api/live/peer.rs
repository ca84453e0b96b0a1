//! Checks that the user at the other end of a connection may send commands, on systems that tell who it is, and ends reads and writes of a socket
//! by a deadline (`Timed`). Called by `client`, `server` and `lines`.

use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use nix::unistd::geteuid;

use crate::model::error::{Error, ErrorKind, Result};

/// Checks that the other process runs as the same user. Where the system does not tell the user, the access to the directory of the
/// socket decides alone.
pub(super) fn check(stream: &UnixStream) -> Result<()> {
    match user_of(stream)? {
        Some(user) if user != geteuid().as_raw() => Err(Error::new(
            ErrorKind::Io,
            format!("the other process runs as the user {user}, and only the same user sends live commands"),
        )),
        _ => Ok(()),
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn user_of(stream: &UnixStream) -> Result<Option<u32>> {
    use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
    getsockopt(stream, PeerCredentials).map(|peer| Some(peer.uid())).map_err(unknown)
}

#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "openbsd",
    target_os = "netbsd",
    target_os = "dragonfly"
))]
fn user_of(stream: &UnixStream) -> Result<Option<u32>> {
    nix::unistd::getpeereid(stream).map(|(user, _)| Some(user.as_raw())).map_err(unknown)
}

#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "openbsd",
    target_os = "netbsd",
    target_os = "dragonfly"
)))]
fn user_of(_: &UnixStream) -> Result<Option<u32>> {
    Ok(None)
}

#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "openbsd",
    target_os = "netbsd",
    target_os = "dragonfly"
))]
fn unknown(error: nix::Error) -> Error {
    Error::caused(ErrorKind::Io, "the user of the other process is unknown", error)
}

/// A connection whose reads and writes fail after a deadline.
pub(super) struct Timed<'s> {
    stream: &'s UnixStream,
    /// `None`: without a limit.
    until: Option<Instant>,
}

impl<'s> Timed<'s> {
    pub(super) fn new(stream: &'s UnixStream, within: Option<Duration>) -> Self {
        Self { stream, until: within.and_then(|within| Instant::now().checked_add(within)) }
    }

    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.until.map(|until| until.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}

impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        self.stream.read(buffer)
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
