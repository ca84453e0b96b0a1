//! `Socket`: the socket to the server: TCP or Unix, plain or encrypted, with timeouts. Opened by `Connection`; reads and writes block.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

use socket2::{SockRef, TcpKeepalive};

use crate::address::{Address, Host, Server, Tls};

use super::{
    error::{Result, WireError},
    message,
};

/// When a server that is silent is asked for a sign of life, and how often.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// A message of this length, in bytes, may be allocated before it has arrived.
const TRUSTED_LENGTH: usize = 64 << 10;

trait Stream: Read + Write + Send {
    /// Lets a read or a write fail after this time.
    fn set_timeout(&self, timeout: Duration) -> io::Result<()>;
}

impl Stream for TcpStream {
    fn set_timeout(&self, timeout: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(timeout))?;
        self.set_write_timeout(Some(timeout))
    }
}

#[cfg(unix)]
impl Stream for std::os::unix::net::UnixStream {
    fn set_timeout(&self, timeout: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(timeout))?;
        self.set_write_timeout(Some(timeout))
    }
}

#[cfg(feature = "tls")]
impl Stream for super::tls::Encrypted {
    fn set_timeout(&self, timeout: Duration) -> io::Result<()> {
        self.sock.set_timeout(timeout)
    }
}

/// A socket to the server.
pub(crate) struct Socket(BufReader<Box<dyn Stream>>);

impl Socket {
    /// Connects to a server of an address, within `timeout`. Reads and writes fail after it too, so that a server which accepts a connection
    /// and never answers does not hold up the next one.
    pub(crate) fn connect(address: &Address, server: &Server, timeout: Duration) -> Result<Self> {
        match &server.host {
            #[cfg(unix)]
            Host::Folder(folder) => {
                let path = folder.join(format!(".s.PGSQL.{}", server.port));
                let stream = std::os::unix::net::UnixStream::connect(path)?;
                stream.set_timeout(timeout)?;
                Ok(Self::over(stream))
            }
            #[cfg(not(unix))]
            Host::Folder(_) => Err(WireError::Login("a Unix socket needs a Unix system: name a host".into())),
            Host::Name(name) => {
                let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
                for target in (name.as_str(), server.port).to_socket_addrs()? {
                    match TcpStream::connect_timeout(&target, timeout) {
                        Ok(stream) => return Self::over_tcp(stream, address, name, timeout),
                        Err(error) => last = error,
                    }
                }
                Err(last.into())
            }
        }
    }

    fn over_tcp(mut stream: TcpStream, address: &Address, name: &str, timeout: Duration) -> Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_timeout(timeout)?;
        let keep_alive = TcpKeepalive::new().with_time(KEEP_ALIVE).with_interval(KEEP_ALIVE);
        SockRef::from(&stream).set_tcp_keepalive(&keep_alive)?;
        if address.tls == Tls::Disable {
            return Ok(Self::over(stream));
        }
        stream.write_all(&message::tls_request())?;
        let mut answer = [0];
        stream.read_exact(&mut answer)?;
        match (answer, address.tls) {
            #[cfg(feature = "tls")]
            ([b'S'], _) => Ok(Self::over(super::tls::encrypt(stream, address, name)?)),
            #[cfg(not(feature = "tls"))]
            ([b'S'], _) => Err(WireError::Login(format!(
                "{name} offers encryption, which this program was built without: enable the feature `tls`, or add sslmode=disable"
            ))),
            (_, Tls::Prefer) => Ok(Self::over(stream)),
            _ => Err(WireError::Login(format!(
                "{name} offers no encryption, which sslmode asks for: set ssl = on at the server, or sslmode=disable"
            ))),
        }
    }

    fn over(stream: impl Stream + 'static) -> Self {
        Self(BufReader::with_capacity(16 << 10, Box::new(stream)))
    }

    /// Lets a read or a write fail after a silence of the server.
    pub(crate) fn set_silence(&self, silence: Duration) -> Result<()> {
        Ok(self.0.get_ref().set_timeout(silence)?)
    }

    /// Waits until something can be read, at most this long. Returns whether it can. Reads and writes fail after `silence` from then on.
    pub(crate) fn has_data(&mut self, within: Duration, silence: Duration) -> Result<bool> {
        if !self.0.buffer().is_empty() {
            return Ok(true);
        }
        // The operating system refuses a timeout of zero.
        self.0.get_ref().set_timeout(within.max(Duration::from_millis(1)))?;
        let has_data = match self.0.fill_buf() {
            Ok([]) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            Ok(_) => true,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => false,
            Err(error) => return Err(error.into()),
        };
        self.0.get_ref().set_timeout(silence)?;
        Ok(has_data)
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let stream = self.0.get_mut();
        stream.write_all(bytes)?;
        Ok(stream.flush()?)
    }

    /// Reads a message: its tag and its body.
    pub(crate) fn read(&mut self) -> Result<(u8, Vec<u8>)> {
        let mut head = [0; 5];
        self.0.read_exact(&mut head)?;
        let [tag, length @ ..] = head;
        let length = message::body_length(length)?;
        if length <= TRUSTED_LENGTH {
            let mut body = vec![0; length];
            self.0.read_exact(&mut body)?;
            return Ok((tag, body));
        }
        let mut body = Vec::new();
        // Grows with what arrives: the length is not trusted.
        let read = self.0.by_ref().take(length as u64).read_to_end(&mut body)?;
        if read < length {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        Ok((tag, body))
    }
}
