//! Tests of the frames, and of the server against clients that break the protocol.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::{
        fs::{FileTypeExt as _, PermissionsExt as _},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    Client, Report, Request, SelectedId, Selection, Server, TaskChange, TaskFilter, address,
    frame::{self, Answer, Ask, Call, Failure, Reply},
    request::{KindCount, RefusedTask},
};
use crate::{
    Options, TaskStatus, Tasks, TrackedTask, Tracker,
    model::{
        error::{Error, ErrorKind},
        status::Role,
        task::TaskId as _,
    },
    storage::file::FileId,
};

/// A limit that no test reaches.
pub(super) const TEST_TIMEOUT: Duration = Duration::from_secs(60);

/// A server of a tracker in memory, for the file at `folder/file`.
pub(super) struct Fixture {
    folder: tempfile::TempDir,
    pub(super) tracker: Tracker,
    server: Option<Server>,
}

impl Fixture {
    pub(super) fn new() -> Self {
        Self::with(Tracker::options())
    }

    fn with(options: Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let mut fixture = Self { folder, tracker: options.in_memory().unwrap(), server: None };
        fixture.start();
        fixture
    }

    fn start(&mut self) {
        let server = Server::start_in(&self.directories(), self.tracker.clone(), self.file()).unwrap();
        self.server = Some(server);
    }

    pub(super) fn stop(&mut self) {
        self.server.take().unwrap().stop().join();
    }

    fn directories(&self) -> Vec<PathBuf> {
        vec![self.folder.path().to_owned()]
    }

    pub(super) fn file(&self) -> FileId {
        FileId::of(&fs::metadata(self.folder.path().join("file")).unwrap())
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.folder.path().join(address::socket_name(self.file()))
    }

    pub(super) fn client(&self) -> Option<Client> {
        Client::find_in(self.directories(), self.file(), TEST_TIMEOUT).unwrap()
    }

    /// Submits the task "a".
    pub(super) fn job(&self) -> Tasks<Job> {
        let jobs = self.tracker.tasks().unwrap();
        jobs.submit(&Job { name: "a".into() }).unwrap();
        jobs
    }

    /// A connection that has exchanged hellos.
    pub(super) fn connect(&self) -> UnixStream {
        let mut stream = UnixStream::connect(self.socket()).unwrap();
        stream.write_all(&frame::hello()).unwrap();
        let mut hello = [0; frame::HELLO];
        stream.read_exact(&mut hello).unwrap();
        frame::check_hello(hello).unwrap();
        stream
    }
}

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Pending = 1,
    InProgress = 2,
    Failed = 3,
    Succeeded = 4,
    Ignored = 5,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "job", status = Status)]
pub(super) struct Job {
    #[task(id)]
    pub(super) name: String,
}

fn all_requests() -> Vec<Request> {
    let ids = || vec![SelectedId::from("7"), 7_u64.to_key().into()];
    let mut filter = TaskFilter { kind: Some("job".into()), statuses: vec!["Failed".into()], ..TaskFilter::default() };
    filter.roles = Role::ALL.to_vec();
    filter.index = Some(("host".into(), "a".into()));
    (filter.changed_since, filter.changed_before) =
        (Some(chrono::DateTime::UNIX_EPOCH), Some(chrono::DateTime::UNIX_EPOCH));
    filter.containing = Some("text".into());
    let changes = [
        TaskChange::Retry,
        TaskChange::Requeue { from_start: true },
        TaskChange::Cancel,
        TaskChange::Ignore { reason: "why".into() },
        TaskChange::Remove,
        TaskChange::Pause,
        TaskChange::Resume,
        TaskChange::SetPriority(255),
        TaskChange::SetDue(chrono::DateTime::UNIX_EPOCH),
        TaskChange::MoveTo { status: "OnHold".into() },
    ];
    let tasks = |change| Request::Tasks { selection: Selection::Ids { kind: None, ids: ids() }, change };
    let mut all: Vec<_> = changes.into_iter().map(tasks).collect();
    all.extend([
        Request::Tasks { selection: Selection::Filter(filter), change: TaskChange::Cancel },
        Request::Kinds { kind: Some("job".into()), paused: true },
        Request::Move { kind: None, ids: ids(), before: Some("8".into()) },
        Request::Rescue { kind: None, running_longer_than: Some(Duration::from_micros(7)) },
        Request::Prune { kind: None, statuses: vec!["40".into()], older_than: Duration::MAX },
        Request::SetBudget { resource: "mem".into(), amount: Some(u64::MAX) },
        Request::Replace { kind: "job".into(), id: 7_u64.to_key(), revision: u32::MAX, payload: vec![0xff, 0] },
    ]);
    #[cfg(feature = "schedules")]
    all.extend(schedule_requests());
    all
}

#[cfg(feature = "schedules")]
fn schedule_requests() -> Vec<Request> {
    use crate::{
        live::ScheduleChange,
        schedule::{CatchUp, Overlap, Schedule},
    };

    let cron = Schedule::cron("0 3 * * *").unwrap().time_zone("Europe/Berlin").unwrap();
    let every = Schedule::every(Duration::from_secs(60)).unwrap().jitter(Duration::from_secs(5)).unwrap();
    let every = every.catch_up(CatchUp::All { max: 7 }).unwrap().overlap(Overlap::CancelEarlier);
    let dates = Schedule::dates([chrono::DateTime::UNIX_EPOCH]).unwrap();
    let changes = [ScheduleChange::Pause, ScheduleChange::Resume, ScheduleChange::Remove, ScheduleChange::RunNow];
    let changes = changes.map(|change| Request::Schedules { names: vec!["a".into(), "b".into()], change });
    let add =
        |schedule| Request::AddSchedule { name: "nightly".into(), kind: "job".into(), schedule, template: "{}".into() };
    changes.into_iter().chain([cron, every, dates].map(add)).collect()
}

fn value<T: serde::Serialize>(value: &T) -> Vec<u8> {
    frame::encode(value, usize::MAX).unwrap().split_off(4)
}

#[test]
fn call_is_decoded_as_it_was_and_refused_when_cut() {
    let file = FileId::of(&fs::metadata(".").unwrap());
    for request in all_requests() {
        let import = Ask::Import(crate::api::import::ImportOptions::default());
        for ask in [Ask::Count(request.clone()), Ask::Perform(request), import, Ask::Time] {
            let call = Call { file, ask };
            let bytes = value(&call);
            assert_eq!(frame::decode::<Call>(&bytes).unwrap(), call);
            for end in 0..bytes.len() {
                let error = frame::decode::<Call>(&bytes[..end]).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Invalid, "{call:?} {end}");
            }
            let error = frame::decode::<Call>(&[bytes.as_slice(), b"\0"].concat()).unwrap_err();
            assert!(error.to_string().contains("1 bytes follow the value"), "{error}");
        }
    }
}

#[test]
fn answer_is_decoded_as_it_was() {
    let refused =
        RefusedTask { kind: "job".into(), id: "a".to_key(), error: ErrorKind::Leased, message: "it is leased".into() };
    for answer in [
        Answer::Ok(Reply::Time(chrono::DateTime::UNIX_EPOCH)),
        Answer::Ok(Reply::Counts(vec![KindCount { kind: "job".into(), tasks: u64::MAX }])),
        Answer::Ok(Reply::Report(Report { changed: 1, refused: vec![refused] })),
        Answer::Err(Failure { kind: ErrorKind::Closed, message: "closed".into() }),
    ] {
        assert_eq!(frame::decode::<Answer>(&value(&answer)).unwrap(), answer);
    }
}

#[test]
fn unknown_field_and_variant_are_named() {
    let unknown = |json: serde_json::Value| frame::decode::<Request>(&value(&json)).unwrap_err().to_string();
    let error = unknown(serde_json::json!({"Kinds": {"kind": null, "paused": true, "until": 7}}));
    assert!(error.contains("unknown field `until`"), "{error}");
    let error = unknown(serde_json::json!({"Format": {}}));
    assert!(error.contains("unknown variant `Format`"), "{error}");
    let error = unknown(serde_json::json!({"Replace": {"kind": "", "id": [120, 7], "revision": 1, "payload": []}}));
    assert!(error.contains("expected the bytes of a task's id"), "{error}");
}

#[test]
fn hello_of_another_version_or_protocol_is_refused_by_name() {
    let mut hello = frame::hello();
    hello[7] = 9;
    let error = frame::check_hello(hello).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("version 9 of live commands, this one version 5"), "{error}");
    assert_eq!(frame::check_hello(*b"HTTP/1.1").unwrap_err().kind(), ErrorKind::Foreign);
}

#[test]
fn frame_over_the_limit_is_refused_before_it_is_read() {
    let error = frame::read(&mut u32::MAX.to_be_bytes().as_slice(), frame::LONGEST_CALL).unwrap_err();
    assert_eq!(error.to_string(), "a live command or its answer has 4294967295 bytes; the limit is 1048576");
    let fits = frame::encode(&"x".repeat(95), 97).unwrap();
    assert_eq!(frame::read(&mut fits.as_slice(), 97).unwrap().len(), 97);
    assert!(frame::encode(&"x".repeat(96), 97).is_err());
    let error = frame::read(&mut &fits[..50], 97).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
}

#[test]
fn server_refuses_bad_calls_and_serves_the_next() {
    let mut fixture = Fixture::new();
    let answer = |mut stream: UnixStream, bytes: &[u8]| {
        stream.write_all(bytes).unwrap();
        frame::read(&mut stream, usize::MAX).and_then(|bytes| frame::decode::<Answer>(&bytes))
    };
    let refused = |bytes: &[u8]| Error::from(answer(fixture.connect(), bytes).unwrap().unwrap_err());
    let error = refused(&frame::encode(&"garbage", 100).unwrap());
    assert!(error.to_string().contains("a live command cannot be decoded"), "{error}");
    let error = refused(&[0xff; 4]);
    assert!(error.to_string().contains("has 4294967295 bytes; the limit is 1048576"), "{error}");
    let other = FileId::of(&fs::metadata("/").unwrap());
    let call = frame::encode(&Call { file: other, ask: Ask::Time }, frame::LONGEST_CALL).unwrap();
    assert_eq!(refused(&call).kind(), ErrorKind::Closed);

    // A connection that ends within a frame, one of another version, and one of another protocol get no answer.
    let mut cut = fixture.connect();
    cut.write_all(&[0, 0, 1]).unwrap();
    cut.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(answer(cut, b"").is_err());
    for hello in [*b"trkl\0\0\0\x09", *b"GET / HT"] {
        let mut stream = UnixStream::connect(fixture.socket()).unwrap();
        stream.write_all(&hello).unwrap();
        let mut answered = Vec::new();
        // The connection may be reset.
        drop(stream.read_to_end(&mut answered));
        assert_eq!(answered, frame::hello());
    }
    assert_eq!(fixture.client().unwrap().perform(&Request::Kinds { kind: None, paused: true }).unwrap().changed, 0);
    fixture.stop();
}

#[test]
fn silent_clients_hold_neither_others_nor_the_stop() {
    let mut fixture = Fixture::new();
    let mut silent: Vec<_> = (0..8).map(|_| fixture.connect()).collect();
    let found = thread::scope(|scope| {
        let found = scope.spawn(|| fixture.client());
        // The ninth connection is served once one of the others has ended.
        silent.pop();
        found.join().unwrap()
    });
    assert!(found.is_some());
    fixture.stop();
    for mut stream in silent {
        assert_eq!(stream.read(&mut [0]).unwrap(), 0, "the server has closed the connection");
    }
    assert!(fixture.client().is_none());
}

#[test]
fn client_refuses_a_server_of_another_version() {
    let fixture = Fixture::new();
    let folder = fixture.folder.path().join("other");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    let listener = UnixListener::bind(folder.join(address::socket_name(fixture.file()))).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"trkl\0\0\0\x01").unwrap();
            drop(stream.read_to_end(&mut Vec::new()));
        });
        let error = Client::find_in(vec![folder.clone()], fixture.file(), TEST_TIMEOUT).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("uses version 1 of live commands"), "{error}");
    });
}

#[test]
fn find_gives_up_on_a_server_that_never_answers() {
    let mut fixture = Fixture::new();
    fixture.stop();
    let listener = UnixListener::bind(fixture.socket()).unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(&frame::hello()).unwrap();
        // Reads until the client closes the connection, and never answers.
        std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
    });
    let error = Client::find_in(fixture.directories(), fixture.file(), Duration::from_millis(1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
    server.join().unwrap();
}

#[test]
fn connection_that_a_stop_leaves_unserved_means_closed() {
    let mut fixture = Fixture::new();
    let client = fixture.client().unwrap();
    fixture.stop();
    let listener = UnixListener::bind(fixture.socket()).unwrap();
    let server = thread::spawn(move || {
        // Closed before the hello, and after it.
        drop(listener.accept().unwrap());
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(&frame::hello()).unwrap();
        stream.read_exact(&mut [0; frame::HELLO]).unwrap();
        stream.shutdown(std::net::Shutdown::Both).unwrap();
    });
    let error = client.perform(&change(TaskChange::SetPriority(9))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    // The call may be sent before the connection is closed.
    let error = client.perform(&change(TaskChange::SetPriority(9))).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Closed | ErrorKind::OutcomeUnknown), "{error}");
    server.join().unwrap();
    assert_eq!(client.now().unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn socket_of_a_killed_process_is_replaced() {
    let mut fixture = Fixture::new();
    fixture.stop();
    assert!(!fixture.socket().exists(), "a stop removes the socket");
    // A listener that is gone leaves its socket, as kill -9 does; the temporary name may be left too.
    drop(UnixListener::bind(fixture.socket()).unwrap());
    assert!(fixture.client().is_none());
    let temporary = format!("{}.{}", fixture.socket().display(), std::process::id());
    drop(UnixListener::bind(&temporary).unwrap());
    fixture.start();
    assert!(fixture.client().is_some());
    let socket = fs::metadata(fixture.socket()).unwrap();
    assert!(socket.file_type().is_socket() && socket.permissions().mode() & 0o777 == 0o600);
    assert!(!Path::new(&temporary).exists());
    let closed = fixture.client().unwrap();
    fixture.stop();
    assert_eq!(closed.now().unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn panic_in_a_call_ends_that_call_only() {
    let mut fixture = Fixture::with(Tracker::options().redact(|_| panic!("no text")));
    fixture.job();
    let client = fixture.client().unwrap();
    let error = client.perform(&change(TaskChange::Ignore { reason: "why".into() })).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{error}");
    assert_eq!(client.perform(&change(TaskChange::SetPriority(9))).unwrap().changed, 1);
    fixture.stop();
}

#[test]
fn answer_after_the_timeout_is_an_unknown_outcome() {
    let mut fixture = Fixture::new();
    let jobs = fixture.job();
    let client = fixture.client().unwrap().timeout(Duration::from_millis(1));
    // The transaction keeps the request waiting.
    let result = fixture.tracker.transaction(|_| {
        thread::scope(|scope| {
            Ok::<_, Error>(scope.spawn(|| client.perform(&change(TaskChange::SetPriority(9)))).join())
        })
    });
    let error = result.unwrap().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{error}");
    fixture.stop();
    assert_eq!(jobs.get("a").unwrap().unwrap().priority, 9, "the request was performed nevertheless");
}

fn change(change: TaskChange) -> Request {
    Request::Tasks { selection: Selection::Ids { kind: None, ids: vec!["a".into()] }, change }
}
