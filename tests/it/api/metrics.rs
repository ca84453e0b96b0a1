//! The numbers for monitoring: values of a file with tasks in many states, and the table of the documentation.

use std::{collections::BTreeSet, time::Duration};

use tracker_core::{inspect::Metrics, record::AttemptStatus};

use crate::support::kinds::{Job, SECOND, job, tracker};

const DOCUMENT: &str = include_str!("../../../docs/operations.md");

/// 30 tasks: 6 of each fifth succeeded, failed, were given up or run, and the rest waits.
fn busy() -> Metrics {
    let (clock, tracker) = tracker();
    let tasks = tracker.tasks::<Job>().unwrap();
    tasks.submit_all((0..30).map(|number| job(&format!("n{number}")))).unwrap();
    let mut running = Vec::new();
    for number in 0..30 {
        clock.advance(SECOND);
        let name = format!("n{number}");
        if number % 5 == 4 {
            continue;
        }
        let mut held = tasks.start(&name).unwrap();
        clock.advance(Duration::from_millis(200));
        match number % 5 {
            0 => held.succeed().unwrap(),
            1 => held.fail("timed out").unwrap(),
            2 => held.give_up("404 not found").unwrap(),
            _ => running.push(held),
        }
    }
    let metrics = tracker.metrics(Duration::from_secs(3_600), 1_000).unwrap();
    drop(running);
    metrics
}

#[test]
fn metrics_count_tasks_leases_and_attempts() {
    let metrics = busy();
    let kind = &metrics.kinds[0];
    assert_eq!((metrics.kinds.len(), kind.kind.as_str(), kind.paused), (1, "job", false));
    let counts: Vec<_> = kind.tasks.iter().filter(|(_, count)| *count > 0).map(|(_, count)| *count).collect();
    assert_eq!(counts, [6, 6, 6, 6, 6]);
    assert_eq!(kind.leases, 6);
    // They wait since their submit: 30 seconds and 24 runs of 200 ms.
    assert_eq!(kind.oldest_waiting, Some(Duration::from_millis(30_000 + 24 * 200)));
    assert_eq!(
        kind.throughput.statuses,
        [(AttemptStatus::Succeeded, 6), (AttemptStatus::Failed, 6), (AttemptStatus::GaveUp, 6)]
    );
    let text = metrics.open_metrics();
    for sample in [
        "tracker_window_attempts{kind=\"job\",outcome=\"gave_up\"} 6\n",
        "tracker_window_duration_seconds_bucket{kind=\"job\",le=\"0.1\"} 0\n",
        "tracker_window_duration_seconds_bucket{kind=\"job\",le=\"0.5\"} 6\n",
        "tracker_leases{kind=\"job\"} 6\n",
    ] {
        assert!(text.contains(sample), "{sample}{text}");
    }
}

#[test]
fn expired_leases_and_pauses_are_in_the_metrics() {
    let (clock, tracker) = tracker();
    let tasks = tracker.tasks::<Job>().unwrap();
    tasks.submit_all(["a", "b"].map(job)).unwrap();
    let held = tasks.start("a").unwrap();
    tasks.pause().unwrap();
    clock.advance(Duration::from_secs(86_400));
    let kind = tracker.metrics(SECOND, 10).unwrap().kinds.remove(0);
    assert_eq!((kind.leases, kind.expired_leases, kind.paused), (1, 1, true));
    drop(held);
}

#[test]
fn documented_metrics_are_those_of_the_text() {
    let section = DOCUMENT.split("\n## Metrics\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `tracker_"));
    let documented: BTreeSet<(String, String, String)> = rows
        .map(|row| {
            let cells: Vec<_> = row.split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect();
            (cells[1].clone(), cells[2].clone(), cells[3].clone())
        })
        .collect();
    let text = busy().open_metrics();
    let unit = |name: &str| text.contains(&format!("# UNIT {name} seconds\n")).then(|| "seconds".to_owned());
    let printed: BTreeSet<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .map(|(name, kind)| (name.to_owned(), kind.to_owned(), unit(name).unwrap_or_default()))
        .collect();
    assert_eq!(documented, printed);
}
