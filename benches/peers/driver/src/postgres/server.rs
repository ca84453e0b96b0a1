//! The server: started by a script of `tracker-postgres`, used through `psql`.

use std::{
    env,
    path::Path,
    process::{Command, ExitCode},
};

/// The variable in which the script names its server.
const VARIABLE: &str = "TRACKER_TEST_URL";

/// Settings that the page states.
const SETTINGS: [&str; 5] = ["synchronous_commit", "fsync", "shared_buffers", "max_wal_size", "autovacuum"];

/// A server behind a Unix socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    folder: String,
    port: u16,
}

/// Runs this program again with a server whose files are in `dir`. Returns `None` if there is a server already.
pub fn run_with_server(script: &Path, dir: &Path) -> Option<Result<ExitCode, String>> {
    if env::var_os(VARIABLE).is_some() {
        return None;
    }
    let run = || {
        let program = env::current_exe().map_err(|error| format!("this program has no path: {error}"))?;
        let mut command = Command::new(script);
        command.arg(program).args(env::args_os().skip(1));
        command.env("TMPDIR", dir).env("TRACKER_POSTGRES_SETTINGS", "-c synchronous_commit=on");
        let status = command.status().map_err(|error| format!("{} does not start: {error}", script.display()))?;
        Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    };
    Some(run())
}

impl Server {
    /// The server of the environment.
    pub fn from_environment() -> Result<Self, String> {
        let url = env::var(VARIABLE).map_err(|_| format!("{VARIABLE} names no server"))?;
        Self::parse(&url)
            .ok_or_else(|| format!("{VARIABLE} is not of the form postgres://owner@/…?host=FOLDER&port=PORT"))
    }

    fn parse(url: &str) -> Option<Self> {
        let (_, parameters) = url.strip_prefix("postgres://owner@/")?.split_once('?')?;
        let (folder, port) = parameters.strip_prefix("host=")?.split_once("&port=")?;
        Some(Self { folder: folder.to_owned(), port: port.parse().ok()? })
    }

    /// The URL of a database. The folder of the socket is in the place of the host, which all clients understand.
    pub fn url(&self, database: &str) -> String {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let encoded = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
        let host: String = self.folder.bytes().map(encoded).collect();
        format!("postgres://owner@{host}:{}/{database}", self.port)
    }

    /// Runs statements one after the other, each in a transaction of its own. Returns what they print.
    pub fn sql(&self, database: &str, statements: &[&str]) -> Result<String, String> {
        let mut command = Command::new("psql");
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "owner", "-d", database]);
        command.args(["-h", &self.folder, "-p", &self.port.to_string()]);
        command.args(statements.iter().flat_map(|statement| ["-c", statement]));
        let output = command.output().map_err(|error| format!("psql does not start: {error}"))?;
        if !output.status.success() {
            let message = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(message.lines().next().unwrap_or("psql failed without a message").to_owned());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Version and settings. Fails if commits are not flushed.
    pub fn description(&self) -> Result<String, String> {
        let version = self.sql("postgres", &["SELECT current_setting('server_version')"])?;
        let mut settings = Vec::new();
        for name in SETTINGS {
            settings.push((name, self.sql("postgres", &[&format!("SELECT current_setting('{name}')")])?));
        }
        describe(&version, &settings)
    }
}

fn describe(version: &str, settings: &[(&str, String)]) -> Result<String, String> {
    if let Some((name, _)) = settings.iter().find(|(name, value)| name.contains("sync") && value != "on") {
        return Err(format!("the server does not flush its commits: set {name} = on"));
    }
    let settings: Vec<_> = settings.iter().map(|(name, value)| format!("`{name} = {value}`")).collect();
    Ok(format!("PostgreSQL {version}, {}", settings.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_of_the_script_is_parsed() {
        let server = Server::parse("postgres://owner@/postgres?host=/tmp/tmp.x y&port=23456").unwrap();
        assert_eq!(server, Server { folder: "/tmp/tmp.x y".to_owned(), port: 23456 });
        assert_eq!(server.url("bench"), "postgres://owner@%2Ftmp%2Ftmp.x%20y:23456/bench");
        assert_eq!(Server::parse("postgres://owner@localhost/postgres"), None);
    }

    #[test]
    fn server_that_does_not_flush_is_refused() {
        let on = [("synchronous_commit", "on".to_owned()), ("shared_buffers", "128MB".to_owned())];
        assert_eq!(
            describe("15.1", &on).unwrap(),
            "PostgreSQL 15.1, `synchronous_commit = on`, `shared_buffers = 128MB`"
        );
        let off = describe("15.1", &[("synchronous_commit", "local".to_owned())]).unwrap_err();
        assert!(off.contains("synchronous_commit"), "{off}");
        assert!(describe("15.1", &[("fsync", "off".to_owned())]).is_err());
    }
}
