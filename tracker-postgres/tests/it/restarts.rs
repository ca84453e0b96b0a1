//! Workers and times of a program while its server restarts, or has another clock.

use std::{
    sync::{
        Barrier,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, SystemTime},
};

use tracker_core::{Error, Execution, Tracker, submit::SubmitOptions, time::ManualClock};

use crate::support::{
    Server,
    fault_proxy::{Fault, FaultProxy, Faults},
    job::{Job, Status},
    new_schema, options, server_or_skip,
};

#[test]
fn worker_continues_after_a_restart_of_the_server() {
    // The server of the other tests must not go away.
    let server = match Server::start(&["fsync=off"]) {
        Ok(server) => server,
        Err(reason) => return println!("skipped: {reason}"),
    };
    let tracker = options(&server.url("postgres")).busy_timeout(Duration::from_secs(60)).connect().unwrap();
    let jobs = tracker.tasks::<Job>().unwrap();
    jobs.submit_all((0..40).map(Job::new)).unwrap();
    let (in_handlers, restarted) = (Barrier::new(5), Barrier::new(5));
    let (started, cancelled) = (AtomicU32::new(0), AtomicU32::new(0));
    let summary = thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let work = |job: &mut Execution<Job>| {
                // Four handlers run while the server is down.
                if started.fetch_add(1, Ordering::SeqCst) < 4 {
                    in_handlers.wait();
                    restarted.wait();
                }
                cancelled.fetch_add(u32::from(job.is_cancelled()), Ordering::SeqCst);
                job.done = true;
                Ok::<_, Error>(())
            };
            jobs.worker().threads(4).run(work).unwrap()
        });
        in_handlers.wait();
        server.kill();
        thread::sleep(Duration::from_millis(200));
        // The handlers end while the server is still down.
        restarted.wait();
        thread::sleep(Duration::from_millis(200));
        server.launch().unwrap();
        worker.join().unwrap()
    });
    assert_eq!((summary.succeeded, summary.failed, cancelled.into_inner()), (40, 0, 0), "{summary:?}");
    assert_eq!(started.into_inner(), 40, "each handler runs once");
    for record in jobs.query().fetch().unwrap() {
        assert_eq!((record.status, record.attempts, record.crashes), (Status::Succeeded, 1, 0), "{}", record.id);
    }
    assert_eq!(tracker.verify().unwrap(), []);
}

#[test]
fn read_runs_again_when_its_connection_breaks() {
    let server = server_or_skip!();
    let proxy = FaultProxy::start(server.port);
    let tracker = options(&server.url_at(proxy.port, "postgres")).schema(new_schema()).connect().unwrap();
    let jobs = tracker.tasks::<Job>().unwrap();
    jobs.submit_all((0..3).map(Job::new)).unwrap();
    for fault in [Fault::Cut, Fault::SilentCut, Fault::CutAtOnce, Fault::Refuse("40001"), Fault::End("57P01")] {
        let made = proxy.made();
        for first in [0, 3, 4, 7, 8, 9] {
            // One fault.
            proxy.set(Some(Faults { fault, first, every: u64::MAX }));
            assert!(jobs.get(1).unwrap().is_some());
            assert_eq!(jobs.counts().unwrap().total(), 3);
            assert_eq!(jobs.query().fetch().unwrap().len(), 3);
        }
        assert!(proxy.made() > made + 1, "{fault:?}: {} faults", proxy.made() - made);
    }
    assert_eq!(tracker.verify().unwrap(), []);
}

#[test]
fn clock_of_a_program_may_be_a_day_off() {
    let server = server_or_skip!();
    let schema = new_schema();
    let day = Duration::from_secs(86_400);
    let open = |now: SystemTime| -> Tracker {
        let options = Tracker::options().clock(ManualClock::at(now.into()));
        server.options().schema(schema.clone()).open(options).unwrap()
    };
    let now = SystemTime::now();
    let (slow, right, fast) = (open(now - day), open(now), open(now + day));
    let [of_slow, of_right, of_fast] = [&slow, &right, &fast].map(|tracker| tracker.tasks::<Job>().unwrap());
    of_fast.submit(&Job::new(1)).unwrap();
    of_slow.submit_with(&Job::new(2), &SubmitOptions::new().delay(Duration::from_secs(3_600))).unwrap();
    let mut held = of_slow.claim().unwrap().unwrap();
    // Neither the lease nor the delay of a slow clock has run out for a fast one.
    assert!(of_fast.claim().unwrap().is_none());
    assert!(of_right.claim().unwrap().is_none());
    held.renew().unwrap();
    held.succeed().unwrap();
    let due = of_right.get(2).unwrap().unwrap().due_at;
    let wait = SystemTime::from(due).duration_since(now).unwrap();
    assert!(wait.as_secs().abs_diff(3_600) < 60, "{wait:?}");
    assert_eq!(of_right.get(1).unwrap().unwrap().status, Status::Succeeded);
    assert_eq!(right.verify().unwrap(), []);
}
