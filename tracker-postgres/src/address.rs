//! `Address`: the server, login, TLS and schema of a tracker, parsed from a URL. Made by `options`, used by `wire` to connect and log in. Reads
//! environment variables, and opens nothing.

use std::{env, fmt, path::PathBuf};

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"***\"")
    }
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    Name(String),
    /// The folder of a Unix socket.
    Folder(PathBuf),
}

/// A server that a URL names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    pub host: Host,
    pub port: u16,
}

/// How a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tls {
    Disable,
    /// If the server offers it; the server's certificate is not verified.
    Prefer,
    /// Always; the certificate is verified if `sslrootcert` names an authority.
    Require,
    /// Always; certificate and host name are verified.
    Verify,
}

/// Servers, database and login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// Tried in this order.
    pub servers: Vec<Server>,
    pub user: String,
    pub password: Option<Secret>,
    pub database: String,
    /// The schema of the tables, if the URL names one.
    pub schema: Option<String>,
    pub application: String,
    pub tls: Tls,
    pub root_certificate: Option<PathBuf>,
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
}

impl Address {
    /// Reads `postgres://user:password@host:port/database?sslmode=verify-full`. The message of an error does not repeat the URL, which may
    /// hold a password.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"));
        let rest = rest.ok_or("it must start with postgres://")?;
        let (rest, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        // Otherwise a part of the password would be taken for a name, which messages repeat.
        if !authority.contains('@') && (database.contains('@') || parameters.contains('@')) {
            return Err("write / as %2F, ? as %3F and @ as %40 in its user, password and values".into());
        }
        let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = match login.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (login, None),
        };
        let mut address = Self {
            servers: Vec::new(),
            user: decoded(user)?,
            password: password.map(decoded).transpose()?.or_else(|| env::var("PGPASSWORD").ok()).map(Secret),
            database: decoded(database)?,
            schema: None,
            application: "tracker".into(),
            tls: Tls::Prefer,
            root_certificate: None,
            certificate: None,
            key: None,
        };
        let mut places = Places::default();
        for part in hosts.split(',').filter(|part| !part.is_empty()) {
            let (host, port) = host_and_port(part)?;
            places.add(&decoded(host)?, port.map(parsed_port).transpose()?);
        }
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) =
                parameter.split_once('=').ok_or_else(|| format!("parameter {parameter:?} has no value"))?;
            let value = decoded(value)?;
            match name {
                "host" => value.split(',').for_each(|host| places.add(host, None)),
                "port" => places.ports = value.split(',').map(parsed_port).collect::<Result<_, _>>()?,
                _ => address.set(name, value)?,
            }
        }
        address.servers = places.servers()?;
        if address.user.is_empty() {
            address.user = env::var("PGUSER").or_else(|_| env::var("USER")).map_err(|_| "it names no user")?;
        }
        if address.database.is_empty() {
            address.database.clone_from(&address.user);
        }
        // The protocol ends texts with a zero byte.
        let texts = [&address.user, &address.database, &address.application];
        if texts.iter().any(|text| text.contains('\0')) {
            return Err("a name in it has a zero byte".into());
        }
        Ok(address)
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), String> {
        match name {
            "user" => self.user = value,
            "password" => self.password = Some(Secret(value)),
            "dbname" => self.database = value,
            "schema" => self.schema = Some(value),
            "application_name" => self.application = value,
            "sslmode" => {
                self.tls = match value.as_str() {
                    "disable" => Tls::Disable,
                    "allow" | "prefer" => Tls::Prefer,
                    "require" => Tls::Require,
                    "verify-ca" | "verify-full" => Tls::Verify,
                    _ => return Err(format!("sslmode {value:?} is none of disable, prefer, require, verify-full")),
                }
            }
            "sslrootcert" => self.root_certificate = Some(value.into()),
            "sslcert" => self.certificate = Some(value.into()),
            "sslkey" => self.key = Some(value.into()),
            _ => {
                return Err(format!(
                    "parameter {name:?} is not known: known are host, port, user, password, dbname, schema, application_name, sslmode, sslrootcert, sslcert, sslkey"
                ));
            }
        }
        Ok(())
    }

    /// Server, port and database, without the login.
    pub(crate) fn name(&self) -> String {
        let servers = self.servers.iter().map(|Server { host, port }| match host {
            Host::Name(name) => format!("{name}:{port}"),
            Host::Folder(folder) => format!("{}:{port}", folder.display()),
        });
        format!("postgres://{}/{}", servers.collect::<Vec<_>>().join(","), self.database)
    }
}

/// The hosts and ports of a URL while it is read.
#[derive(Default)]
struct Places {
    hosts: Vec<(Host, Option<u16>)>,
    /// The ports of the parameter `port`: one for all hosts, or one for each.
    ports: Vec<u16>,
}

impl Places {
    fn add(&mut self, host: &str, port: Option<u16>) {
        let is_folder = host.starts_with('/');
        self.hosts.push((if is_folder { Host::Folder(host.into()) } else { Host::Name(host.to_owned()) }, port));
    }

    fn servers(mut self) -> Result<Vec<Server>, String> {
        if self.hosts.is_empty() {
            self.add("localhost", None);
        }
        let (hosts, ports) = (self.hosts.len(), self.ports.len());
        if ports > 1 && ports != hosts {
            return Err(format!("it names {hosts} hosts and {ports} ports: name one port, or one for each host"));
        }
        let of_parameter = |index: usize| if ports == 1 { self.ports.first() } else { self.ports.get(index) };
        let servers = self.hosts.into_iter().enumerate().map(|(index, (host, own))| match (own, of_parameter(index)) {
            (Some(own), Some(other)) if own != *other => {
                Err(format!("it names the ports {own} and {other} for one host"))
            }
            (own, other) => Ok(Server { host, port: own.or(other.copied()).unwrap_or(5432) }),
        });
        servers.collect()
    }
}

fn parsed_port(text: &str) -> Result<u16, String> {
    let port = text.parse().ok().filter(|port| *port != 0);
    port.ok_or_else(|| format!("port {text:?} is no number from 1 to 65535"))
}

/// Splits `host:port`; an IPv6 address stands in brackets.
fn host_and_port(part: &str) -> Result<(&str, Option<&str>), String> {
    if let Some(rest) = part.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or("a host has no closing bracket")?;
        return match rest.strip_prefix(':') {
            Some(number) => Ok((host, Some(number))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err("a host has text behind its bracket".into()),
        };
    }
    Ok(part.split_once(':').map_or((part, None), |(host, port)| (host, Some(port))))
}

/// Replaces `%` and two hexadecimal digits by the byte that they name.
fn decoded(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let (digits, after) = rest.split_first_chunk::<2>().ok_or("a % is not followed by two digits")?;
        let digits = str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|c| c.is_ascii_hexdigit()));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.ok_or("a % is not followed by two hexadecimal digits")?);
        rest = after;
    }
    String::from_utf8(bytes).map_err(|_| "an escaped text is not UTF-8".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_names_server_database_and_login() {
        let address = Address::parse("postgresql://al%40ice:s%3Acret@db.example:6000/jobs?sslmode=disable").ok();
        let address = address.as_ref();
        assert_eq!(address.map(|a| (a.user.as_str(), a.database.as_str())), Some(("al@ice", "jobs")));
        assert_eq!(address.map(|a| a.servers.as_slice()), Some(&[named("db.example", 6000)][..]));
        assert_eq!(address.and_then(|a| a.password.clone()), Some(Secret("s:cret".into())));
        assert_eq!(address.map(Address::name).as_deref(), Some("postgres://db.example:6000/jobs"));
        assert_eq!(address.map(|a| a.schema.clone()), Some(None));
        let schema = Address::parse("postgres://u@h/d?schema=im%20ages").map(|address| address.schema);
        assert_eq!(schema, Ok(Some("im ages".into())));
    }

    fn named(name: &str, port: u16) -> Server {
        Server { host: Host::Name(name.into()), port }
    }

    #[test]
    fn url_may_name_a_folder_several_hosts_or_ipv6() {
        let servers = |url| Address::parse(url).map(|address| address.servers);
        let folder = |port| vec![Server { host: Host::Folder("/run/pg".into()), port }];
        assert_eq!(servers("postgres://u@%2Frun%2Fpg/d"), Ok(folder(5432)));
        assert_eq!(servers("postgres://u@/d?host=/run/pg&port=7"), Ok(folder(7)));
        assert_eq!(servers("postgres://u@a,b/d"), Ok(vec![named("a", 5432), named("b", 5432)]));
        assert_eq!(servers("postgres://u@[::1]:9/d"), Ok(vec![named("::1", 9)]));
        assert_eq!(servers("postgres://u@/d"), Ok(vec![named("localhost", 5432)]));
    }

    #[test]
    fn each_host_has_its_own_port_or_that_of_all() {
        let servers = |url| Address::parse(url).map(|address| address.servers);
        let two = |one, other| Ok(vec![named("a", one), named("b", other)]);
        assert_eq!(servers("postgres://u@a:1,b:2/d"), two(1, 2));
        assert_eq!(servers("postgres://u@a:1,b/d"), two(1, 5432));
        assert_eq!(servers("postgres://u@a,b/d?port=3"), two(3, 3));
        assert_eq!(servers("postgres://u@/d?port=1,2&host=a,b"), two(1, 2));
        for url in ["postgres://u@a,b/d?port=1,2,3", "postgres://u@a:1/d?port=2", "postgres://u@a/d?port=1,"] {
            assert!(servers(url).is_err(), "{url}");
        }
        let name = Address::parse("postgres://u@a:1,b:2/d").map(|address| address.name());
        assert_eq!(name.as_deref(), Ok("postgres://a:1,b:2/d"));
    }

    #[test]
    fn malformed_url_is_refused_without_its_password() {
        for url in [
            "mysql://u:hunter2@h/d",
            "postgres://u:hunter2@h:x/d",
            "postgres://u:hunter2@h:0/d",
            "postgres://u:hunter2@[::1/d",
            "postgres://u:hunter2%zz@h/d",
            "postgres://u:hunter2%+1@h/d",
            "postgres://u:hunter2@h/d?sslmode=maybe",
            "postgres://u:hunter2@h/d?colour=red",
            "postgres://u%00:hunter2@h/d",
            "postgres://u:hunter2/x@h/d",
            "postgres://u:7/hunter2@h/d",
            "postgres://u:x?hunter2@h/d",
            "postgres://u:x?hunter2=1@h/d",
        ] {
            let error = Address::parse(url).err();
            assert!(error.as_ref().is_some_and(|error| !error.contains("hunter2")), "{url}: {error:?}");
        }
    }
}
