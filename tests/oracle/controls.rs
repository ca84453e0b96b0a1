//! Negative controls: the checker must reject logs of programs that acknowledge too much, and changed logs.

use std::{path::Path, process};

use tracker_core::file::Sharing;

use crate::{
    checker, child,
    client::{AllTasks, Client},
    kills,
    kinds::{Kind, Short, Status, Task},
    log::{self, Answer, Call, Entry, Event, Log, Refusal, Seen, Verb},
    ownership,
    random::{Random, seed},
};

const TASKS: u32 = 5;
/// Changes of one sort, at most, that a control tries.
const MOST: usize = 30;

/// Submits tasks, and dies at the last one, before or after the call.
pub fn run_child(name: &str, file: &Path, what: &str) {
    let log = Log::file(&file.with_extension("log"));
    let tracker = child::open(file, Sharing::Exclusive);
    let tasks = tracker.tasks::<Short>().unwrap();
    let mut client = Client { log: &log, name: format!("{name}.0"), random: Random::new(seed()) };
    for task in 0..TASKS {
        match what {
            "honest" => client.submit(&tasks, task),
            "relaxed" => client.submit_relaxed(&tasks, task),
            // Logs the acknowledgement before the call.
            "early" => {
                let call = Call { value: 1, ..Call::on(Verb::Submit, Kind::Short, task) };
                client.call(call, || (), |()| Answer::New);
                if task + 1 < TASKS {
                    tasks.submit(&Short::new(task, 1)).unwrap();
                }
            }
            other => panic!("unknown role {other}"),
        }
    }
    // Ends the process at once, as a kill does.
    process::abort();
}

/// The log of such a child, and of a reader after it.
fn log_of(what: &str) -> Vec<Entry> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tasks.redb");
    let status = child::start(&format!("controls {what}"), "p0", &file).wait().unwrap();
    assert!(!status.success());
    let log = Log::file(&file.with_extension("log"));
    log.write(Event::Dead { process: "p0".to_owned() });
    let tracker = child::open(&file, Sharing::Exclusive);
    let tasks = AllTasks::open(&tracker).unwrap();
    let reader = Client { log: &log, name: "reader.0".to_owned(), random: Random::new(0) };
    reader.get_all(&tasks, 0..TASKS);
    log::read(&file.with_extension("log"))
}

fn rejects(what: &str, entries: &[Entry]) {
    if let Ok(figures) = checker::check(entries) {
        panic!("{what} is accepted: {figures:?}{}", log::kept(entries));
    }
}

#[test]
fn acknowledgement_before_the_call_is_rejected() {
    checker::check(&log_of("honest")).unwrap();
    rejects("an acknowledgement before the call", &log_of("early"));
}

/// A relaxed submit may be lost: the log fits what was promised. It does not fit a promise of durability.
#[test]
fn relaxed_submit_counted_as_durable_is_rejected() {
    let found = (0..20).any(|_| {
        let mut entries = log_of("relaxed");
        checker::check(&entries).unwrap();
        for entry in &mut entries {
            match &mut entry.event {
                Event::Called { call, .. } if call.verb == Verb::SubmitRelaxed => call.verb = Verb::Submit,
                Event::Answered { answer, .. } if *answer == Answer::Queued => *answer = Answer::New,
                _ => {}
            }
        }
        checker::check(&entries).is_err()
    });
    assert!(found, "none of 20 programs that died at once lost a relaxed submit");
}

/// A call in a log: the places of its two entries.
struct Place {
    call: Call,
    called: usize,
    answered: usize,
    answer: Answer,
}

fn places(entries: &[Entry]) -> Vec<Place> {
    let mut places = Vec::new();
    for (called, entry) in entries.iter().enumerate() {
        let Event::Called { client, call } = &entry.event else { continue };
        let rest = entries.iter().enumerate().skip(called + 1);
        let mut answers = rest.filter_map(|(at, entry)| match &entry.event {
            Event::Answered { client: other, answer } if other == client => Some((at, answer.clone())),
            _ => None,
        });
        if let Some((answered, answer)) = answers.next() {
            places.push(Place { call: *call, called, answered, answer });
        }
    }
    places
}

/// Whether a later entry shows the change that the call made.
fn shows(place: &Place, places: &[Place]) -> bool {
    match (place.call.verb, &place.answer) {
        (Verb::Submit, Answer::New) | (Verb::Succeed | Verb::Fail | Verb::GiveUp | Verb::Release, Answer::Done) => true,
        (_, Answer::Owned { fence, .. }) => {
            places.iter().any(|other| other.call.fence == *fence && other.answer == Answer::Done)
        }
        _ => false,
    }
}

fn without(entries: &[Entry], left_out: &[usize]) -> Vec<Entry> {
    let kept = entries.iter().enumerate().filter(|(at, _)| !left_out.contains(at));
    kept.map(|(_, entry)| entry.clone()).collect()
}

#[test]
fn log_without_an_acknowledged_call_is_rejected() {
    let entries = kills::log_of_an_attack(seed());
    checker::check(&entries).unwrap();
    let places = places(&entries);
    let shown: Vec<_> = places.iter().filter(|place| shows(place, &places)).collect();
    assert!(shown.len() > 30, "only {} calls have an effect", shown.len());
    let shown: Vec<_> = shown.iter().step_by(1 + shown.len() / MOST).collect();
    for place in &shown {
        let what = format!("the log without {:?} {:?}", place.call, place.answer);
        rejects(&what, &without(&entries, &[place.called, place.answered]));
    }
    println!("{} calls left out, each found", shown.len());
}

#[test]
fn log_with_an_added_call_is_rejected() {
    let entries = kills::log_of_an_attack(seed());
    let dead = entries.iter().position(|entry| matches!(entry.event, Event::Dying { .. })).unwrap();
    let time = entries[dead].time;
    let added = |call: Call, answer: Answer| {
        let client = "p0.added".to_owned();
        let called = Entry { time, event: Event::Called { client: client.clone(), call } };
        let answered = Entry { time, event: Event::Answered { client, answer } };
        [&entries[..dead], &[called, answered], &entries[dead..]].concat()
    };
    let submit = |task| Call { value: 1, ..Call::on(Verb::Submit, Kind::Named, task) };
    let seen = |task| {
        let places = places(&entries[..dead]);
        places
            .iter()
            .any(|place| place.answer == Answer::New && (place.call.kind, place.call.task) == (Kind::Named, Some(task)))
    };
    // The first process makes the tasks up to 11, and the files are read beyond that.
    let (new, old) = (13, (0..12).find(|task| seen(*task)).unwrap());
    rejects("a submit that was never made", &added(submit(new), Answer::New));
    rejects("a second submit that is told as new", &added(submit(old), Answer::New));
    let success = Call { fence: 1_000_000, ..Call::on(Verb::Succeed, Kind::Named, old) };
    rejects("a success without an attempt", &added(success, Answer::Done));
    for place in places(&entries[..dead]).iter().filter(|place| place.call.verb == Verb::Succeed) {
        rejects("a second success of an attempt", &added(place.call, Answer::Done));
    }
}

#[test]
fn log_in_another_order_is_rejected() {
    let entries = kills::log_of_an_attack(seed());
    let places = places(&entries);
    let mut moved = 0;
    for start in &places {
        let Answer::Owned { fence, .. } = start.answer else { continue };
        let Some(end) = places.iter().find(|end| end.call.fence == fence && end.answer == Answer::Done) else {
            continue;
        };
        // The end goes before its attempt.
        let mut other = without(&entries, &[end.called, end.answered]);
        let end = [end.called, end.answered].map(|at| entries[at].clone());
        other.splice(start.called..start.called, end);
        rejects("an end before its attempt", &other);
        moved += 1;
        if moved == MOST {
            break;
        }
    }
    assert!(moved > 10, "only {moved} attempts have ended");
    let owned = |entry: &Entry| matches!(entry.event, Event::Answered { answer: Answer::Owned { .. }, .. });
    let starts: Vec<_> = (0..entries.len()).filter(|at| owned(&entries[*at])).collect();
    for pair in starts.windows(2).step_by(1 + starts.len() / MOST) {
        let mut other = entries.clone();
        let fence_of = |entry: &Entry| match entry.event {
            Event::Answered { answer: Answer::Owned { fence, .. }, .. } => fence,
            _ => unreachable!("the entry was found as one that owns"),
        };
        let fences = [fence_of(&entries[pair[1]]), fence_of(&entries[pair[0]])];
        for (at, swapped) in pair.iter().zip(fences) {
            if let Event::Answered { answer: Answer::Owned { fence, .. }, .. } = &mut other[*at].event {
                *fence = swapped;
            }
        }
        if places.iter().any(|place| fences.contains(&place.call.fence) && place.answer == Answer::Done) {
            rejects("two fences that are exchanged", &other);
        }
    }
}

#[test]
fn accepted_end_of_a_stale_owner_is_rejected() {
    let entries = ownership::log_of_threads(60);
    checker::check(&entries).unwrap();
    let (mut stale, mut found) = (0, 0);
    for place in places(&entries) {
        let ends = matches!(place.call.verb, Verb::Succeed | Verb::Fail | Verb::GiveUp);
        if ends && place.answer == Answer::Refused(Refusal::LeaseLost) {
            let mut other = entries.clone();
            if let Event::Answered { answer, .. } = &mut other[place.answered].event {
                *answer = Answer::Done;
            }
            stale += 1;
            found += u64::from(checker::check(&other).is_err());
        }
    }
    println!("{found} of {stale} ends of stale owners found");
    // Both logs are possible if no call reads the task before its history drops the attempt.
    assert!(stale > 5 && found * 10 >= stale * 9, "{found} of {stale} ends of stale owners found");
    // With a clock that stands still, no lease has run out.
    let still: Vec<_> = entries.iter().map(|entry| Entry { time: 0, ..entry.clone() }).collect();
    rejects("a lease that ended early", &still);
}

fn entry(event: Event) -> Entry {
    Entry { time: 0, event }
}

/// A task that is submitted, a future that is dropped after so many polls, and what a reader sees at last.
fn dropped(verb: Verb, polls: u32, seen: Option<Seen>) -> Vec<Entry> {
    let submit = Call { value: 7, ..Call::on(Verb::Submit, Kind::Short, 1) };
    let call = Call { value: 8, lease: 1_000, ..Call::on(verb, Kind::Short, if verb == Verb::Submit { 2 } else { 1 }) };
    let get = Call::on(Verb::Get, Kind::Short, call.task.unwrap());
    let client = || "p.0".to_owned();
    vec![
        entry(Event::Called { client: client(), call: submit }),
        entry(Event::Answered { client: client(), answer: Answer::New }),
        entry(Event::Called { client: client(), call }),
        entry(Event::Dropped { client: client(), polls }),
        entry(Event::Settled),
        entry(Event::Called { client: client(), call: get }),
        entry(Event::Answered { client: client(), answer: Answer::Record(seen) }),
    ]
}

#[test]
fn leak_or_loss_by_a_dropped_call_is_rejected() {
    let record = |value, status, attempts, fence| {
        let (failures, crashes, cancel, ended, history) = (0, 0, false, 0, Vec::new());
        Some(Seen { status, value, attempts, failures, crashes, cancel, fence, ended, history })
    };
    let free = || record(7, Status::Pending, 0, None);
    checker::check(&dropped(Verb::Start, 1, free())).unwrap();
    checker::check(&dropped(Verb::Start, 0, free())).unwrap();
    rejects("a lease without an owner", &dropped(Verb::Start, 1, record(7, Status::InProgress, 1, Some(1))));
    rejects("an attempt without an owner", &dropped(Verb::Start, 1, record(7, Status::Pending, 1, None)));
    let submitted = || record(8, Status::Pending, 0, None);
    checker::check(&dropped(Verb::Submit, 1, submitted())).unwrap();
    checker::check(&dropped(Verb::Submit, 0, None)).unwrap();
    rejects("a submit that is lost", &dropped(Verb::Submit, 1, None));
    rejects("a submit that was never polled", &dropped(Verb::Submit, 0, submitted()));
}
