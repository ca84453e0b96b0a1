//! Throw-away servers with their files in temporary folders. They end with the process of the tests, also if it is killed.
#![allow(dead_code, reason = "tests use what they need")]

use std::{
    env, fs,
    io::Write,
    iter,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// The password of the owner of a server.
pub(crate) const PASSWORD: &str = "hunter2-owner";

/// A throw-away server.
pub(crate) struct Server {
    pub folder: PathBuf,
    programs: PathBuf,
    pub port: u16,
    settings: Vec<String>,
    /// Stops the server when its standard input ends. `None` while the server is down.
    watchdog: Mutex<Option<Child>>,
}

static NEXT: AtomicU32 = AtomicU32::new(0);

/// Ends the server when this process has ended. With the line `keep`, the server has ended already, and its files stay.
const WATCHDOG: &str = r#"exec 3<&0
    "$@" </dev/null 3<&- &
    server=$!
    read -r line <&3
    [ "$line" = keep ] && { wait $server; exit; }
    kill -QUIT $server
    wait $server
    rm -rf "$FOLDER""#;

fn programs() -> Result<PathBuf, String> {
    if let Some(folder) = env::var_os("TRACKER_POSTGRES_BIN") {
        return Ok(folder.into());
    }
    let versions =
        fs::read_dir("/usr/lib/postgresql").map_err(|_| "PostgreSQL is not installed (package postgresql)")?;
    let folders = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
    folders
        .filter(|folder| folder.join("initdb").exists())
        .max()
        .ok_or_else(|| "PostgreSQL is not installed (package postgresql)".into())
}

fn output_of<'a>(program: &str, arguments: impl IntoIterator<Item = &'a str>) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("cannot run {program}: {error}"));
    String::from_utf8(output.stdout).unwrap()
}

/// Sends a signal to processes, of which some may have ended by themselves.
fn signal<'a>(name: &str, processes: impl IntoIterator<Item = &'a str>) {
    drop(Command::new("kill").arg(name).args(processes).stderr(Stdio::null()).status());
}

/// Waits until each of the processes is in a state of `ps`, or gone.
fn wait_for_states<'a>(processes: impl IntoIterator<Item = &'a str>, state: char) {
    let list = processes.into_iter().collect::<Vec<_>>().join(",");
    let deadline = Instant::now() + Duration::from_secs(60);
    while !list.is_empty() && !output_of("ps", ["-o", "stat=", "-p", &list]).lines().all(|line| line.starts_with(state))
    {
        assert!(Instant::now() < deadline, "processes {list} do not come to the state {state}");
        thread::sleep(Duration::from_millis(1));
    }
}

impl Server {
    /// Creates a server with these settings besides the usual ones, and starts it.
    pub(crate) fn start(settings: &[&str]) -> Result<Self, String> {
        let server = Self::new(settings)?;
        let secret = server.folder.join("password");
        fs::write(&secret, PASSWORD).map_err(|error| error.to_string())?;
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).map_err(|error| error.to_string())?;
        let mut command = server.command("initdb")?;
        command.args(["--no-sync", "-U", "owner", "-E", "UTF8", "--locale=C", "--auth-local=trust"]);
        command.arg("--auth-host=scram-sha-256").arg("--pwfile").arg(&secret).arg("-D").arg(server.data());
        finished(command)?;
        server.launch()?;
        Ok(server)
    }

    /// Creates a standby of this server, on this port or on another one, and starts it.
    pub(crate) fn standby(&self, port: Option<u16>) -> Result<Self, String> {
        let settings: Vec<_> = self.settings.iter().map(String::as_str).collect();
        let mut standby = Self::new(&settings)?;
        standby.port = port.unwrap_or(standby.port);
        let mut command = standby.command("pg_basebackup")?;
        command.args(["-R", "-X", "stream", "-c", "fast", "--no-sync", "-U", "owner"]);
        command.arg("-h").arg(&self.folder).arg("-p").arg(self.port.to_string()).arg("-D").arg(standby.data());
        finished(command)?;
        standby.launch()?;
        Ok(standby)
    }

    fn new(settings: &[&str]) -> Result<Self, String> {
        let programs = programs()?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("tracker-postgres-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        // The server's user has to reach it.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).map_err(|error| error.to_string())?;
        let settings = settings.iter().map(|&setting| setting.to_owned()).collect();
        Ok(Self { folder, programs, port: free_port(), settings, watchdog: Mutex::new(None) })
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn command(&self, program: &str) -> Result<Command, String> {
        unprivileged(&self.programs.join(program))
    }

    /// Starts a server that is down, and waits until it answers.
    pub(crate) fn launch(&self) -> Result<(), String> {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.folder.join("log"));
        let log = log.map_err(|error| error.to_string())?;
        let server = self.command("postgres")?;
        let mut command = Command::new("sh");
        command.args(["-c", WATCHDOG, "sh"]).arg(server.get_program()).args(server.get_args());
        command.arg("-D").arg(self.data());
        let usual = [
            format!("port={}", self.port),
            format!("unix_socket_directories={}", self.folder.display()),
            "listen_addresses=127.0.0.1".into(),
            "max_connections=60".into(),
            "shared_buffers=64MB".into(),
            "deadlock_timeout=100ms".into(),
        ];
        for setting in usual.iter().chain(&self.settings) {
            command.arg("-c").arg(setting);
        }
        command.env("FOLDER", &self.folder).stdin(Stdio::piped());
        command.stdout(log.try_clone().map_err(|error| error.to_string())?).stderr(log);
        *self.watchdog.lock().unwrap() = Some(command.spawn().map_err(|error| error.to_string())?);
        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            if self.psql("postgres", "SELECT 1").is_ok() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Err(format!("the server did not start: {}", self.log()))
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Kills all processes of the server at once, as a power loss does. Its files stay for [`Self::launch`].
    pub(crate) fn kill(&self) {
        let pid = fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap();
        // A stopped server makes no further processes, which would survive it and keep the next one from its start.
        signal("-STOP", [pid]);
        wait_for_states([pid], 'T');
        let children = output_of("ps", ["-o", "pid=", "--ppid", pid]);
        let processes = || iter::once(pid).chain(children.split_whitespace());
        signal("-KILL", processes());
        wait_for_states(children.split_whitespace(), 'Z');
        let mut watchdog = self.watchdog.lock().unwrap().take().unwrap();
        watchdog.stdin.take().unwrap().write_all(b"keep\n").unwrap();
        watchdog.wait().unwrap();
    }

    /// Lets a standby become the primary server.
    pub(crate) fn promote(&self) {
        let mut command = self.command("pg_ctl").unwrap();
        command.args(["promote", "-w", "-D"]).arg(self.data());
        finished(command).unwrap();
    }

    /// Stops the server: `immediate` or `fast`. It cannot be started again.
    pub(crate) fn stop(&self, mode: &str) {
        let mut command = self.command("pg_ctl").unwrap();
        command.args(["stop", "-w", "-m", mode, "-D"]).arg(self.data());
        finished(command).unwrap();
    }

    /// Runs statements as the owner, and returns their output.
    pub(crate) fn psql(&self, database: &str, sql: &str) -> Result<String, String> {
        let mut command = Command::new(self.programs.join("psql"));
        command.args(["-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-U", "owner", "-d", database, "-c", sql]);
        command.arg("-h").arg(&self.folder).arg("-p").arg(self.port.to_string());
        finished(command)
    }

    /// The URL of a database over TCP.
    pub(crate) fn url(&self, database: &str) -> String {
        self.url_at(self.port, database)
    }

    #[expect(clippy::unused_self, reason = "the owner of a server")]
    pub(crate) fn url_at(&self, port: u16, database: &str) -> String {
        format!("postgres://owner:{PASSWORD}@127.0.0.1:{port}/{database}?sslmode=disable")
    }

    /// The URL of a database on this server or on another one.
    pub(crate) fn url_of_two(&self, other: &Self, database: &str) -> String {
        self.url(database).replace(&format!(":{}/", self.port), &format!(":{},127.0.0.1:{}/", self.port, other.port))
    }

    /// The URL of a database over the Unix socket.
    pub(crate) fn local_url(&self, database: &str) -> String {
        format!("postgres://owner@/{database}?host={}&port={}", self.folder.display(), self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A server that runs is stopped by its watchdog, which removes the files.
        if self.watchdog.lock().unwrap().is_none() {
            drop(fs::remove_dir_all(&self.folder));
        }
    }
}

/// Runs a command, and returns its output.
pub(crate) fn finished(mut command: Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)))
    }
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub(crate) fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n")
}

/// A command of the user that runs servers: they refuse to run as root, so that they run as their own user there.
pub(crate) fn unprivileged(program: &Path) -> Result<Command, String> {
    if !is_root() {
        return Ok(Command::new(program));
    }
    let known = Command::new("id").arg("postgres").output().is_ok_and(|output| output.status.success());
    if !known {
        return Err("this is root, and there is no user postgres to run a server".into());
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
    command.current_dir("/");
    Ok(command)
}
