//! The login on a new connection: startup, authentication, and the messages of the server until it is ready. Called by `Connection`; writes to
//! its socket.

use postgres_protocol::authentication::{
    md5_hash,
    sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256},
};

use crate::address::Address;

use super::{
    error::{Result, WireError},
    message::{self, Fields},
    socket::Socket,
};

/// Logs in.
pub(crate) fn log_in(socket: &mut Socket, address: &Address) -> Result<()> {
    let mut out = Vec::new();
    let parameters = [
        ("user", address.user.as_str()),
        ("database", &address.database),
        ("application_name", &address.application),
        ("client_encoding", "UTF8"),
    ];
    message::startup(&mut out, &parameters);
    socket.write(&out)?;
    loop {
        let (tag, body) = socket.read()?;
        match tag {
            b'R' => authenticate(socket, address, &body)?,
            b'E' => return Err(WireError::Server(message::server_error(&body))),
            b'Z' => return Ok(()),
            // Settings, the key to cancel, notices.
            b'S' | b'K' | b'N' | b'v' => {}
            _ => return Err(WireError::Protocol("an unexpected message before the server is ready")),
        }
    }
}

fn authenticate(socket: &mut Socket, address: &Address, body: &[u8]) -> Result<()> {
    let mut fields = Fields(body);
    let mut out = Vec::new();
    match fields.int4()? {
        0 => return Ok(()),
        3 => message::password(&mut out, secret(address)?),
        5 => {
            let salt = fields.0.first_chunk().ok_or(WireError::Protocol("a salt is too short"))?;
            let hash = md5_hash(address.user.as_bytes(), secret(address)?, *salt);
            message::password(&mut out, hash.as_bytes());
        }
        10 => return scram(socket, address, fields),
        method => {
            return Err(WireError::Login(format!(
                "the server asks for a login by method {method}, which is not supported: allow scram-sha-256, md5, password, cert or trust in pg_hba.conf"
            )));
        }
    }
    socket.write(&out)
}

fn secret(address: &Address) -> Result<&[u8]> {
    let secret = address.password.as_ref().ok_or_else(|| {
        WireError::Login("the server asks for a password: put it into the URL, or into PGPASSWORD".into())
    })?;
    Ok(secret.0.as_bytes())
}

fn scram(socket: &mut Socket, address: &Address, mut mechanisms: Fields<'_>) -> Result<()> {
    let mut is_known = false;
    while !mechanisms.0.is_empty() {
        is_known |= mechanisms.text()? == SCRAM_SHA_256;
    }
    if !is_known {
        return Err(WireError::Login(format!("the server does not offer the login by {SCRAM_SHA_256}")));
    }
    let mut scram = ScramSha256::new(secret(address)?, ChannelBinding::unsupported());
    let mut out = Vec::new();
    message::sasl_first(&mut out, SCRAM_SHA_256, scram.message());
    socket.write(&out)?;
    scram.update(step(socket, 11)?.as_slice()).map_err(|_| refused())?;
    out.clear();
    message::sasl_next(&mut out, scram.message());
    socket.write(&out)?;
    scram.finish(&step(socket, 12)?).map_err(|_| refused())
}

fn refused() -> WireError {
    WireError::Login("the server does not prove that it knows the password: it may be another server".into())
}

/// The server's data in a step of the login.
fn step(socket: &mut Socket, expected: i32) -> Result<Vec<u8>> {
    loop {
        let (tag, body) = socket.read()?;
        match tag {
            b'E' => return Err(WireError::Server(message::server_error(&body))),
            b'N' => {}
            b'R' => {
                let mut fields = Fields(&body);
                if fields.int4()? == expected {
                    return Ok(fields.0.to_vec());
                }
                return Err(WireError::Protocol("an unexpected step of the login"));
            }
            _ => return Err(WireError::Protocol("an unexpected message in the login")),
        }
    }
}
