//! Tests export and import of tasks as JSON lines, and the refusal of wrong lines.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tracker_core::{
    ErrorKind, TrackedTask, Tracker,
    portable::{ImportOptions, Imported},
};

use crate::support::{
    kinds::{
        Import, ImportStatus, Job, MINUTE, Mail, Page, SECOND, Status, fine, job, jobs, mail, one_of_each, page,
        refused, sound, status, tracker,
    },
    random::Random,
};

/// Its fields are what JSON has not.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(name = "odd", status = Status, history = 3, rate = "9/1m", startable(OnHold))]
struct Odd {
    #[task(id)]
    id: uuid::Uuid,
    #[task(index, limit = 2)]
    place: Option<i32>,
    #[task(index)]
    flag: bool,
    huge: u128,
    ratio: f64,
    names: std::collections::BTreeMap<u8, String>,
}

fn odd(number: u32) -> Odd {
    Odd {
        id: uuid::Uuid::from_u128(number.into()),
        place: (!number.is_multiple_of(3)).then(|| i32::try_from(number).unwrap() - 5),
        flag: number.is_multiple_of(2),
        huge: u128::MAX - u128::from(number),
        ratio: if number == 3 { f64::NAN } else { 1.0 / f64::from(number + 1) },
        names: [(7, "seven".to_owned())].into(),
    }
}

fn export(tracker: &Tracker) -> String {
    let mut lines = Vec::new();
    tracker.export(&mut lines).unwrap();
    String::from_utf8(lines).unwrap()
}

fn import(tracker: &Tracker, lines: &str) -> Imported {
    tracker.import(lines.as_bytes()).unwrap()
}

/// Tasks of five kinds in all statuses, with every field of an attempt.
fn full() -> Tracker {
    let (clock, tracker) = tracker();
    one_of_each(&tracker);
    let pages = tracker.tasks::<Page>().unwrap();
    for number in 0..4 {
        pages.submit(&page(&format!("https://{number}"), number)).unwrap();
    }
    pages.start("https://0").unwrap().succeed().unwrap();
    let _running = pages.start("https://1").unwrap().detach().unwrap();
    pages.submit(&page("https://1", 9)).unwrap();
    tracker.tasks::<Mail>().unwrap().submit_all((0..50).map(mail)).unwrap();
    let odds = tracker.tasks::<Odd>().unwrap();
    odds.submit_all((0..30).map(odd)).unwrap();
    for number in 0..9 {
        let mut held = odds.start(uuid::Uuid::from_u128(number)).unwrap();
        clock.advance(SECOND * 3);
        held.note("half way");
        held.metric("rows", f64::INFINITY);
        held.metric("rows", 0.1);
        if number % 2 == 0 { held.succeed() } else { held.fail("no \"luck\"\nat all") }.unwrap();
    }
    let imports = tracker.tasks::<Import>().unwrap();
    imports.submit_all((0..20).map(|number| Import { number, rows: None })).unwrap();
    imports.step("fetch").unwrap().worker().run(|_| fine()).unwrap();
    imports.step("load").unwrap().start(3).unwrap().give_up("bad").unwrap();
    imports.pause().unwrap();
    let many = tracker.tasks::<Job>().unwrap();
    let mut random = Random::new(7);
    many.submit_all((0..300).map(|number| job(&number.to_string()))).unwrap();
    for _ in 0..900 {
        let name = random.below(300).to_string();
        clock.advance(SECOND);
        match random.below(8) {
            0 => drop(many.requeue(&name)),
            1 => drop(many.ignore(&name, "by hand")),
            2 => drop(many.cancel(&name)),
            _ => {
                let Ok(mut held) = many.start(&name) else { continue };
                drop(match random.below(5) {
                    0 => held.fail("again"),
                    1 => held.give_up("never"),
                    2 => held.park(Status::OnHold),
                    3 => held.snooze(MINUTE),
                    _ => held.succeed(),
                });
            }
        }
    }
    sound(&tracker);
    tracker
}

#[test]
fn export_and_import_keep_tasks_and_free_leases() {
    let first = full();
    let lines = export(&first);
    let (_, second) = tracker();
    let imported = import(&second, &lines);
    assert_eq!((imported.kinds, imported.new, imported.existing), (5, 8 + 4 + 50 + 30 + 20 + 300, 0));
    sound(&second);
    let again = export(&second);
    let (mut equal, mut freed) = (0, 0);
    for (one, other) in lines.lines().zip(again.lines()) {
        let (told, now): (Value, Value) = (serde_json::from_str(one).unwrap(), serde_json::from_str(other).unwrap());
        if told["lease"].is_null() {
            assert_eq!(one, other);
            equal += 1;
            continue;
        }
        freed += 1;
        assert_eq!(now["attempts"], told["attempts"].as_u64().unwrap() - 1, "the attempt was given back");
        assert_eq!((&now["id"], &now["lease"]), (&told["id"], &Value::Null));
        if told["successor"].is_null() {
            assert_eq!((&now["status"], &now["due"]), (&told["lease"]["from"], &told["lease"]["due"]));
        } else {
            assert_eq!(now["payload"], told["successor"]["payload"], "it starts with what waited");
        }
    }
    assert_eq!((equal, freed, lines.lines().count()), (5 + 410, 2, again.lines().count()));
    let (_, third) = tracker();
    import(&third, &again);
    assert_eq!(export(&third), again, "without leases nothing differs");
    assert_eq!(import(&third, &again).existing, 412, "what is there stays");
}

#[test]
fn imported_tasks_open_as_their_types() {
    let first = full();
    let (_, second) = tracker();
    import(&second, &export(&first));
    let odds = second.tasks::<Odd>().unwrap();
    assert_eq!(odds.get(uuid::Uuid::from_u128(7)).unwrap().unwrap().task, odd(7));
    assert_eq!(odds.query().index("place", Some(2)).total().unwrap(), 1);
    assert_eq!(odds.query().index("flag", true).total().unwrap(), 15);
    let history = odds.get(uuid::Uuid::from_u128(1)).unwrap().unwrap().history;
    assert_eq!(history[0].failure.as_ref().unwrap().error, "no \"luck\"\nat all");
    assert_eq!(history[0].metrics, [("rows".to_owned(), f64::INFINITY), ("rows".to_owned(), 0.1)]);
    let mails = second.tasks::<Mail>().unwrap();
    let twin = Mail { number: 99, ..mail(7) };
    assert_eq!(mails.submit(&twin).unwrap().id.to_string(), "7", "unique keys hold");
    let pages = second.tasks::<Page>().unwrap();
    pages.submit(&page("https://0", 0)).unwrap();
    assert_eq!(pages.counts().unwrap().get(Status::Succeeded), 1, "the fingerprint has not changed");
    assert_eq!(second.tasks::<Import>().unwrap().counts().unwrap().get(ImportStatus::FetchSucceeded), 19);
    assert!(second.untyped("import").unwrap().info().unwrap().paused);
    let claimed = second.tasks::<Job>().unwrap().claim().unwrap().unwrap();
    let fences = export(&first)
        .lines()
        .filter_map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            line["history"].as_array()?.iter().filter_map(|attempt| attempt["fence"].as_u64()).max()
        })
        .max();
    assert!(Some(claimed.fence()) > fences, "fences never fall");
    drop(claimed);
    sound(&second);
}

#[test]
fn export_of_one_kind_contains_only_it() {
    let first = full();
    let mut lines = Vec::new();
    assert_eq!(first.untyped("mail").unwrap().export(&mut lines).unwrap(), 50);
    assert_eq!(first.tasks::<Mail>().unwrap().export(&mut Vec::new()).unwrap(), 50);
    let (_, second) = tracker();
    assert_eq!(second.import(lines.as_slice()).unwrap().new, 50);
    assert_eq!(second.kinds().unwrap(), ["mail"]);
}

#[test]
fn import_needs_only_id_and_payload() {
    let (clock, tracker) = tracker();
    let tasks = tracker.tasks::<Job>().unwrap();
    let line = |id: &str, more: Value| {
        let mut line = json!({"kind": "job", "id": id, "payload": {"name": id, "host": "h", "result": null}});
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        format!("\n  {line}\r\n")
    };
    let lines = [
        line("bare", json!({})),
        line("named", json!({"status": "Succeeded", "updated": "2020-01-01T00:00:00Z"})),
        line(
            "coded",
            json!({"code": 50, "attempts": 3, "failures": 3, "history": ["first", "second", {"failure": {"error": "third"}}]}),
        ),
        line("both", json!({"status": 30, "code": 30, "due": "1970-01-01T00:00:01Z"})),
        line("ran", json!({"status": "in_progress".replace('_', "")})),
        line("noted", json!({"history": [{"status": "succeeded", "notes": ["n"], "metrics": [["m", 3]]}, {}]})),
    ];
    let before = tracker.now();
    assert_eq!(import(&tracker, &format!("\u{feff}{}", lines.concat())).new, 6);
    let record = |id: &str| tasks.get(id).unwrap().unwrap();
    assert_eq!((record("bare").status, record("bare").created_at), (Status::Pending, before));
    assert_eq!((record("named").status, record("named").created_at.timestamp()), (Status::Succeeded, 1_577_836_800));
    let coded = record("coded");
    assert_eq!((coded.status, coded.failures, coded.ended), (Status::Exhausted, 3, 3));
    let errors: Vec<_> = coded.history.iter().map(|one| one.failure.as_ref().unwrap().error.as_str()).collect();
    assert_eq!(errors, ["first", "second", "third"]);
    assert_eq!(record("both").due_at.timestamp(), 1);
    assert_eq!((record("ran").status, record("ran").lease), (Status::Pending, None), "nobody has it here");
    assert_eq!((record("noted").history.len(), record("noted").history[0].metrics[0].1), (2, 3.0));
    assert_eq!(tasks.query().index("host", "h").total().unwrap(), 6, "the type that is open says what is indexed");
    clock.advance(SECOND);
    assert_eq!(tasks.claim().unwrap().unwrap().name, "both", "it is due for longest");
    sound(&tracker);
}

#[test]
fn import_accepts_json_printed_from_sql() {
    // sqlite3 -json jobs.db "SELECT …" | jq -c '.[] | {kind: "mail", id: .id, status: …, payload: …, history: …}'
    let rows = json!([
        {"id": 1, "state": "done", "client": "c", "request": 1, "error": null},
        {"id": 2, "state": "failed", "client": "c", "request": 2, "error": "smtp: 550"},
        {"id": 3, "state": "new", "client": "d", "request": 1, "error": null},
    ]);
    let lines: Vec<_> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let status = match row["state"].as_str() {
                Some("done") => "Succeeded",
                Some("failed") => "Exhausted",
                _ => "Pending",
            };
            let history: Vec<_> = row["error"].as_str().into_iter().collect();
            let payload =
                json!({"number": row["id"], "client": row["client"], "request": row["request"], "reference": null});
            json!({"id": row["id"], "status": status, "history": history, "payload": payload}).to_string()
        })
        .collect();
    let lines = lines.join("\n");
    let (_, tracker) = tracker();
    let mails = tracker.tasks::<Mail>().unwrap();
    assert_eq!(tracker.import_with(lines.as_bytes(), &ImportOptions::new().kind("mail")).unwrap().new, 3);
    assert_eq!(mails.errors(10).unwrap().groups[0].message, "smtp: 550");
    assert_eq!(mails.get_by_key("client_request", &[&"d", &1]).unwrap().unwrap().task.number, 3);
    mails.query().status(Status::Exhausted).requeue().unwrap();
    assert_eq!(mails.worker().run(|_| fine()).unwrap().succeeded, 2);
    sound(&tracker);
}

#[test]
fn imported_keys_are_right_once_the_type_is_open() {
    let (_, first) = tracker();
    first.tasks::<Mail>().unwrap();
    first.tasks::<Odd>().unwrap();
    let (_, second) = tracker();
    let mut lines = vec![export(&first)];
    for number in 0..3_u64 {
        let payload = serde_json::to_value(tracker_core::untyped::Payload::of(&mail(number)).unwrap()).unwrap();
        lines.push(json!({"kind": "mail", "id": number, "payload": payload}).to_string());
        let id = json!({"$uuid": uuid::Uuid::from_u128(number.into()).to_string()});
        let value = odd(u32::try_from(number).unwrap());
        let payload = serde_json::to_value(tracker_core::untyped::Payload::of(&value).unwrap()).unwrap();
        lines.push(json!({"kind": "odd", "id": id, "payload": payload}).to_string());
    }
    assert_eq!(import(&second, &lines.join("\n")).new, 6);
    sound(&second);
    let mails = second.tasks::<Mail>().unwrap();
    assert_eq!(mails.get_by_key("client_request", &[&"c", &2]).unwrap().unwrap().task, mail(2));
    assert_eq!(mails.submit(&Mail { number: 9, ..mail(1) }).unwrap().id.to_string(), "1");
    let odds = second.tasks::<Odd>().unwrap();
    assert_eq!(odds.query().index("place", Some(-4)).total().unwrap(), 1);
    assert_eq!(odds.query().index("place", None::<i32>).total().unwrap(), 1);
    assert_eq!(odds.query().index("flag", false).total().unwrap(), 1);
    sound(&second);
}

#[test]
fn wrong_line_is_named_and_stores_nothing() {
    let (_, tracker) = tracker();
    let _open = jobs(&tracker, &["there"]);
    let mails = tracker.tasks::<Mail>().unwrap();
    mails.submit(&mail(1)).unwrap();
    let good = |id: u32| format!("{}\n", json!({"kind": "mail", "id": id, "payload": mail(id.into())}));
    let payload = json!({"name": "x", "host": "h", "result": null});
    for (bad, says) in [
        ("{\"id\": 1".to_owned(), "EOF"),
        ("[1, 2]".to_owned(), "jq -c '.[]'"),
        (json!({"kind": "job", "payload": payload}).to_string(), "missing field `id`"),
        (json!({"kind": "job", "id": "x"}).to_string(), "missing field `payload`"),
        (json!({"kind": "job", "id": "x", "stauts": 1, "payload": payload}).to_string(), "unknown field `stauts`"),
        (json!({"id": "x", "payload": payload}).to_string(), "names no kind"),
        (json!({"kind": "nowhere", "id": "x", "payload": payload}).to_string(), "put its definition before"),
        (json!({"kind": "job", "id": null, "payload": payload}).to_string(), "its id is none"),
        (json!({"kind": "job", "id": "", "payload": payload}).to_string(), "empty"),
        (json!({"kind": "job", "id": "y", "payload": payload}).to_string(), "that of its payload is \"x\""),
        (json!({"kind": "job", "id": "x", "payload": {"name": 7}}).to_string(), "cannot be read as the type"),
        (json!({"kind": "job", "id": "x", "status": "Done", "payload": payload}).to_string(), "it has Pending (10)"),
        (
            json!({"kind": "job", "id": "x", "status": "Failed", "code": 40, "payload": payload}).to_string(),
            "leave one out",
        ),
        (json!({"kind": "job", "id": "x", "due": "soon", "payload": payload}).to_string(), "a time is text like"),
        (json!({"kind": "job", "id": "x", "payload": {"$bytes": "?"}}).to_string(), "base64"),
        (
            json!({"kind": "job", "id": "x", "indexes": {"hots": "a"}, "payload": payload}).to_string(),
            "no index \"hots\"",
        ),
        (
            json!({"kind": "job", "id": "x", "history": [{"fence": 2}, {"fence": 1}], "payload": payload}).to_string(),
            "fences",
        ),
        (json!({"kind": "job", "id": "x", "fingerprint": "xyz", "payload": payload}).to_string(), "hexadecimal"),
        (json!({"kind": "mail", "id": 7, "payload": Mail { number: 7, ..mail(1) }}).to_string(), "belongs to \"1\""),
        (json!({"define": "job", "statuses": []}).to_string(), "job"),
        (
            json!({"define": "new", "statuses": [{"code": 1, "name": "A", "role": "waiting"}]}).to_string(),
            "unknown variant `waiting`, expected one of `pending`, `in_progress`",
        ),
        (json!({"define": "new", "statuses": [], "policy": {"lease_us": -1}}).to_string(), "-1"),
        (json!({"define": "new", "statuses": [], "policy": {"backoff": {"cubic": 1}}}).to_string(), "`exponential`"),
    ] {
        let before = (mails.counts().unwrap().total(), export(&tracker).lines().count());
        let next = u32::try_from(before.0).unwrap() + 100;
        let lines = format!("{}\n{bad}\n{}", good(next), good(next + 1));
        let error = match tracker.import(lines.as_bytes()) {
            Ok(imported) => panic!("{bad} went in: {imported:?}"),
            Err(error) => error.to_string(),
        };
        assert!(error.starts_with("line 3: ") && error.contains(says), "{bad}: {error}");
        assert_eq!(mails.counts().unwrap().total(), before.0 + 1, "the line before it is in: {bad}");
        assert_eq!(export(&tracker).lines().count(), before.1 + 1, "and nothing of it: {bad}");
        let options = ImportOptions::new().go_on();
        let imported = tracker.import_with(lines.as_bytes(), &options).unwrap();
        assert_eq!((imported.new, imported.existing, imported.refused), (1, 1, 1), "{bad}");
        assert_eq!(imported.errors[0].line, 3);
        sound(&tracker);
    }
}

#[test]
fn damaged_lines_leave_a_sound_file() {
    let lines = export(&full());
    let mut random = Random::new(3);
    for _ in 0..30 {
        let mut bytes = lines.clone().into_bytes();
        for _ in 0..200 {
            let at = random.below(bytes.len());
            bytes[at] = b"\"{}[],:0129-\n\\au\xff"[random.below(17)];
        }
        let (_, tracker) = tracker();
        let imported = tracker.import_with(bytes.as_slice(), &ImportOptions::new().go_on()).unwrap();
        assert!(imported.refused > 0 && imported.errors.len() <= 100);
        sound(&tracker);
    }
}

#[test]
fn inspector_exports_and_refuses_imports() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    let writer = Tracker::open(&path).unwrap();
    let tasks = jobs(&writer, &["a", "b"]);
    let looking = Tracker::inspect(&path).unwrap();
    let lines = export(&looking);
    assert_eq!(lines, export(&writer));
    refused(looking.import(lines.as_bytes()), ErrorKind::ReadOnly);
    assert_eq!(status(&tasks, "a"), Status::Pending);
}

#[test]
fn lines_in_the_docs_are_imported() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/json-lines.md")).unwrap();
    let blocks = text.split("```json\n").skip(1).map(|block| block.split("```").next().unwrap());
    let (_, tracker) = tracker();
    let imported = import(&tracker, &blocks.collect::<String>());
    assert_eq!((imported.kinds, imported.batches, imported.new), (1, 1, 3));
    assert!(tracker.batch("monday").unwrap().unwrap().info().unwrap().sealed);
    let mails = tracker.untyped("mail").unwrap();
    let given_up = mails.query().status("Given up").first().unwrap().unwrap();
    let errors: Vec<_> = given_up.history.iter().map(|one| one.failure.as_ref().unwrap().error.as_str()).collect();
    assert_eq!(errors, ["connection reset", "550 no such user"]);
    assert_eq!(mails.query().index_text("host", "a.example").total().unwrap(), 2);
    sound(&tracker);
}
