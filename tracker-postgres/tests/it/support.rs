//! A throw-away server for the tests of this binary, with its files in a temporary folder. It ends with the process of the tests.
#![allow(dead_code, reason = "tests use what they need")]

use std::{
    env, fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use tracker_core::store::{Access, Changes, Committed, Loaded, RowChange, RowValue, StoreTable, StoreUnit, Want};
use tracker_core::{Error, ErrorKind};
use tracker_postgres::{PostgresOptions, PostgresStore};

/// The password of the server's owner.
pub(crate) const PASSWORD: &str = "hunter2-owner";

/// A running server.
pub(crate) struct Server {
    folder: PathBuf,
    programs: PathBuf,
    pub port: u16,
    is_root: bool,
    /// Stops the server when its standard input ends, also if this process is killed.
    _watchdog: Child,
}

static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
static NEXT: AtomicU32 = AtomicU32::new(0);

/// The server of this binary. Prints why there is none, and then the test has to end.
pub(crate) fn server() -> Option<&'static Server> {
    match SERVER.get_or_init(Server::start) {
        Ok(server) => Some(server),
        Err(reason) => {
            println!("skipped: {reason}");
            None
        }
    }
}

/// Starts the test only where a server can be started.
macro_rules! server_or_skip {
    () => {
        match crate::support::server() {
            Some(server) => server,
            None => return,
        }
    };
}
pub(crate) use server_or_skip;

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

impl Server {
    fn start() -> Result<Self, String> {
        let programs = programs()?;
        let is_root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
        let folder = env::temp_dir().join(format!("tracker-postgres-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        // The server's user has to reach it.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).map_err(|error| error.to_string())?;
        let port = free_port();
        let secret = folder.join("password");
        fs::write(&secret, PASSWORD).map_err(|error| error.to_string())?;
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).map_err(|error| error.to_string())?;
        let data = folder.join("data");
        let mut command = unprivileged(is_root, &programs.join("initdb"))?;
        command.args(["--no-sync", "-U", "owner", "-E", "UTF8", "--locale=C", "--auth-local=trust"]);
        command.arg("--auth-host=scram-sha-256").arg("--pwfile").arg(&secret).arg("-D").arg(&data);
        let output = command.output().map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(format!("initdb failed: {}", String::from_utf8_lossy(&output.stderr)));
        }
        let watchdog = launch(is_root, &programs, &folder, port)?;
        let server = Self { folder, programs, port, is_root, _watchdog: watchdog };
        server.wait_until_ready()?;
        Ok(server)
    }

    fn wait_until_ready(&self) -> Result<(), String> {
        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            if self.psql("postgres", "SELECT 1").is_ok() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(50));
        }
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        Err(format!("the server did not start: {log}"))
    }

    /// Runs statements as the owner, and returns their output.
    pub(crate) fn psql(&self, database: &str, sql: &str) -> Result<String, String> {
        let mut command = Command::new(self.programs.join("psql"));
        command.args(["-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-U", "owner", "-d", database, "-c", sql]);
        command.arg("-h").arg(&self.folder).arg("-p").arg(self.port.to_string());
        let output = command.output().map_err(|error| error.to_string())?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// The URL of a database over TCP.
    pub(crate) fn url(&self, database: &str) -> String {
        self.url_at(self.port, database)
    }

    #[expect(clippy::unused_self, reason = "the owner of a server")]
    pub(crate) fn url_at(&self, port: u16, database: &str) -> String {
        format!("postgres://owner:{PASSWORD}@127.0.0.1:{port}/{database}?sslmode=disable")
    }

    /// The URL of a database over the Unix socket.
    pub(crate) fn local_url(&self, database: &str) -> String {
        format!("postgres://owner@/{database}?host={}&port={}", self.folder.display(), self.port)
    }

    /// Options for a schema that no other test uses.
    pub(crate) fn options(&self) -> PostgresOptions {
        options(&self.local_url("postgres")).schema(new_schema())
    }

    /// Stops the server at once, as a crash does, or in order.
    pub(crate) fn stop(&self, mode: &str) {
        let mut command = unprivileged(self.is_root, &self.programs.join("pg_ctl")).unwrap();
        command.args(["stop", "-w", "-m", mode, "-D"]).arg(self.folder.join("data"));
        assert!(command.output().unwrap().status.success());
    }
}

pub(crate) fn new_schema() -> String {
    format!("s{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn options(url: &str) -> PostgresOptions {
    PostgresOptions::new(url).unwrap().busy_timeout(Duration::from_secs(10))
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A command of the server's package: the server refuses to run as root, so that it runs as its own user there.
fn unprivileged(is_root: bool, program: &Path) -> Result<Command, String> {
    if !is_root {
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

fn launch(is_root: bool, programs: &Path, folder: &Path, port: u16) -> Result<Child, String> {
    let log = fs::File::create(folder.join("log")).map_err(|error| error.to_string())?;
    let script = r#"exec 3<&0
        "$@" </dev/null 3<&- &
        server=$!
        read -r _ <&3
        kill -QUIT $server
        wait $server
        rm -rf "$FOLDER""#;
    let server = unprivileged(is_root, &programs.join("postgres"))?;
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).arg(server.get_program()).args(server.get_args());
    command.arg("-D").arg(folder.join("data"));
    let settings = [
        format!("port={port}"),
        format!("unix_socket_directories={}", folder.display()),
        "listen_addresses=127.0.0.1".into(),
        "max_connections=60".into(),
        "shared_buffers=64MB".into(),
        "fsync=on".into(),
        "deadlock_timeout=100ms".into(),
    ];
    for setting in &settings {
        command.arg("-c").arg(setting);
    }
    command.env("FOLDER", folder).stdin(Stdio::piped());
    command.stdout(log.try_clone().map_err(|error| error.to_string())?).stderr(log);
    command.spawn().map_err(|error| error.to_string())
}

pub(crate) fn connect(options: &PostgresOptions) -> PostgresStore {
    PostgresStore::connect(options).unwrap()
}

pub(crate) fn row(table: StoreTable, key: &[u8]) -> Want {
    Want::Row { table, key: key.to_vec() }
}

pub(crate) fn first_rows(table: StoreTable, from: &[u8], to: Option<&[u8]>, most: usize) -> Want {
    Want::Rows { table, from: from.to_vec(), to: to.map(<[u8]>::to_vec), newest_first: false, most, skips_locked: true }
}

pub(crate) fn value(table: StoreTable, key: &[u8], value: Option<&[u8]>) -> RowChange {
    RowChange { table, key: key.to_vec(), value: value.map(<[u8]>::to_vec), is_new: false }
}

/// A row that was looked for and not there.
pub(crate) fn new_value(table: StoreTable, key: &[u8], bytes: &[u8]) -> RowChange {
    RowChange { is_new: true, ..value(table, key, Some(bytes)) }
}

pub(crate) fn related(table: StoreTable, key: &[u8], value: Option<&[u8]>) -> RowValue {
    RowValue { table, key: key.to_vec(), value: value.map(<[u8]>::to_vec) }
}

/// Whether the unit of work that failed can run again.
pub(crate) fn is_conflict(error: &Error) -> bool {
    error.kind() == ErrorKind::Busy && error.to_string().contains("another process is changing the same rows")
}

pub(crate) fn changes(mut rows: Vec<RowChange>) -> Changes {
    rows.sort_by(|a, b| (a.table, &a.key).cmp(&(b.table, &b.key)));
    Changes { rows, ..Changes::default() }
}

pub(crate) fn load_one(unit: &mut Box<dyn StoreUnit>, want: Want) -> Loaded {
    unit.load(&[want]).unwrap().remove(0)
}

pub(crate) fn done(committed: Committed) -> u64 {
    match committed {
        Committed::Done { change } => change,
        Committed::Conflict => panic!("conflict"),
    }
}

/// Commits rows in a unit of their own.
pub(crate) fn put(store: &dyn tracker_core::store::Store, rows: Vec<RowChange>) {
    done(store.begin(Access::Write).unwrap().commit(changes(rows)).unwrap());
}

pub(crate) fn task_key(kind: u32, seq: u64) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &seq.to_be_bytes()].concat()
}

pub(crate) fn id_key(kind: u32, id: &str) -> Vec<u8> {
    [&kind.to_be_bytes()[..], b"s", id.as_bytes()].concat()
}

/// A key of the claim order.
pub(crate) fn claim_key(kind: u32, status: i32, rank: u8, at: i64, seq: u64) -> Vec<u8> {
    let mut key = kind.to_be_bytes().to_vec();
    key.extend((status ^ i32::MIN).to_be_bytes());
    key.push(rank);
    key.extend((at ^ i64::MIN).to_be_bytes());
    key.extend((seq << 20).to_be_bytes());
    key.extend(seq.to_be_bytes());
    key
}

/// The rows of a waiting task.
pub(crate) fn waiting_task(seq: u64) -> Vec<RowChange> {
    let key = task_key(1, seq);
    vec![
        value(StoreTable::Headers, &key, Some(b"header")),
        value(StoreTable::Payloads, &key, Some(&[7; 200])),
        value(StoreTable::Ids, &id_key(1, &format!("task-{seq}")), Some(&seq.to_le_bytes())),
        value(StoreTable::ClaimOrder, &claim_key(1, 0, 100, 5, seq), Some(b"")),
    ]
}

/// A proxy on loopback that passes on what both sides send, and cuts the connection where a test asks for it.
pub(crate) struct Proxy {
    pub port: u16,
    cut: std::sync::Arc<std::sync::Mutex<Option<Cut>>>,
}

/// When the proxy cuts a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Before this text reaches the server.
    Before(&'static [u8]),
    /// After this text has reached the server and was answered, before the answer arrives.
    After(&'static [u8]),
    /// After this text was sent to the server, which does not learn of it.
    Client(&'static [u8]),
}

impl Proxy {
    pub(crate) fn start(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let cut = std::sync::Arc::new(std::sync::Mutex::new(None));
        let shared = std::sync::Arc::clone(&cut);
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), TcpStream::connect(("127.0.0.1", target)).unwrap());
                let shared = std::sync::Arc::clone(&shared);
                thread::spawn(move || pass(client, server, &shared));
            }
        });
        Self { port, cut }
    }

    /// Cuts the next connection that sends a text.
    pub(crate) fn cut(&self, cut: Cut) {
        *self.cut.lock().unwrap() = Some(cut);
    }

    /// Whether the cut was made.
    pub(crate) fn has_cut(&self) -> bool {
        self.cut.lock().unwrap().is_none()
    }
}

fn pass(mut client: TcpStream, mut server: TcpStream, cut: &std::sync::Mutex<Option<Cut>>) {
    let (mut from_server, mut to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let is_mute = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let mute = std::sync::Arc::clone(&is_mute);
    let answers = thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(count @ 1..) = from_server.read(&mut buffer) {
            if mute.load(Ordering::SeqCst) {
                // The server has answered: what was sent has taken effect.
                break;
            }
            if to_client.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        drop(to_client.shutdown(std::net::Shutdown::Both));
    });
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = client.read(&mut buffer) {
        let bytes = &buffer[..count];
        let mut planned = cut.lock().unwrap();
        let has = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
        match *planned {
            Some(Cut::Before(text)) if has(text) => {
                *planned = None;
                break;
            }
            Some(Cut::After(text)) if has(text) => {
                *planned = None;
                is_mute.store(true, Ordering::SeqCst);
            }
            Some(Cut::Client(text)) if has(text) => {
                *planned = None;
                is_mute.store(true, Ordering::SeqCst);
                server.write_all(bytes).unwrap();
                drop(client.shutdown(std::net::Shutdown::Both));
                drop(planned);
                return drop(answers.join());
            }
            _ => {}
        }
        drop(planned);
        if server.write_all(bytes).is_err() {
            break;
        }
    }
    drop(client.shutdown(std::net::Shutdown::Both));
    drop(server.shutdown(std::net::Shutdown::Both));
}
