//! `ChildPlayer`: a tracker in a process of its own, which plays the requests that come through a pipe. Used by the model test on a server.

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    mem,
    path::Path,
    process::{self, Child, ChildStdin, ChildStdout},
    rc::Rc,
};

use serde::Serialize;

use super::player::{LocalPlayer, OpenTracker, Player, Reply, Request};
use crate::support::{child_process, place::TestStore};

/// The role of the process.
pub const ROLE: &str = "plays the model";

/// The start of a line with a reply. The test program writes other lines.
const REPLY: &str = "reply ";

/// A tracker in another process, on a schema of the server.
pub struct ChildPlayer {
    schema: String,
    child: Child,
    requests: ChildStdin,
    replies: BufReader<ChildStdout>,
}

impl ChildPlayer {
    /// Starts the process. Its wall clock begins `microseconds` after the start of the tests' clock.
    pub fn start(schema: String, microseconds: i64) -> Self {
        let mut child = child_process::start_piped(ROLE, Path::new(&schema));
        let (requests, replies) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut player = Self { schema, child, requests, replies: BufReader::new(replies) };
        player.send(&microseconds);
        // The tracker is open.
        player.receive();
        player
    }

    fn send(&mut self, line: &impl Serialize) {
        writeln!(self.requests, "{}", serde_json::to_string(line).unwrap()).unwrap();
    }

    fn receive(&mut self) -> Reply {
        let mut lines = (&mut self.replies).lines().map(Result::unwrap);
        let reply = lines.find_map(|line| line.strip_prefix(REPLY).map(str::to_owned));
        serde_json::from_str(&reply.expect("the process ended, and its error is above")).unwrap()
    }
}

impl Player for ChildPlayer {
    fn play(&mut self, request: &Request) -> Reply {
        self.send(request);
        self.receive()
    }

    fn restart(&mut self, microseconds: i64) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        *self = Self::start(mem::take(&mut self.schema), microseconds);
    }
}

impl Drop for ChildPlayer {
    fn drop(&mut self) {
        // After a restart, this process has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Plays the requests that come, in a process that [`ChildPlayer`] has started.
pub fn play(schema: &str) {
    let mut lines = io::stdin().lines().map(Result::unwrap);
    let microseconds = serde_json::from_str(&lines.next().unwrap()).unwrap();
    let store = TestStore::Schema(schema.to_owned());
    let open: OpenTracker = Rc::new(move |options| store.open(options));
    let mut player = LocalPlayer::new(open, microseconds);
    // The name of the test is on this line.
    println!();
    reply(&player.play(&Request::Flush));
    for line in lines {
        reply(&player.play(&serde_json::from_str(&line).unwrap()));
    }
    // The other process has ended. Executions end with this one, without a call.
    process::exit(0);
}

fn reply(reply: &Reply) {
    println!("{REPLY}{}", serde_json::to_string(reply).unwrap());
}
