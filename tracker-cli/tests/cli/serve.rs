//! `tracker serve`: its URL, its access to the file beside an application, and wrong starts.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Child, Stdio},
};

use serde_json::Value;
use tracker_core::{Tracker, file::Sharing};

use crate::{Fixture, running_app::RunningApp, sample};

/// A running dashboard; killed with the test.
pub struct Served {
    process: Child,
    /// The address with its port.
    host: String,
    cookie: String,
}

impl Served {
    fn start(fixture: &Fixture, arguments: &[&str]) -> Self {
        Self::start_on(fixture, "jobs.redb", arguments)
    }

    pub fn start_on(fixture: &Fixture, file: &str, arguments: &[&str]) -> Self {
        let mut command = fixture.command(&[&["serve", file, "--json"], arguments].concat());
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let printed: Value = serde_json::from_str(&line).unwrap();
        let url = printed["url"].as_str().unwrap().strip_prefix("http://").unwrap();
        let (host, path) = url.split_once('/').unwrap();
        let mut served = Self { process, host: host.to_owned(), cookie: String::new() };
        let entered = served.send("GET", &format!("/{path}"), "");
        let cookie = entered.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
        cookie.split(';').next().unwrap().clone_into(&mut served.cookie);
        served
    }

    /// A whole response with its head.
    pub fn send(&self, method: &str, path: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.host).unwrap();
        let (host, cookie, length) = (&self.host, &self.cookie, body.len());
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\norigin: http://{host}\r\ncookie: {cookie}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )
        .unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        response
    }

    #[track_caller]
    fn page(&self, path: &str) -> String {
        let response = self.send("GET", path, "");
        assert!(response.starts_with("HTTP/1.1 200"), "{path}: {response}");
        response
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn dashboard_shows_the_file_and_only_reads() {
    let fixture = Fixture::new();
    sample::write(&fixture.path("jobs.redb"));
    let served = Served::start(&fixture, &[]);
    assert!(served.host.starts_with("127.0.0.1:"), "{}", served.host);
    let page = served.page("/kinds");
    assert!(page.contains("jobs.redb") && page.contains("60 tasks"), "{page}");
    let page = served.page("/tasks?kind=download&status=50");
    assert!(page.contains("404 not found") && page.contains("with --write to allow commands"), "{page}");
    let refused = served.send("POST", "/command", "change=prune&kind=download&age=0&confirmed=1");
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    let outside = Served {
        process: fixture.command(&["--version"]).spawn().unwrap(),
        host: served.host.clone(),
        cookie: String::new(),
    };
    assert!(outside.send("GET", "/kinds", "").starts_with("HTTP/1.1 403"));
}

#[test]
fn commands_open_a_file_that_no_process_has_open() {
    let fixture = Fixture::new();
    sample::write(&fixture.path("jobs.redb"));
    let served = Served::start(&fixture, &["--write"]);
    let done = served.send("POST", "/command", "change=retry&kind=download&scope=all&status=50&confirmed=1");
    assert!(done.starts_with("HTTP/1.1 303"), "{done}");
    let location = done.lines().find_map(|line| line.strip_prefix("location: ")).unwrap();
    assert!(served.page(&format!("/{location}")).contains("Requeued 6 tasks."));
    let listed = fixture.fine(&["list", "jobs.redb", "--kind", "download", "--status", "Exhausted"]);
    assert_eq!(listed["total"], 0);
}

#[cfg(unix)]
#[test]
fn commands_go_through_the_application_that_has_the_file_open() {
    let fixture = Fixture::new();
    let application = RunningApp::open_with(&fixture, Tracker::options().sharing(Sharing::Readers));
    let served = Served::start(&fixture, &["--write"]);
    let done = served.send("POST", "/command", "change=pause-kind&kind=download&confirmed=1");
    assert!(done.starts_with("HTTP/1.1 303"), "{done}");
    assert!(application.downloads.info().unwrap().paused);
    assert!(served.page("/kinds").contains("paused"));
}

#[cfg(target_os = "linux")]
#[test]
fn file_without_live_commands_is_read_only_with_a_reason() {
    let fixture = Fixture::new();
    let options = Tracker::options().sharing(Sharing::Readers).live_commands(false);
    let _application = RunningApp::open_with(&fixture, options);
    let served = Served::start(&fixture, &["--write"]);
    let page = served.page("/tasks?kind=download");
    assert!(page.contains("Read only: ") && page.contains("Options::live_commands"), "{page}");
    assert!(!page.contains("method=\"post\""), "{page}");
}

#[cfg(unix)]
#[test]
fn replaced_file_is_opened_again() {
    let fixture = Fixture::new();
    sample::write(&fixture.path("jobs.redb"));
    sample::write(&fixture.path("other.redb"));
    let other = Tracker::open(fixture.path("other.redb")).unwrap();
    other.untyped("mail").unwrap().query().remove().unwrap();
    other.close().unwrap();
    let served = Served::start(&fixture, &[]);
    assert!(served.page("/kinds").contains("4 tasks"));
    fs::rename(fixture.path("other.redb"), fixture.path("jobs.redb")).unwrap();
    assert!(served.page("/kinds").contains("0 tasks"));
    fs::remove_file(fixture.path("jobs.redb")).unwrap();
    let missing = served.send("GET", "/kinds", "");
    assert!(missing.starts_with("HTTP/1.1 503") && missing.contains("jobs.redb"), "{missing}");
}

#[test]
fn wrong_starts_name_the_reason_and_the_way_out() {
    let fixture = Fixture::new();
    let missing = fixture.run(&["serve", "nothing.redb"]);
    assert_eq!((missing.code, missing.out.as_str()), (Some(3), ""), "{}", missing.err);
    assert!(!fixture.path("nothing.redb").exists());
    sample::write(&fixture.path("jobs.redb"));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let busy = fixture.run(&["serve", "jobs.redb", "--listen", &address]);
    assert_eq!(busy.code, Some(3));
    assert!(busy.err.contains(&format!("cannot listen on {address}")) && busy.err.contains("port 0"), "{}", busy.err);
    let wrong = fixture.run(&["serve", "jobs.redb", "--listen", "8080"]);
    assert_eq!(wrong.code, Some(2), "{}", wrong.err);
}

#[test]
fn address_of_other_machines_is_a_warning() {
    let fixture = Fixture::new();
    sample::write(&fixture.path("jobs.redb"));
    let mut command = fixture.command(&["serve", "jobs.redb", "--listen", "0.0.0.0:0"]);
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    process.kill().unwrap();
    let errors = process.wait_with_output().unwrap().stderr;
    assert!(line.starts_with("http://127.0.0.1:"), "{line}");
    assert!(String::from_utf8(errors).unwrap().contains("other machines can reach"));
}
