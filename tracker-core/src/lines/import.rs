use std::{
    collections::HashMap,
    io::{BufRead, Read},
    sync::Arc,
};

use serde::de::IgnoredAny;

use super::{
    kind::KindLine,
    task::{BodyLine, Keys, TaskLine, Told},
    tie::numbered,
    value::Value,
};
use crate::{
    engine::{Values, Writer},
    error::{Error, ErrorKind, Result},
    rules::{BodyChange, Command, Ended, Finish, Outcome, Owner, Remarks},
    shared::Shared,
    store::{Body, Kind, MANY, NAME, TEXT, Whole, check_id, check_payload, check_values, cut, shorten},
    task::TaskKey,
    tracker::Tracker,
    untyped::{Node, Payload},
};

/// How lines are read. See [`Tracker::import_with`].
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    kind: Option<String>,
    goes_on: bool,
}

impl ImportOptions {
    /// Each line names its kind; the first line that cannot be read ends the import.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The kind of lines that name none.
    #[must_use]
    pub fn kind(mut self, kind: &str) -> Self {
        self.kind = Some(kind.to_owned());
        self
    }

    /// Goes on after a line that cannot be read, and reports it.
    #[must_use]
    pub fn go_on(mut self) -> Self {
        self.goes_on = true;
        self
    }
}

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Imported {
    /// Kinds that are new in the file.
    pub kinds: u64,
    /// Tasks that are new.
    pub new: u64,
    /// Tasks whose id was there: they stay as they are.
    pub existing: u64,
    /// Lines that could not be read, where the import went on.
    pub refused: u64,
    /// The first hundred of these lines.
    pub errors: Vec<LineError>,
}

/// A line that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LineError {
    /// Its number, from 1.
    pub line: u64,
    /// What is wrong with it, and what to do.
    pub what: String,
}

impl std::fmt::Display for LineError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// How many lines share a transaction.
const BATCH: usize = 1_000;
/// How many bytes they have at most.
const BATCH_BYTES: usize = 8 << 20;
/// The longest line: the largest payload, as JSON.
const LONGEST: u64 = 256 << 20;
/// How many errors are kept.
const ERRORS: usize = 100;

impl Tracker {
    /// Puts tasks in that stand in lines of JSON, as [`Tracker::export`] writes them or as `docs/json-lines.md` describes
    /// them; only an id and a payload are needed. A task whose id is there stays as it is, so that an import which was
    /// interrupted can run again. Each line goes in whole or not at all; about a thousand share a commit.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use tracker_core::{ImportOptions, TaskStatus, TrackedTask, Tracker};
    /// # #[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
    /// # enum Status { Pending = 1, InProgress = 2, Failed = 3, Succeeded = 4, Exhausted = 5 }
    /// # #[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
    /// # #[task(name = "job", status = Status)]
    /// # struct Job { #[task(id)] name: String, #[task(index)] host: String, result: Option<u32> }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let tracker = Tracker::in_memory()?;
    /// let jobs = tracker.tasks::<Job>()?;
    /// let lines = r#"
    ///     {"id": "one", "payload": {"name": "one", "host": "a", "result": null}}
    ///     {"id": "two", "status": "Succeeded", "payload": {"name": "two", "host": "b", "result": 7}}
    /// "#;
    /// let imported = tracker.import_with(lines.as_bytes(), &ImportOptions::new().kind("job"))?;
    /// assert_eq!(imported.new, 2);
    /// assert_eq!(jobs.counts()?.get(Status::Succeeded), 1);
    /// assert_eq!(jobs.query().index("host", "b").total()?, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Invalid`, with the number of the first line that cannot be read, what is wrong with it and what to do: the lines
    /// before it stand. Else a failure of the storage or of the reader.
    pub fn import(&self, lines: impl Read) -> Result<Imported> {
        self.import_with(lines, &ImportOptions::new())
    }

    /// The same for lines that do not name their kind, or of which some may be wrong.
    ///
    /// # Errors
    /// As [`Tracker::import`]; a line that cannot be read is none where the import goes on.
    pub fn import_with(&self, lines: impl Read, options: &ImportOptions) -> Result<Imported> {
        let mut import = Import { tracker: self, options, batch: Vec::new(), bytes: 0, imported: Imported::default() };
        let mut lines = std::io::BufReader::new(lines);
        let mut text = Vec::new();
        for number in 1.. {
            text.clear();
            let read = lines.by_ref().take(LONGEST).read_until(b'\n', &mut text);
            match read.map_err(|error| Error::caused(ErrorKind::Io, "the lines cannot be read further", error))? {
                0 => break,
                long if long as u64 >= LONGEST && text.last() != Some(&b'\n') => {
                    import.store()?;
                    return Err(line_error(number, "it is longer than 256 MiB"));
                }
                _ => import.add(number, &text)?,
            }
        }
        import.store()?;
        Ok(import.imported)
    }
}

fn line_error(line: u64, what: impl Into<String>) -> Error {
    let error = LineError { line, what: what.into() };
    Error::invalid(format!("{error}; the lines before it are in: correct it, and import again"))
}

struct Import<'i> {
    tracker: &'i Tracker,
    options: &'i ImportOptions,
    batch: Vec<(u64, TaskLine)>,
    bytes: usize,
    imported: Imported,
}

impl Import<'_> {
    fn add(&mut self, number: u64, text: &[u8]) -> Result<()> {
        let text = if number == 1 { text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text) } else { text };
        let text = text.trim_ascii();
        if text.is_empty() {
            return Ok(());
        }
        if defines(text) {
            self.store()?;
            let defined = serde_json::from_slice(text).map_err(|error| Error::invalid(error.to_string()));
            return match defined.and_then(|line| self.define(line)) {
                Err(error) if is_of_line(&error) => self.refuse(number, error.to_string()),
                other => other,
            };
        }
        match serde_json::from_slice(text) {
            Ok(line) => {
                self.bytes += text.len();
                self.batch.push((number, line));
                if self.batch.len() >= BATCH || self.bytes >= BATCH_BYTES { self.store() } else { Ok(()) }
            }
            Err(error) => {
                self.store()?;
                self.refuse(number, format!("{error}; a task has at least an id and a payload"))
            }
        }
    }

    fn refuse(&mut self, line: u64, what: String) -> Result<()> {
        if !self.options.goes_on {
            return Err(line_error(line, what));
        }
        self.imported.refused += 1;
        if self.imported.errors.len() < ERRORS {
            self.imported.errors.push(LineError { line, what });
        }
        Ok(())
    }

    /// Makes a kind known, or sees that the file's is the same as far as tasks can tell.
    fn define(&mut self, line: KindLine) -> Result<()> {
        let paused = line.paused;
        let spec = line.spec()?;
        let new = self.tracker.shared.engine.turn(|writer| -> Result<bool> {
            let Some(known) = writer.kinds().find(|kind| kind.name == spec.name) else {
                writer.define(spec.clone(), paused)?;
                return Ok(true);
            };
            if known.graph != spec.graph {
                return Err(Error::invalid(format!(
                    "the file has a kind {:?} with other statuses: import into a file that has not, or under another name",
                    spec.name
                )));
            }
            Ok(false)
        })?;
        self.imported.kinds += u64::from(new);
        Ok(())
    }

    fn store(&mut self) -> Result<()> {
        let batch = std::mem::take(&mut self.batch);
        self.bytes = 0;
        if batch.is_empty() {
            return Ok(());
        }
        let shared = &self.tracker.shared;
        let mut typed: HashMap<String, Option<Typed>> = HashMap::new();
        let mut answers = Vec::with_capacity(batch.len());
        let goes_on = self.options.goes_on;
        let default = self.options.kind.as_ref();
        shared.engine.turn(|writer| -> Result<()> {
            for (number, mut line) in batch {
                let put = kind_of(writer, &line, default).and_then(|kind| {
                    let typed = typed.entry(kind.name.clone()).or_insert_with(|| shared.typed(&kind.name));
                    put(writer, shared, &kind, &mut line, *typed)
                });
                let ends = match &put {
                    Ok(_) => false,
                    // The file's fault, not the line's: none of the batch goes in.
                    Err(error) if error.stops_a_batch() || error.kind() == ErrorKind::Corrupted => {
                        return put.map(drop);
                    }
                    Err(_) => !goes_on,
                };
                answers.push((number, put));
                if ends {
                    break;
                }
            }
            Ok(())
        })?;
        for (number, answer) in answers {
            match answer {
                Ok(true) => self.imported.new += 1,
                Ok(false) => self.imported.existing += 1,
                Err(error) => self.refuse(number, error.to_string())?,
            }
        }
        Ok(())
    }
}

/// Whether an error is about the line, and not about the file.
fn is_of_line(error: &Error) -> bool {
    error.is_refusal() || matches!(error.kind(), ErrorKind::Invalid | ErrorKind::TooLarge | ErrorKind::SchemaMismatch)
}

/// Whether a line is the definition of a kind.
fn defines(text: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Probe {
        define: Option<IgnoredAny>,
    }
    let mentions = text.windows(8).any(|part| part == b"\"define\"");
    mentions && serde_json::from_slice::<Probe>(text).is_ok_and(|probe| probe.define.is_some())
}

fn kind_of(writer: &Writer<'_>, line: &TaskLine, default: Option<&String>) -> Result<Arc<Kind>> {
    let name = line
        .kind
        .as_ref()
        .or(default)
        .ok_or_else(|| Error::invalid("it names no kind: add \"kind\", or say of which kind such lines are"))?;
    writer.kinds().find(|kind| kind.name == *name).ok_or_else(|| {
        Error::invalid(format!(
            "the file has no kind {name:?}: put its definition before ({{\"define\": {name:?}, …}}), or open the kind with its type first"
        ))
    })
}

/// Puts one task in; false if its id is there. Writes nothing if it is refused.
fn put(
    writer: &mut Writer<'_>,
    shared: &Shared,
    kind: &Arc<Kind>,
    line: &mut TaskLine,
    typed: Option<Typed>,
) -> Result<bool> {
    let id = line.id.id().ok_or_else(|| Error::invalid("its id is none: null, a list and raw bytes are no ids"))?;
    check_id(&id)?;
    if writer.rows().with_id(kind.id, &id)?.is_some() {
        return Ok(false);
    }
    let now = writer.now();
    let Told { mut header, mut past, fenceless } = line.told(kind, now).map_err(Error::invalid)?;
    let own = BodyLine { indexes: line.indexes.take(), uniques: line.uniques.take(), payload: line.payload.clone() };
    let keyed = keyed(kind, &id, own, typed)?;
    header.fingerprint = header.fingerprint.or(keyed.fingerprint);
    past.iter_mut().chain(&mut header.last).for_each(|ended| bound(shared, ended));
    let successor = line.successor.take().map(|line| self::keyed(kind, &id, line, typed)).transpose()?;
    let guessed = keyed.guessed || successor.as_ref().is_some_and(|successor| successor.guessed);
    if fenceless {
        past.iter_mut().chain(&mut header.last).for_each(|ended| ended.fence = writer.take_fence());
    }
    let successor = successor.map(|keyed| keyed.body);
    let task = kind.task(writer.new_seq());
    let whole = Whole { task, header, body: keyed.body, past, progress: None, successor };
    let whole = released(kind, whole, now)?;
    if line.batch.is_none() && line.needs.is_empty() {
        writer.admit(kind, &whole)?;
    } else {
        writer.all_or_nothing(|writer| tied(writer, kind, whole, line))?;
    }
    if guessed {
        writer.outdate(kind.id)?;
    }
    Ok(true)
}

/// Puts a task in with its batch and those that it waits for.
fn tied(writer: &mut Writer<'_>, kind: &Kind, mut whole: Whole, line: &TaskLine) -> Result<()> {
    let id = whole.body.id.clone();
    let ties = line.needs.iter().map(|need| need.tie(writer)).collect::<Result<Vec<_>>>()?;
    if let Some(label) = &line.batch {
        let number = numbered(writer, label)?;
        writer.may_join(kind, &id, None, number)?;
        whole.header.batch = Some(number);
    }
    writer.admit(kind, &whole)?;
    if ties.is_empty() { Ok(()) } else { writer.tie(kind, whole.task, &id, &ties) }
}

/// Holds the texts of an attempt to the limits of those that come from bodies; room for the words of an earlier cut is left.
fn bound(shared: &Shared, ended: &mut Ended) {
    let text = |text: String| shared.text(text, TEXT + 64);
    ended.worker = shorten(std::mem::take(&mut ended.worker), NAME + 64);
    if let Some(failure) = &mut ended.failure {
        failure.error = text(std::mem::take(&mut failure.error));
        failure.debug = text(std::mem::take(&mut failure.debug));
        failure.causes = cut(std::mem::take(&mut failure.causes), MANY).into_iter().map(text).collect();
    }
    let remarks = &mut ended.remarks;
    remarks.notes = cut(std::mem::take(&mut remarks.notes), MANY).into_iter().map(text).collect();
    remarks.metrics.truncate(MANY);
}

/// The task as if its attempt had been given back: whoever has it elsewhere has it not here.
fn released(kind: &Kind, mut whole: Whole, now: i64) -> Result<Whole> {
    let Some(lease) = &whole.header.lease else { return Ok(whole) };
    let finish = Finish {
        owner: Owner { fence: lease.fence, token: lease.token },
        outcome: Outcome::Release,
        keep: false,
        failure: None,
        remarks: Remarks::default(),
        run: None,
        chance: 0.0,
    };
    let decided = kind.rules(now).decide(Some(&whole.header), &Command::Finish(finish));
    let decision = decided.map_err(|reason| kind.refuse(whole.body.id.clone(), reason))?;
    whole.past.extend(decision.history);
    if let Some(body) = whole.successor.take().filter(|_| decision.body == BodyChange::TakeSuccessor) {
        whole.body = body;
    }
    if let Some(header) = decision.header {
        whole.header = header;
    }
    Ok(whole)
}

/// What the type that is open under a kind's name makes of a payload.
pub(crate) type Typed = fn(&Body) -> Option<crate::payload::Own>;

/// A body, and how its keys came to be.
struct Keyed {
    body: Body,
    fingerprint: Option<u64>,
    /// Whether only its type knows whether the keys are right.
    guessed: bool,
}

fn keyed(kind: &Kind, id: &TaskKey, line: BodyLine, typed: Option<Typed>) -> Result<Keyed> {
    check_payload(line.payload.as_bytes())?;
    let (indexes, uniques) = (line.indexes.unwrap_or_default(), line.uniques.unwrap_or_default());
    let names: Vec<&String> = kind.uniques.iter().map(|(name, _)| name).collect();
    for (told, known, what) in
        [(&indexes, kind.indexes.iter().collect(), "index"), (&uniques, names.clone(), "unique key")]
    {
        known_only(told, &known, what)?;
    }
    let told = kind.indexes.iter().all(|name| indexes.contains_key(name))
        && names.iter().all(|name| uniques.contains_key(*name));
    let payload = line.payload.as_bytes().to_vec();
    let bare = Body { id: id.clone(), indexes: Vec::new(), uniques: Vec::new(), payload };
    let (values, fingerprint, guessed) = match typed {
        Some(typed) if !told => {
            let own = typed(&bare)
                .ok_or_else(|| Error::invalid("its payload cannot be read as the type that is open for its kind"))?;
            if let Some(other) = own.id.filter(|other| other != id) {
                return Err(Error::invalid(format!("its id is \"{id}\", but that of its payload is \"{other}\"")));
            }
            (own.values, own.fingerprint, false)
        }
        _ => (found(kind, &line.payload, &indexes, &uniques), None, !told),
    };
    let (indexes, uniques) = values;
    check_values(&indexes)?;
    check_values(&uniques)?;
    Ok(Keyed { body: Body { indexes, uniques, ..bare }, fingerprint, guessed })
}

fn known_only(told: &Keys, known: &Vec<&String>, what: &str) -> Result<()> {
    match told.keys().find(|name| !known.contains(name)) {
        Some(name) => Err(Error::invalid(format!("its kind has no {what} {name:?}; it has {known:?}"))),
        None => Ok(()),
    }
}

/// The keys that are told, and for the others what fields of their names probably are.
fn found(kind: &Kind, payload: &Payload, indexes: &Keys, uniques: &Keys) -> Values {
    let node = payload.node();
    let guess = |name: &str| Value::guess(node.as_ref().and_then(|node| Node::field(node, name)));
    let index = |name: &String| indexes.get(name).cloned().or_else(|| guess(name)).unwrap_or(Value::None).encoded();
    let unique = |(name, _): &(String, bool)| match uniques.get(name) {
        Some(told) => told.encoded(),
        None => guess(name).filter(|value| *value != Value::None).map(|value| value.encoded()).unwrap_or_default(),
    };
    (kind.indexes.iter().map(index).collect(), kind.uniques.iter().map(unique).collect())
}
