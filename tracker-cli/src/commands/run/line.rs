//! `Line`: the task of `tracker run`: a line of input, its command and the result of the last attempt. Stored in the tracker; used by all of
//! `run`. Plain data.

use std::{slice, sync::OnceLock};

use serde::{Deserialize, Serialize};
use tracker_core::{
    TaskStatus, TrackedTask,
    task::{Policy, TaskId, TaskKey, UniqueDef},
};
use xxhash_rust::xxh3::xxh3_128;

use super::{byte_text::ByteText, stored_output::StoredOutput, template::Template};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineStatus {
    Pending = 10,
    InProgress = 20,
    /// Failed, and will be retried.
    Failed = 30,
    Succeeded = 40,
    /// Given up.
    Exhausted = 50,
    Ignored = 60,
    Cancelled = 70,
}

#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct Line {
    pub text: ByteText,
    /// The values for placeholders, if they are not the text itself: columns, or several lines.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub values: Vec<ByteText>,
    /// From 1, in the order in which lines are first stored. Never changes.
    pub number: u64,
    /// The position among the lines with the same text, from 1.
    pub copy: u64,
    /// The command of the run that submitted the line or ran its last attempt.
    pub command: Template,
    /// The length of a line that is too long to be stored; `text` is its beginning.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub oversized: Option<u64>,
    /// The result of the last attempt whose command ended by itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub result: Option<RunResult>,
}

/// The result of a command.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct RunResult {
    /// The exit code; absent if a signal ended the command.
    pub exit: Option<i32>,
    pub signal: Option<i32>,
    pub stdout: StoredOutput,
    pub stderr: StoredOutput,
}

/// The policy of the command line. It is global because [`TrackedTask::policy`] has no receiver.
static POLICY: OnceLock<Policy> = OnceLock::new();

impl Line {
    /// Sets the policy, once and before the kind is opened.
    pub fn set_policy(policy: Policy) {
        POLICY.get_or_init(|| policy);
    }

    /// Returns how many bytes of output fit into the task.
    pub fn room(&self) -> u64 {
        let words = self.command.words.iter().chain(&self.values);
        let command: usize = words.map(|word| word.0.len() + OVERHEAD).sum();
        (PAYLOAD_MAX.saturating_sub(self.text.0.len() + command + FIELDS)) as u64
    }

    /// Returns the values for placeholders.
    pub fn values(&self) -> &[ByteText] {
        if self.values.is_empty() { slice::from_ref(&self.text) } else { &self.values }
    }

    pub fn key(&self) -> TaskKey {
        id(&self.text.0, self.copy)
    }
}

/// The largest payload that the library stores, in bytes.
const PAYLOAD_MAX: usize = 16 << 20;

/// The largest header of a text in `MessagePack`, in bytes.
const OVERHEAD: usize = 5;

/// An upper bound for the names of all fields and for all numbers, in bytes.
const FIELDS: usize = 1_024;

/// The longest line whose id is the whole text, in bytes. Ids have at most 1,024 bytes.
const WHOLE_MAX: usize = 900;

/// Returns the id of a line: its text, so that lines may move. The second line with the same text is `text (2)`. A text that
/// ends like this by itself, and the empty text, get ` (1)`, so that ids are distinct.
fn id(line: &[u8], copy: u64) -> TaskKey {
    let mut id = line.to_vec();
    if line.len() > WHOLE_MAX {
        let whole = std::str::from_utf8(line).is_ok();
        let cut = (0..=WHOLE_MAX).rev().find(|at| !whole || line.get(*at).is_none_or(|byte| byte & 0xC0 != 0x80));
        id.truncate(cut.unwrap_or(WHOLE_MAX));
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
    fn ids_of_lines_are_distinct() {
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
    fn id_is_the_text_if_possible() {
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
