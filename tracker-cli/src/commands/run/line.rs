use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use tracker_core::{
    TaskStatus, TrackedTask,
    task::{Policy, TaskId, TaskKey, UniqueDef},
};
use xxhash_rust::xxh3::xxh3_128;

use super::{kept::Kept, template::Template, text::Text};

/// The statuses of lines.
#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineStatus {
    Pending = 10,
    InProgress = 20,
    /// Failed, and is tried again.
    Failed = 30,
    Succeeded = 40,
    /// Given up.
    Exhausted = 50,
    Ignored = 60,
    Cancelled = 70,
}

/// A line of the input, and what came of it.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct Line {
    pub text: Text,
    /// From 1, in the order in which lines were first stored. It never changes.
    pub number: u64,
    /// Which of the lines of its input with the same text, from 1.
    pub copy: u64,
    /// The command for all lines, as it was when this one was put in or last tried.
    pub command: Template,
    /// How many bytes the line has, if it is too long to be kept: `text` is only its beginning then.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub oversized: Option<u64>,
    /// What the last attempt gave that ran to its end.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub result: Option<RunResult>,
}

/// What a command gave.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct RunResult {
    /// Its exit code; none if a signal ended it.
    pub exit: Option<i32>,
    pub signal: Option<i32>,
    pub stdout: Kept,
    pub stderr: Kept,
}

/// What the command line says of attempts. The trait asks for it without saying of which tracker: one program runs one.
static POLICY: OnceLock<Policy> = OnceLock::new();

impl Line {
    /// Sets limits and delays; before the kind is opened, and once.
    pub fn set_policy(policy: Policy) {
        POLICY.get_or_init(|| policy);
    }

    /// How many bytes of what a command printed fit into the task beside the line.
    pub fn room(&self) -> u64 {
        let command: usize = self.command.words.iter().map(|word| word.0.len() + OVERHEAD).sum();
        (MOST_PAYLOAD.saturating_sub(self.text.0.len() + command + FIELDS)) as u64
    }

    pub fn key(&self) -> TaskKey {
        id(&self.text.0, self.copy)
    }
}

/// The most bytes that the library stores for a task.
const MOST_PAYLOAD: usize = 16 << 20;

/// The most bytes that come before a text in `MessagePack`.
const OVERHEAD: usize = 5;

/// Enough bytes for the names of all fields, and for all numbers.
const FIELDS: usize = 1_024;

/// The longest line that is its own id. Ids have at most 1,024 bytes.
const LONGEST: usize = 900;

/// The id of a line: itself, so that lines may move and others come between them. The second one with the same text is
/// `text (2)`. What looks so by itself, and the empty line, get a ` (1)`, so that no two ever share an id.
fn id(line: &[u8], copy: u64) -> TaskKey {
    let mut id = line.to_vec();
    if line.len() > LONGEST {
        let whole = std::str::from_utf8(line).is_ok();
        let cut = (0..=LONGEST).rev().find(|at| !whole || line.get(*at).is_none_or(|byte| byte & 0xC0 != 0x80));
        id.truncate(cut.unwrap_or(LONGEST));
        id.extend_from_slice(format!("… {:032x}", xxh3_128(line)).as_bytes());
    }
    if copy > 1 || id.is_empty() || is_numbered(&id) {
        id.extend_from_slice(format!(" ({copy})").as_bytes());
    }
    match String::from_utf8(id) {
        Ok(text) => text.to_key(),
        Err(bytes) => bytes.as_bytes().to_key(),
    }
}

fn is_numbered(id: &[u8]) -> bool {
    let Some(rest) = id.strip_suffix(b")") else { return false };
    let digits = rest.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    digits > 0 && rest.get(..rest.len() - digits).is_some_and(|rest| rest.ends_with(b" ("))
}

impl TrackedTask for Line {
    type Status = LineStatus;

    const KIND: &'static str = "run";
    const INDEXES: &'static [&'static str] = &[];
    const UNIQUES: &'static [UniqueDef] = &[];

    fn policy() -> Policy {
        POLICY.get().cloned().unwrap_or_default()
    }

    fn task_id(&self) -> Option<TaskKey> {
        Some(self.key())
    }

    fn index_values(&self) -> Vec<Vec<u8>> {
        Vec::new()
    }

    fn unique_values(&self) -> Vec<Vec<u8>> {
        Vec::new()
    }

    fn fingerprint(&self) -> Option<u64> {
        None
    }

    fn priority(&self) -> Option<u8> {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_lines_share_an_id() {
        let long = "ü".repeat(700);
        let longer = format!("{long}x");
        let lines: [&[u8]; 11] = [
            b"",
            b"a",
            b"a (1)",
            b"a (2)",
            b"a (2) (1)",
            b" (1)",
            b"(1)",
            b"a\xff",
            b"a (x)",
            long.as_bytes(),
            longer.as_bytes(),
        ];
        let ids: HashSet<_> = lines.iter().flat_map(|line| (1..=3).map(|copy| id(line, copy))).collect();
        assert_eq!(ids.len(), 33);
        assert!(ids.iter().all(|id| !id.is_empty() && id.as_bytes().len() <= 1024));
    }

    #[test]
    fn ids_are_the_lines_where_they_can_be() {
        for (line, copy, expected) in [
            ("a b", 1, "a b"),
            ("a b", 2, "a b (2)"),
            ("", 1, " (1)"),
            ("a (2)", 1, "a (2) (1)"),
            ("f()", 1, "f()"),
            ("f ()", 1, "f ()"),
        ] {
            assert_eq!(id(line.as_bytes(), copy).as_str(), Some(expected));
        }
        assert_eq!(id(b"\xff", 1).as_byte_string(), Some(&b"\xff"[..]));
    }
}
