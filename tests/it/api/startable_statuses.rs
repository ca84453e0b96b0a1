//! Starts a task from each status by each call, and compares the answers with the table in `docs/operations.md`.

use std::fmt::Write as _;

use tracker_core::{
    ErrorKind, Tasks, Tracker, dependency::OnDependencyFailure, execution::StartOptions, submit::SubmitOptions,
};

use crate::support::kinds::{DAY, Job, SECOND, Status, job, one_of_each, tracker};

/// The row of the table, and the task that is in this state.
const STATES: [(&str, &str); 11] = [
    ("pending, due", "pending"),
    ("pending, due later", "later"),
    ("pending, waits for another task", "dependent"),
    ("failed, due", "failed"),
    ("in progress, lease held", "leased"),
    ("in progress, lease expired", "expired"),
    ("parked", "parked"),
    ("succeeded", "succeeded"),
    ("exhausted", "exhausted"),
    ("ignored", "ignored"),
    ("cancelled", "cancelled"),
];

/// A tracker with one task in each state; `target` is the only one that a claim may take.
fn prepared(target: &str) -> (Tracker, Tasks<Job>) {
    let (clock, tracker) = tracker();
    let jobs = one_of_each(&tracker);
    jobs.submit(&job("expired")).unwrap();
    jobs.start_with("expired", &StartOptions::new().lease(SECOND)).unwrap().detach().unwrap();
    // The backoff of the failed task and one of the two leases end.
    clock.advance(SECOND * 30);
    jobs.submit_with(&job("later"), &SubmitOptions::new().delay(DAY)).unwrap();
    let waits = SubmitOptions::new().after(&jobs, "leased", OnDependencyFailure::Wait);
    jobs.submit_with(&job("dependent"), &waits).unwrap();
    for (_, other) in STATES {
        if other != target && other != "leased" {
            // Terminal tasks refuse.
            drop(jobs.cancel(other));
        }
    }
    (tracker, jobs)
}

fn answer<T>(result: Result<T, tracker_core::Error>) -> String {
    match result {
        Ok(_) => "yes".to_owned(),
        Err(error) => format!("`{:?}`", error.kind()),
    }
}

#[test]
fn startable_statuses_match_the_docs() {
    let mut table = String::from(
        "| status | `claim`, worker | `start`, `run` | with `startable(..)` naming it | with `force()` | with `steal_lease()` |\n\
         |---|---|---|---|---|---|\n",
    );
    for (row, id) in STATES {
        let claimed = {
            let (_tracker, jobs) = prepared(id);
            let claimed = jobs.claim().unwrap();
            let yes = claimed.is_some_and(|claimed| claimed.name == id);
            if yes { "yes" } else { "no" }
        };
        let start = |options: &dyn Fn(Status) -> StartOptions<Status>| {
            let (_tracker, jobs) = prepared(id);
            let status = jobs.get(id).unwrap().unwrap().status;
            answer(jobs.start_with(id, &options(status)))
        };
        let plain = start(&|_| StartOptions::new());
        let named = start(&|status| StartOptions::new().startable([status]));
        let forced = start(&|_| StartOptions::new().force());
        let stolen = start(&|_| StartOptions::new().steal_lease());
        writeln!(table, "| {row} | {claimed} | {plain} | {named} | {forced} | {stolen} |").unwrap();
    }
    let document = include_str!("../../../docs/operations.md");
    assert!(document.contains(&table), "docs/operations.md lacks this table:\n{table}");
    assert_eq!(
        answer::<()>(Err(prepared("later").1.start("none").unwrap_err())),
        format!("`{:?}`", ErrorKind::NotFound)
    );
}
