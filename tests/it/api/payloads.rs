//! Tests which payloads can be stored: nesting, and that what is stored can be read again.

use std::{collections::HashMap, sync::Mutex};

use serde::{Deserialize, Serialize};
use tracker_core::{ErrorKind, TrackedTask, portable::ImportOptions, untyped::Payload};

use crate::support::{
    kinds::{Status, fine, refused, tracker},
    place,
};

/// The levels of arrays and maps that a payload may have.
const LEVELS: usize = 128;

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
enum Tree {
    Leaf,
    Branch(Box<Tree>),
    Node { children: Vec<Tree> },
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(name = "deep", status = Status, max_attempts = 1)]
struct Deep {
    #[task(id)]
    id: u32,
    #[task(fingerprint)]
    tree: Tree,
}

/// A tree of so many levels.
fn tree(levels: usize) -> Tree {
    (0..levels).fold(Tree::Leaf, |inner, _| Tree::Branch(Box::new(inner)))
}

/// A task of so many levels.
fn deep(levels: usize) -> Deep {
    Deep { id: 1, tree: tree(levels - 1) }
}

/// Runs on a thread with the stack of a worker's.
fn on_small_stack(run: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap().join().unwrap();
}

#[track_caller]
fn names_the_limit(error: &tracker_core::Error) {
    assert!(error.to_string().contains("deeper than 128 levels"), "{error}");
}

#[test]
fn payload_at_the_nesting_limit_is_stored_and_read() {
    on_small_stack(|| {
        let (_, tracker) = tracker();
        let tasks = tracker.tasks::<Deep>().unwrap();
        tasks.submit(&deep(LEVELS)).unwrap();
        assert_eq!(tasks.get(1).unwrap().unwrap().task, deep(LEVELS));
        assert_eq!(tasks.worker().run(|_| fine()).unwrap().succeeded, 1);
        let mut children = Tree::Leaf;
        for _ in 0..(LEVELS - 1) / 3 {
            children = Tree::Node { children: vec![children] };
        }
        tasks.submit(&Deep { id: 2, tree: children.clone() }).unwrap();
        assert_eq!(tasks.get(2).unwrap().unwrap().task.tree, children);
    });
}

#[test]
fn payload_beyond_the_nesting_limit_is_refused_everywhere() {
    on_small_stack(|| {
        let (_, tracker) = tracker();
        let tasks = tracker.tasks::<Deep>().unwrap();
        for levels in [LEVELS + 1, 500, 1_500] {
            names_the_limit(&refused(tasks.submit(&deep(levels)), "the limit"));
        }
        names_the_limit(&refused(Payload::of(&deep(LEVELS + 1)), "the limit"));
        names_the_limit(&refused(tasks.submit_all([deep(LEVELS + 1)]), "the limit"));
        tasks.submit(&deep(3)).unwrap();
        names_the_limit(&refused(tasks.update(1_u32, |task| *task = deep(LEVELS + 1)), "the limit"));
        let mut execution = tasks.claim().unwrap().unwrap();
        execution.tree = tree(LEVELS);
        names_the_limit(&refused(execution.checkpoint(), "the limit"));
        names_the_limit(&refused(execution.succeed(), "the limit"));
        execution.tree = tree(3);
        execution.release().unwrap();
        let summary = tasks.worker().run(|task| {
            task.tree = tree(LEVELS);
            fine()
        });
        assert_eq!(summary.unwrap().failed, 1);
        let record = tasks.get(1).unwrap().unwrap();
        assert_eq!((record.status, record.task), (Status::Exhausted, deep(3)));
        let failure = record.history[0].failure.as_ref().unwrap();
        assert!(failure.error.contains("deeper than 128 levels"), "{}", failure.error);
    });
}

/// Bytes of so many arrays in each other, within the field `tree` of a task.
fn nested(id: u8, levels: usize) -> Vec<u8> {
    let arrays = vec![0x91; levels - 1];
    [&b"\x82\xa2id"[..], &[id], b"\xa4tree", &arrays, &[0xc0]].concat()
}

fn line(id: u8, payload: &[u8]) -> String {
    let text = serde_json::to_string(&payload_of(payload)).unwrap();
    format!("{{\"kind\": \"deep\", \"id\": {id}, \"payload\": {text}}}\n")
}

/// A payload of any bytes, by its form in JSON.
fn payload_of(bytes: &[u8]) -> Payload {
    use std::fmt::Write;

    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            let known = digit <= chunk.len();
            let at = (bits >> (18 - 6 * digit) & 63) as usize;
            write!(text, "{}", if known { char::from(DIGITS[at]) } else { '=' }).unwrap();
        }
    }
    serde_json::from_value(serde_json::json!({ "$msgpack": text })).unwrap()
}

#[test]
fn import_and_untyped_edit_refuse_what_is_nested_too_deep() {
    let tracker = place::in_memory().unwrap();
    drop(tracker.tasks::<Deep>().unwrap());
    for levels in [LEVELS + 1, 400, 1_000_000] {
        let error = refused(tracker.import(line(1, &nested(1, levels)).as_bytes()), ErrorKind::Invalid);
        names_the_limit(&error);
    }
    let options = ImportOptions::new().go_on();
    let both = line(1, &nested(1, LEVELS)) + &line(2, &nested(2, LEVELS + 1));
    let imported = tracker.import_with(both.as_bytes(), &options).unwrap();
    assert_eq!((imported.new, imported.refused), (1, 1));
    let untyped = tracker.untyped("deep").unwrap();
    let record = untyped.get(1_u8).unwrap().unwrap();
    let edited = payload_of(&nested(1, LEVELS + 1));
    names_the_limit(&refused(untyped.replace(1_u8, record.revision, &edited), "the limit"));
}

#[test]
fn deep_bytes_are_refused_without_overflowing_the_stack() {
    on_small_stack(|| {
        let branches: Vec<u8> = b"\x81\xa6Branch".repeat(100_000);
        let arrays = vec![0x91; 400_000];
        for bytes in [branches, arrays] {
            let payload = payload_of(&bytes);
            names_the_limit(&refused(payload.to::<Tree>(), ErrorKind::Unreadable));
            names_the_limit(&refused(payload.to::<serde_json::Value>(), ErrorKind::Unreadable));
            assert!(serde_json::to_string(&payload).unwrap().starts_with("{\"$msgpack\":"));
        }
    });
}

macro_rules! task {
    ($name:ident, $kind:literal, { $($fields:tt)* }) => {
        #[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, Default)]
        #[task(name = $kind, status = Status)]
        struct $name {
            #[task(id)]
            id: u32,
            $($fields)*
        }
    };
}

task!(Skips, "skips", {
    #[serde(skip_serializing_if = "String::is_empty")]
    note: String,
});
task!(Hides, "hides", {
    #[serde(skip_serializing)]
    secret: u8,
});
task!(Flattens, "flattens", {
    size: u8,
    #[serde(flatten)]
    rest: HashMap<String, u8>,
});
task!(Holds, "holds", {
    parts: Vec<Part>,
});
task!(Defaults, "defaults", {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    note: String,
});

#[derive(Serialize, Deserialize, Clone, Debug, Default)]
struct Part {
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "Option::deserialize")]
    size: Option<u8>,
}

#[track_caller]
fn says(error: &tracker_core::Error, parts: &[&str]) {
    for part in parts {
        assert!(error.to_string().contains(part), "{error} lacks {part:?}");
    }
}

#[test]
fn field_that_serde_does_not_restore_is_refused_by_name() {
    let (_, tracker) = tracker();
    let skips = tracker.tasks::<Skips>().unwrap();
    skips.submit(&Skips { id: 1, note: "full".to_owned() }).unwrap();
    let error = refused(skips.submit(&Skips { id: 2, note: String::new() }), "cannot");
    says(&error, &["cannot store skips \"2\"", "missing field `note`", "#[serde(default)] above `note`"]);
    refused(skips.update(1_u32, |task| task.note.clear()), "cannot");
    let mut execution = skips.claim().unwrap().unwrap();
    execution.note.clear();
    refused(execution.succeed(), "cannot");
    drop(execution);
    assert_eq!(skips.get(1_u32).unwrap().unwrap().task.note, "full");

    let hides = tracker.tasks::<Hides>().unwrap();
    let error = refused(hides.submit(&Hides { id: 1, secret: 7 }), "cannot");
    says(&error, &["missing field `secret`"]);
    assert_eq!(serde_json::from_str::<Hides>(r#"{"id": 1, "secret": 7}"#).unwrap().secret, 7);

    let flattens = tracker.tasks::<Flattens>().unwrap();
    let rest = |key: &str| Flattens { id: 1, size: 1, rest: HashMap::from([(key.to_owned(), 2)]) };
    says(&refused(flattens.submit(&rest("size")), "cannot"), &["`size`", "rename", "flatten"]);
    flattens.submit(&rest("width")).unwrap();

    let holds = tracker.tasks::<Holds>().unwrap();
    let parts = |size| Holds { id: 1, parts: vec![Part { size: Some(1) }, Part { size }] };
    holds.submit(&parts(Some(2))).unwrap();
    says(&refused(holds.submit(&Holds { id: 2, ..parts(None) }), "cannot"), &["`size`"]);

    let defaults = tracker.tasks::<Defaults>().unwrap();
    defaults.submit(&Defaults::default()).unwrap();
    assert!(defaults.claim().unwrap().is_some());
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "nameless", status = Status)]
struct Nameless {
    #[task(id)]
    #[serde(skip)]
    id: u32,
}

#[test]
fn task_whose_id_is_not_stored_is_refused() {
    let (_, tracker) = tracker();
    let tasks = tracker.tasks::<Nameless>().unwrap();
    says(&refused(tasks.submit(&Nameless { id: 7 }), "cannot"), &["nameless \"7\"", "#[serde(skip)]"]);
}

#[derive(TrackedTask, Serialize, Clone, Debug)]
#[task(name = "angry", status = Status)]
struct Angry {
    #[task(id)]
    id: u32,
}

impl<'de> Deserialize<'de> for Angry {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        panic!("it is angry")
    }
}

#[test]
fn task_whose_deserialize_panics_is_refused_with_its_text() {
    let (_, tracker) = tracker();
    let tasks = tracker.tasks::<Angry>().unwrap();
    says(&refused(tasks.submit(&Angry { id: 7 }), "cannot"), &["panics: it is angry"]);
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "large", status = Status)]
struct Large {
    #[task(id)]
    id: u32,
    text: String,
}

#[test]
fn prefetch_keeps_no_more_than_16_mib_of_payload_ahead() {
    const SIZE: usize = 4 << 20;
    let (_, tracker) = tracker();
    let tasks = tracker.tasks::<Large>().unwrap();
    for id in 0..12 {
        tasks.submit(&Large { id, text: "x".repeat(SIZE) }).unwrap();
    }
    let most = Mutex::new(0);
    let summary = tasks.worker().prefetch(64).run(|_| {
        let leased = tasks.counts().unwrap().get(Status::InProgress);
        let mut most = most.lock().unwrap();
        *most = leased.max(*most);
        fine()
    });
    assert_eq!(summary.unwrap().succeeded, 12);
    // Each is a little larger than 4 MiB: three fit, beside the one that runs and those whose ends are on their way.
    let most = most.into_inner().unwrap();
    assert!((2..=5).contains(&most), "{most}");
}
