//! Tests of payloads that a codec of the program encodes.

use std::sync::{
    Arc,
    atomic::{AtomicU8, AtomicUsize, Ordering::SeqCst},
};

use serde::{Deserialize, Serialize};
use tracker_core::{
    ErrorKind, Execution, Options, TrackedTask, Tracker,
    file::{PayloadCodec, Sharing},
    redb_store::OptionsExt,
    untyped::Payload,
};

use crate::support::{
    kinds::{Job, Status, fine, job, refused, sound},
    place::OpenInPlace as _,
    test_disk::Disk,
};

type Coded = Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>>;

/// Turns each bit, behind a byte that differs from call to call. Fails or panics where it is told to.
#[derive(Clone)]
struct Turned {
    name: &'static str,
    nonce: Arc<AtomicU8>,
    encoded: Arc<AtomicUsize>,
    fault: Fault,
}

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    Fails,
    Panics,
    Grows,
}

impl Turned {
    fn new(name: &'static str) -> Self {
        Self { name, nonce: Arc::default(), encoded: Arc::default(), fault: Fault::None }
    }

    fn with(fault: Fault) -> Self {
        Self { fault, ..Self::new("turned") }
    }

    fn coded(&self, bytes: &[u8]) -> Coded {
        match self.fault {
            Fault::None => Ok(bytes.iter().map(|byte| !byte).collect()),
            Fault::Fails => Err("the key is gone".into()),
            Fault::Panics => panic!("the codec panics"),
            Fault::Grows => Ok(vec![0; (16 << 20) + 1]),
        }
    }
}

impl PayloadCodec for Turned {
    fn name(&self) -> &str {
        self.name
    }

    fn encode(&self, payload: &[u8]) -> Coded {
        self.encoded.fetch_add(1, SeqCst);
        Ok([vec![self.nonce.fetch_add(1, SeqCst)], self.coded(payload)?].concat())
    }

    fn decode(&self, encoded: &[u8]) -> Coded {
        self.coded(encoded.get(1..).ok_or("it is empty")?)
    }
}

/// Opens the file on a disk with these codecs.
fn open(disk: &Disk, codecs: &[&Turned]) -> Tracker {
    let disk = disk.clone();
    let options = codecs.iter().fold(Tracker::options(), |options, codec| options.payload_codec((*codec).clone()));
    options.sharing(Sharing::Exclusive).open_backend(move || disk.open()).unwrap()
}

fn stored(tracker: &Tracker, id: &str) -> Payload {
    tracker.untyped("job").unwrap().get(id).unwrap().unwrap().task
}

#[test]
fn every_call_stores_encoded_payloads_and_reads_them() {
    let (disk, codec) = (Disk::default(), Turned::new("turned"));
    let tracker = open(&disk, &[&codec]);
    let jobs = tracker.tasks::<Job>().unwrap();
    jobs.submit(&job("secret one")).unwrap();
    jobs.submit_all(["secret two", "secret three", "secret four"].map(job)).unwrap();
    jobs.update("secret one", |job| job.result = Some(1)).unwrap();
    let second = tracker.transaction(|txn| {
        txn.submit(&jobs, &job("secret five"))?;
        txn.update(&jobs, "secret two", |job| job.result = Some(2))?;
        txn.get(&jobs, "secret two")
    });
    assert_eq!(second.unwrap().unwrap().result, Some(2));
    let summary = jobs.worker().prefetch(2).run(|job: &mut Execution<Job>| {
        job.result.get_or_insert(9);
        job.checkpoint()
    });
    assert_eq!(summary.unwrap().succeeded, 5);
    for (id, result) in
        [("secret one", 1), ("secret two", 2), ("secret three", 9), ("secret four", 9), ("secret five", 9)]
    {
        assert_eq!(jobs.get(id).unwrap().unwrap().task, Job { result: Some(result), ..job(id) });
        assert_eq!((stored(&tracker, id).codec_name(), stored(&tracker, id).version()), (Some("turned"), 1));
    }
    assert_eq!(jobs.query().index("host", "a").fetch().unwrap().len(), 5);
    sound(&tracker);
    drop((jobs, tracker));
    let bytes = disk.bytes();
    assert!(!bytes.windows(6).any(|bytes| bytes == b"result"), "the names of fields are in the file");
}

#[test]
fn unchanged_payload_is_not_encoded_again() {
    let (disk, codec) = (Disk::default(), Turned::new("turned"));
    let tracker = open(&disk, &[&codec]);
    let jobs = tracker.tasks::<Job>().unwrap();
    jobs.submit(&job("a")).unwrap();
    let before = stored(&tracker, "a");
    jobs.run("a", |_| fine()).unwrap();
    assert_eq!((codec.encoded.load(SeqCst), stored(&tracker, "a")), (1, before));
}

#[test]
fn tracker_without_the_codec_names_it_and_changes_nothing() {
    let (disk, codec) = (Disk::default(), Turned::new("turned"));
    let tracker = open(&disk, &[&codec]);
    tracker.tasks::<Job>().unwrap().submit_all(["a", "b"].map(job)).unwrap();
    tracker.close().unwrap();
    // The first worker puts the tasks aside.
    for (codecs, put_aside) in [(&[][..], 2), (&[&Turned::new("another")], 0)] {
        let tracker = open(&disk, codecs);
        let before = stored(&tracker, "a");
        let jobs = tracker.tasks::<Job>().unwrap();
        let error = refused(jobs.get("a"), ErrorKind::Unreadable).to_string();
        assert!(error.starts_with("job \"a\" cannot be read as "), "{error}");
        assert!(
            error.contains("its payload is encoded with \"turned\", and this program has no codec of that name"),
            "{error}"
        );
        refused(jobs.update("a", |_| ()), ErrorKind::Unreadable);
        let page = jobs.query().index("host", "a").fetch().unwrap();
        assert_eq!((page.len(), page.unreadable.len()), (0, 2));
        let summary = jobs.worker().run(|_| fine()).unwrap();
        assert_eq!((summary.attempts(), summary.unreadable), (0, put_aside));
        let record = tracker.untyped("job").unwrap().get("a").unwrap().unwrap();
        assert_eq!((record.status.name.as_str(), record.attempts, &record.task), ("Pending", 0, &before));
        let error = refused(
            tracker.untyped("job").unwrap().replace("a", record.revision, &Payload::of(&job("a")).unwrap()),
            ErrorKind::Invalid,
        );
        assert!(error.to_string().contains("its payload is encoded with \"turned\""), "{error}");
        refused(before.to::<Job>(), ErrorKind::Unreadable);
        let json = serde_json::to_string(&before).unwrap();
        assert!(json.starts_with(r#"{"$encoded":["turned",1,""#), "{json}");
        assert_eq!(serde_json::from_str::<Payload>(&json).unwrap(), before);
        tracker.close().unwrap();
    }
    let tracker = open(&disk, &[&codec]);
    assert_eq!(tracker.tasks::<Job>().unwrap().worker().run(|_| fine()).unwrap().succeeded, 2);
    sound(&tracker);
}

#[test]
fn last_codec_encodes_and_each_decodes_its_own() {
    let (disk, first, second) = (Disk::default(), Turned::new("first"), Turned::new("second"));
    let tracker = open(&disk, &[]);
    tracker.tasks::<Job>().unwrap().submit_all(["plain", "plain, run"].map(job)).unwrap();
    tracker.close().unwrap();
    let tracker = open(&disk, &[&first]);
    tracker.tasks::<Job>().unwrap().submit_all(["first", "first, run"].map(job)).unwrap();
    tracker.close().unwrap();
    let tracker = open(&disk, &[&first, &second]);
    let jobs = tracker.tasks::<Job>().unwrap();
    for id in ["plain, run", "first, run"] {
        jobs.run(id, |_| fine()).unwrap();
    }
    for (id, name) in
        [("plain", None), ("plain, run", Some("second")), ("first", Some("first")), ("first, run", Some("second"))]
    {
        assert_eq!((stored(&tracker, id).codec_name(), jobs.get(id).unwrap().unwrap().task), (name, job(id)));
    }
    sound(&tracker);
}

#[test]
fn failing_codec_harms_its_call_only() {
    for (fault, text) in [(Fault::Fails, "failed: the key is gone"), (Fault::Panics, "panicked: the codec panics")] {
        let (disk, sound_codec) = (Disk::default(), Turned::new("turned"));
        let tracker = open(&disk, &[&sound_codec]);
        tracker.tasks::<Job>().unwrap().submit(&job("a")).unwrap();
        tracker.close().unwrap();
        let tracker = open(&disk, &[&Turned::with(fault)]);
        let jobs = tracker.tasks::<Job>().unwrap();
        let error = refused(jobs.get("a"), ErrorKind::Unreadable).to_string();
        assert!(error.ends_with(&format!("the decoding of its payload with \"turned\" {text}")), "{error}");
        let error = refused(jobs.submit(&job("b")), ErrorKind::Invalid).to_string();
        assert_eq!(error, format!("the task cannot be stored, its encoding with \"turned\" {text}"));
        assert_eq!(jobs.worker().run(|_| fine()).unwrap().unreadable, 1);
        tracker.close().unwrap();
        // The handler's change cannot be stored: that is the failure of its attempt.
        let tracker = open(&disk, &[&sound_codec, &Turned { name: "last", ..Turned::with(fault) }]);
        let jobs = tracker.tasks::<Job>().unwrap();
        let summary = jobs.worker().stop_after_failures(1).run(|job: &mut Execution<Job>| {
            job.result = Some(1);
            fine()
        });
        assert_eq!(summary.unwrap().failed, 1);
        let record = jobs.get("a").unwrap().unwrap();
        assert_eq!((record.status, record.task), (Status::Failed, job("a")));
        assert!(record.history[0].failure.as_ref().unwrap().error.contains(text));
        sound(&tracker);
    }
}

#[test]
fn payload_beyond_the_limit_is_refused_plain_and_encoded() {
    let (disk, codec) = (Disk::default(), Turned::new("turned"));
    let tracker = open(&disk, &[&codec]);
    tracker.tasks::<Job>().unwrap().submit(&job("a")).unwrap();
    tracker.close().unwrap();
    let tracker = open(&disk, &[&Turned::with(Fault::Grows)]);
    let jobs = tracker.tasks::<Job>().unwrap();
    refused(jobs.submit(&job("b")), ErrorKind::Invalid);
    refused(jobs.get("a"), ErrorKind::Unreadable);
}

/// A later form of the job, with a further index.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(name = "job", status = Status, version = 2, migrate = grown)]
struct Grown {
    #[task(id)]
    #[task(index)]
    name: String,
}

fn grown(old: tracker_core::task::OldPayload<'_>) -> tracker_core::Result<Grown> {
    old.decode::<Job>().map(|job| Grown { name: job.name })
}

#[test]
fn encoded_payload_is_migrated_exported_and_imported() {
    let (disk, codec) = (Disk::default(), Turned::new("turned"));
    let tracker = open(&disk, &[&codec]);
    tracker.tasks::<Job>().unwrap().submit_all(["a", "b"].map(job)).unwrap();
    let grown = tracker.tasks::<Grown>().unwrap();
    assert_eq!(grown.query().index("name", "b").fetch().unwrap().len(), 1, "a new index is filled");
    grown.run("a", |_| fine()).unwrap();
    assert_eq!((stored(&tracker, "a").version(), stored(&tracker, "b").version()), (2, 1));
    assert_eq!(stored(&tracker, "a").codec_name(), Some("turned"));
    let mut lines = Vec::new();
    tracker.export(&mut lines).unwrap();
    assert!(!lines.windows(6).any(|bytes| bytes == b"result"));
    let other = open(&Disk::default(), &[&codec]);
    other.import(&lines[..]).unwrap();
    assert_eq!(stored(&other, "a"), stored(&tracker, "a"));
    let grown = other.tasks::<Grown>().unwrap();
    assert_eq!(grown.get("b").unwrap().unwrap().task.name, "b");
    sound(&other);
}

#[test]
fn codec_without_a_usable_name_is_refused_at_open() {
    let refuse = |options: Options| refused(options.open_memory(), ErrorKind::Invalid).to_string();
    let long: &'static str = "x".repeat(65).leak();
    for (name, bytes) in [("", 0), (long, 65)] {
        let error = refuse(Tracker::options().payload_codec(Turned::new(name)));
        assert_eq!(error, format!("the name of a payload codec has 1 to 64 bytes, not {bytes}"));
    }
    let error = refuse(Tracker::options().payload_codec(Turned::new("x")).payload_codec(Turned::new("x")));
    assert_eq!(error, "two payload codecs have the name \"x\": give each its own");
    Tracker::options().payload_codec(Turned::new(&long[1..])).open_memory().unwrap();
}
