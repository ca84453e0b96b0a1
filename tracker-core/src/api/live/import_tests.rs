//! Tests of imports through the socket: they have the result of an import in the process, for every way in which they end.

use std::{
    fmt::Write as _,
    io::{self, Read},
};

use super::{
    frame::{self, Answer, Ask, Call, Reply},
    tests::{Fixture, Job},
};
use crate::{Tracker, api::import::ImportOptions, model::error::ErrorKind};

/// Lines of `tasks` tasks, last id first. Each depends on the next smaller id, so an import holds all lines until the last.
fn lines(tasks: u32, payload_bytes: usize) -> String {
    let padding = "x".repeat(payload_bytes);
    let mut lines = String::new();
    for id in (0..tasks).rev() {
        let dependencies = match id {
            0 => String::new(),
            id => format!(r#""dependencies": [{{"kind": "job", "id": "{}", "on_failure": "skip"}}], "#, id - 1),
        };
        writeln!(
            lines,
            r#"{{"kind": "job", "id": "{id}", {dependencies}"payload": {{"name": "{id}", "text": "{padding}"}}}}"#
        )
        .unwrap();
    }
    lines
}

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    fixture.tracker.tasks::<Job>().unwrap();
    fixture
}

fn direct() -> Tracker {
    let tracker = Tracker::in_memory().unwrap();
    tracker.tasks::<Job>().unwrap();
    tracker
}

fn export(tracker: &Tracker) -> String {
    let mut lines = Vec::new();
    tracker.export(&mut lines).unwrap();
    String::from_utf8(lines).unwrap()
}

/// Calls a function before each read.
struct Hooked<R, F>(R, F);

impl<R: Read, F: FnMut()> Read for Hooked<R, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (self.1)();
        self.0.read(buffer)
    }
}

#[test]
fn import_has_the_result_of_one_in_the_process() {
    let mut fixture = fixture();
    let client = fixture.client().unwrap();
    // Parts of 1 MiB end within lines.
    let lines = lines(700, 9_000);
    assert!(lines.len() > 5 << 20);
    let direct = direct();
    for _ in 0..2 {
        let imported = client.import(lines.as_bytes(), &ImportOptions::new()).unwrap();
        assert_eq!(imported, direct.import(lines.as_bytes()).unwrap());
    }
    assert_eq!(fixture.tracker.untyped("job").unwrap().query().total().unwrap(), 700);
    assert_eq!(client.import(io::empty(), &ImportOptions::new()).unwrap(), direct.import(io::empty()).unwrap());

    let wrong = format!("{{}}\n{lines}[7]\n");
    let options = ImportOptions::new().go_on();
    let refused = client.import(wrong.as_bytes(), &options).unwrap();
    assert_eq!((refused.refused, refused.errors.len()), (2, 2));
    assert_eq!(refused, direct.import_with(wrong.as_bytes(), &options).unwrap());
    fixture.stop();
}

#[test]
fn invalid_line_ends_the_import_before_the_last_part_is_sent() {
    let mut fixture = fixture();
    let client = fixture.client().unwrap();
    let wrong = format!("{{\"kind\": \"job\", \"id\": \"first\", \"payload\": {{}}}}\n[7]\n{}", lines(700, 9_000));
    let error = client.import(wrong.as_bytes(), &ImportOptions::new()).unwrap_err();
    let direct = direct().import(wrong.as_bytes()).unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (direct.kind(), direct.to_string()));
    assert!(error.to_string().starts_with("line 2: "), "{error}");
    assert_eq!(fixture.tracker.untyped("job").unwrap().query().total().unwrap(), 1);
    fixture.stop();
}

#[test]
fn import_that_a_client_leaves_is_completed_by_another() {
    let mut fixture = fixture();
    let client = fixture.client().unwrap();
    let lines = lines(700, 9_000);
    let mut reads = 0;
    let broken = Hooked(lines.as_bytes(), || reads += 1).chain(Failing);
    let error = client.import(broken, &ImportOptions::new()).unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::Io, "the lines cannot be read further".to_owned()));
    assert!(reads > 5);

    // A client that is killed sends no more.
    let stream = fixture.connect();
    let call = Call { file: fixture.file(), ask: Ask::Import(ImportOptions::new()) };
    io::Write::write_all(&mut &stream, &frame::encode(&call, frame::LONGEST_CALL).unwrap()).unwrap();
    let asked = frame::read(&mut &stream, frame::LONGEST_ANSWER).unwrap();
    assert_eq!(frame::decode::<Answer>(&asked).unwrap(), Answer::Ok(Reply::MoreLines));
    drop(stream);

    client.import(lines.as_bytes(), &ImportOptions::new()).unwrap();
    let direct = direct();
    direct.import(export(&fixture.tracker).as_bytes()).unwrap();
    assert_eq!(direct.untyped("job").unwrap().query().total().unwrap(), 700);
    fixture.stop();
}

#[test]
fn stop_of_the_server_ends_an_import() {
    let mut fixture = fixture();
    let client = fixture.client().unwrap();
    let tracker = fixture.tracker.clone();
    let lines = lines(700, 9_000);
    let mut reads = 0;
    let stopped = Hooked(lines.as_bytes(), || {
        reads += 1;
        if reads == 3 {
            fixture.stop();
        }
    });
    let error = client.import(stopped, &ImportOptions::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{error}");
    assert!(error.to_string().contains("import again, tasks that are in stay as they are"), "{error}");
    assert_eq!(tracker.import(lines.as_bytes()).unwrap().refused, 0);
}

/// A reader that fails, as a broken disk does.
struct Failing;

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("the disk is gone"))
    }
}
