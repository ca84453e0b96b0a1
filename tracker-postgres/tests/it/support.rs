//! A throw-away server for the tests of this binary, with its files in a temporary folder. It ends with the process of the tests.
#![allow(dead_code, reason = "tests use what they need")]

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::OnceLock,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

use tracker_core::store::{Access, Changes, Committed, Loaded, RowChange, RowValue, StoreTable, StoreUnit, Want};
use tracker_core::{Error, ErrorKind};
use tracker_postgres::{PostgresOptions, PostgresStore};

pub(crate) mod fault_proxy;
pub(crate) mod job;
pub(crate) mod server;

pub(crate) use server::{PASSWORD, Server, free_port};

static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
static NEXT: AtomicU32 = AtomicU32::new(0);

/// The server of this binary. Prints why there is none, and then the test has to end.
pub(crate) fn server() -> Option<&'static Server> {
    match SERVER.get_or_init(|| Server::start(&[])) {
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

impl Server {
    /// Options for a schema that no other test uses.
    pub(crate) fn options(&self) -> PostgresOptions {
        options(&self.local_url("postgres")).schema(new_schema())
    }
}

pub(crate) fn new_schema() -> String {
    format!("s{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn options(url: &str) -> PostgresOptions {
    PostgresOptions::new(url).unwrap().busy_timeout(Duration::from_secs(10))
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
    RowChange { table, key: key.into(), value: value.map(<[u8]>::to_vec), is_new: false }
}

/// A row that was looked for and not there.
pub(crate) fn new_value(table: StoreTable, key: &[u8], bytes: &[u8]) -> RowChange {
    RowChange { is_new: true, ..value(table, key, Some(bytes)) }
}

pub(crate) fn related(table: StoreTable, key: &[u8], value: Option<&[u8]>) -> RowValue {
    RowValue { table, key: key.into(), value: value.map(<[u8]>::to_vec) }
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
