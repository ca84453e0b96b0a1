//! Rows of other systems, imported as JSON lines with their errors.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tracker_core::{
    Submission, TaskStatus, TrackedTask, Tracker, portable::Imported, record::AttemptStatus, status::Role,
};

use crate::kinds::{fine, refused, sound, tracker};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Pending = 0,
    InProgress = 10,
    Failed = 20,
    Exhausted = 30,
    Succeeded = 40,
    Ignored = 50,
    Cancelled = 60,
}

fn import(tracker: &Tracker, lines: &[Value]) -> Imported {
    let lines: Vec<_> = lines.iter().map(ToString::to_string).collect();
    tracker.import(lines.join("\n").as_bytes()).unwrap()
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(name = "invoice", status = Status, max_attempts = 3)]
struct Invoice {
    #[task(id)]
    number: String,
    data: Option<u32>,
}

#[test]
fn import_keeps_codes_times_attempts_and_errors() {
    // json.dumps({"kind": "invoice", "id": t.id, "code": t.status, "attempts": t.attempts, "failures": t.attempts,
    //             "created": t.create_time, "updated": t.update_time, "history": t.errors, "payload": {…}})
    let record = |id: &str, code: i32, attempts: u32, errors: &[&str]| {
        json!({
            "kind": "invoice", "id": id, "code": code, "attempts": attempts, "failures": errors.len(),
            "created": "2026-01-01T00:00:00Z", "updated": "2026-01-02T00:00:00Z", "history": errors,
            "payload": { "number": id, "data": 1 }
        })
    };
    let records = [
        record("pending", 0, 0, &[]),
        record("locked", 10, 1, &[]), // its lock does not come with it
        record("failed", 20, 2, &["first", "second"]),
        record("exhausted", 30, 3, &["first", "second", "third"]),
        record("succeeded", 40, 1, &[]),
        record("ignored", 50, 1, &["not wanted"]),
    ];
    let (_, tracker) = tracker();
    let invoices = tracker.tasks::<Invoice>().unwrap();
    assert_eq!(import(&tracker, &records).new, 6);
    assert_eq!(import(&tracker, &records).existing, 6, "what is there stays as it is");
    let failed = invoices.get("failed").unwrap().unwrap();
    assert_eq!((failed.status, failed.attempts, failed.failures), (Status::Failed, 2, 2));
    assert_eq!(failed.created_at.to_rfc3339(), "2026-01-01T00:00:00+00:00");
    let errors = failed.history.iter().map(|attempt| attempt.failure.as_ref().unwrap().error.as_str());
    assert!(errors.eq(["first", "second"]));
    let again = Invoice { number: "succeeded".to_owned(), data: None };
    assert_eq!(invoices.submit(&again).unwrap().submission, Submission::Existing);
    for (id, kind) in [("exhausted", "Exhausted"), ("ignored", "Ignored"), ("succeeded", "AlreadySucceeded")] {
        refused(invoices.start(id), kind);
    }
    invoices.run("failed", |_| Err::<(), _>("third")).unwrap_err();
    assert_eq!(invoices.get("failed").unwrap().unwrap().status, Status::Exhausted, "the failures go on from there");
    assert_eq!(invoices.worker().run(|_| fine()).unwrap().succeeded, 2, "pending, and what was locked");
    sound(&tracker);
}

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum StepStatus {
    #[status(step = "one")]
    OnePending = 110,
    OneInProgress = 120,
    OneFailed = 130,
    OneSucceeded = 140,
    #[status(step = "two")]
    TwoInProgress = 220,
    TwoFailed = 230,
    TwoSucceeded = 240,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "job", status = StepStatus, max_attempts = 3)]
struct Job {
    #[task(id)]
    id: u32,
}

#[test]
fn import_puts_pipeline_rows_at_their_step() {
    // SELECT json_object('kind', 'job', 'id', id, 'code', status, 'failures', retry, 'history', json_array(errors), …)
    let row = |id: u32, code: i32| json!({ "kind": "job", "id": id, "code": code, "payload": { "id": id } });
    let codes = [110, 120, 130, 140, 220, 230, 240];
    let rows: Vec<_> = (0..).zip(codes).map(|(id, code)| row(id, code)).collect();
    let (_, tracker) = tracker();
    let jobs = tracker.tasks::<Job>().unwrap();
    assert_eq!(import(&tracker, &rows).new, 7);
    for step in ["one", "two"] {
        jobs.step(step).unwrap().worker().run(|_| fine()).unwrap();
    }
    assert_eq!(jobs.counts().unwrap().get(StepStatus::TwoSucceeded), 7);
    sound(&tracker);
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "task", status = Status)]
struct Task {
    #[task(id)]
    id: String,
    data: u32,
}

#[test]
fn import_puts_items_into_their_kinds() {
    // for item in Tracker.scan(): the key is use_case + "____" + task id, the status and its shard the index
    let item = |use_case: &str, id: &str, status: &str| json!({ "kind": use_case, "id": id, "status": status, "payload": { "id": id, "data": 1 } });
    let (_, tracker) = tracker();
    let [test, test1] = ["test", "test1"].map(|name| tracker.tasks_as::<Task>(name).unwrap());
    let items = [item("test", "a", "Pending"), item("test", "b", "Failed"), item("test1", "a", "Succeeded")];
    assert_eq!(import(&tracker, &items).new, 3);
    assert_eq!((test.query().unfinished().total().unwrap(), test1.query().unfinished().total().unwrap()), (2, 0));
    assert_eq!(test1.get("a").unwrap().unwrap().task.data, 1);
    sound(&tracker);
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "request", status = Status, max_attempts = 1, unique(client, number))]
struct Request {
    #[task(id)]
    correlation: String,
    client: String,
    number: u32,
    response: Option<Value>,
}

#[test]
fn import_of_requests_binds_their_keys() {
    // psql -At -c "SELECT json_build_object('kind', 'request', 'id', correlation_id, 'status', …) FROM requests"
    let row = |number: u32, status: &str, response: Value| {
        let id = format!("{number:016x}");
        let payload = json!({ "correlation": id, "client": "ann", "number": number, "response": response });
        json!({ "kind": "request", "id": id, "status": status, "payload": payload })
    };
    let (_, tracker) = tracker();
    let requests = tracker.tasks::<Request>().unwrap();
    let rows = [
        row(1, "Succeeded", json!({ "answer": 42 })),
        row(2, "Exhausted", json!(null)),
        row(3, "Pending", json!(null)),
    ];
    assert_eq!(import(&tracker, &rows).new, 3);
    let again = Request { correlation: "new".to_owned(), client: "ann".to_owned(), number: 1, response: None };
    let found = requests.submit_and_get(&again).unwrap();
    assert_eq!((found.submission, found.record.task.response), (Submission::Existing, Some(json!({ "answer": 42 }))));
    assert_eq!(requests.claim().unwrap().unwrap().number, 3);
    sound(&tracker);
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "run", id = uuid, status = Status, max_attempts = 1, unique(reference, while = unfinished))]
struct Run {
    #[task(index)]
    reference: String,
    output_rows: Option<u64>,
}

#[test]
fn import_of_events_keeps_times_and_references() {
    let row = |id: u128, reference: &str, status: &str, attempt_status: &str| {
        json!({
            "kind": "run", "id": { "$uuid": uuid::Uuid::from_u128(id).to_string() }, "status": status,
            "history": [{ "started": "2026-01-01T00:00:00Z", "ended": "2026-01-01T00:01:30Z", "status": attempt_status,
                          "notes": ["all rows"] }],
            "payload": { "reference": reference, "output_rows": 118 }
        })
    };
    let (_, tracker) = tracker();
    let runs = tracker.tasks::<Run>().unwrap();
    import(&tracker, &[row(1, "a", "Exhausted", "failed"), row(2, "a", "Succeeded", "succeeded")]);
    let latest = runs.query().index("reference", "a").by_creation().newest_first().first().unwrap().unwrap();
    assert_eq!((latest.id.as_uuid(), latest.task.output_rows), (Some(uuid::Uuid::from_u128(2)), Some(118)));
    let attempt = &latest.history[0];
    assert_eq!((attempt.ended_at - attempt.started_at).num_seconds(), 90);
    assert_eq!(
        (attempt.status, attempt.notes.as_slice()),
        (AttemptStatus::Succeeded, ["all rows".to_owned()].as_slice())
    );
    let next = Run { reference: "a".to_owned(), output_rows: None };
    assert_eq!(runs.submit_and_start(&next).unwrap().attempt(), 1, "the reference is free");
    sound(&tracker);
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "mail", id = uuid, status = Status, max_attempts = 4)]
struct Mail {
    to: String,
    sent: Option<u32>,
}

/// The output of `docs/moving/effectum.sql` for a file of effectum 0.7.0 with a job in each state.
#[test]
fn import_of_effectum_jobs_is_complete() {
    let (_, tracker) = tracker();
    let mails = tracker.tasks::<Mail>().unwrap();
    assert_eq!(tracker.import(include_bytes!("printed/effectum.jsonl").as_slice()).unwrap().new, 6);
    let get = |number: u128| mails.get(uuid::Uuid::from_u128(number)).unwrap().unwrap();
    let statuses: Vec<_> = (1..=6).map(|number| get(number).status).collect();
    assert_eq!(format!("{statuses:?}"), "[Pending, Failed, Pending, Succeeded, Exhausted, Cancelled]");
    let failed = get(2);
    assert_eq!((failed.attempts, failed.failures, failed.task.sent), (1, 1, Some(1)), "with its checkpoint");
    assert_eq!((failed.due_at.timestamp(), failed.priority), (1_767_229_200, 2));
    let errors = |number: u128| -> Vec<_> {
        get(number).history.iter().filter_map(|attempt| attempt.failure.clone()).map(|failure| failure.error).collect()
    };
    assert_eq!(
        (errors(2), errors(4), errors(5)),
        (vec!["timed out".into()], vec![], vec!["550 a".into(), "550 b".into()])
    );
    assert_eq!(get(4).history[0].status, AttemptStatus::Succeeded);
    assert_eq!(mails.worker().run(|_| fine()).unwrap().succeeded, 3);
    sound(&tracker);
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "mail", status = Status, max_attempts = 3)]
struct Letter {
    #[task(id)]
    id: String,
    to: String,
}

/// The output of `docs/moving/apalis.sql` for a file of apalis-sqlite 1.0.0 with a job in each state.
#[test]
fn import_of_apalis_jobs_is_complete() {
    let (_, tracker) = tracker();
    let letters = tracker.tasks::<Letter>().unwrap();
    assert_eq!(tracker.import(include_bytes!("printed/apalis.jsonl").as_slice()).unwrap().new, 6);
    let get = |id: &str| letters.get(id).unwrap().unwrap();
    let statuses: Vec<_> = ["a", "b", "c", "d", "e", "f"].into_iter().map(|id| get(id).status).collect();
    assert_eq!(format!("{statuses:?}"), "[Pending, Pending, Failed, Succeeded, Exhausted, Cancelled]");
    assert_eq!((get("c").failures, get("e").failures, get("a").priority), (1, 3, 2));
    assert_eq!(get("e").history[0].failure.as_ref().unwrap().error, "550");
    assert_eq!(letters.query().role(Role::Exhausted).requeue().unwrap(), 1);
    assert_eq!(
        letters.worker().run(|letter| (!letter.to.is_empty()).then_some(()).ok_or("no address")).unwrap().succeeded,
        4
    );
    sound(&tracker);
}
