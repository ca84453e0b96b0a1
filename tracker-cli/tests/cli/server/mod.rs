//! The program on a PostgreSQL server, whose URL is in `TRACKER_TEST_URL`. `tracker-postgres/with_server COMMAND` starts one for a command.

mod commands;
mod doctor;
mod errors;
mod move_kills;
mod moves;
mod run;
mod secrets;
mod views;

use std::{
    env, fs,
    process::{self, Command},
    sync::atomic::{AtomicU32, Ordering},
};

use serde_json::Value;

use crate::{
    fixture::{Fixture, Ran},
    sample,
};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A schema that no other test uses, and a folder.
pub struct Schema {
    pub fixture: Fixture,
    pub name: String,
    /// The URL with the schema. The server asks for no password; this one is there to be hidden.
    pub url: String,
}

/// The password in the URLs.
pub const PASSWORD: &str = "hunter2";

/// Starts the test only where a server is known.
macro_rules! schema_or_skip {
    () => {
        match crate::server::Schema::new() {
            Some(schema) => schema,
            None => return,
        }
    };
}
use schema_or_skip;

impl Schema {
    fn new() -> Option<Self> {
        let Ok(url) = env::var("TRACKER_TEST_URL") else {
            println!("skipped: TRACKER_TEST_URL names no server; tracker-postgres/with_server starts one");
            return None;
        };
        let name = format!("cli_{}_{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let url = url.replace("://owner@", &format!("://owner:{PASSWORD}@"));
        assert!(url.contains(PASSWORD), "TRACKER_TEST_URL has another form than with_server gives it");
        Some(Self { fixture: Fixture::new(), url: format!("{url}&schema={name}"), name })
    }

    /// Puts the tasks of the sample into the schema.
    fn with_sample(self) -> Self {
        sample::write(&self.fixture.path("sample.redb"));
        // The clock of the sample is ahead of the server's, whose times count.
        let exported = self.fixture.run(&["export", "sample.redb"]).out.replace("\"2030-", "\"2020-");
        fs::write(self.fixture.path("lines.jsonl"), exported).unwrap();
        assert_eq!(self.fine(&["import", "@", "lines.jsonl"])["new"], 64);
        self
    }

    /// Runs the program with the URL in its environment. `@` among the arguments is the URL.
    fn run(&self, arguments: &[&str]) -> Ran {
        let ran: Ran = self.command(arguments).output().unwrap().into();
        let texts = format!("{}{}", ran.out, ran.err);
        assert!(!texts.contains(PASSWORD), "{arguments:?} shows the password: {texts}");
        ran
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.fixture.command(arguments);
        command.env("TRACKER_URL", &self.url);
        command
    }

    /// The JSON of a run that succeeds.
    #[track_caller]
    fn fine(&self, arguments: &[&str]) -> Value {
        let ran = self.run(&[arguments, &["--json"]].concat());
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{arguments:?}");
        serde_json::from_str(&ran.out).unwrap()
    }

    /// Runs statements as the owner, and returns what they print. `{}` stands for the schema.
    #[track_caller]
    fn psql(&self, sql: &str) -> String {
        let mut command = Command::new("psql");
        command
            .args(["-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-d"])
            .arg(env::var("TRACKER_TEST_URL").unwrap());
        let output = command.args(["-c", &sql.replace("{}", &self.name)]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}
