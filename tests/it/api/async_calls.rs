//! Tests that async calls have the effects of the blocking ones, also on batches and dependencies.

use std::{
    future::Future,
    io,
    pin::pin,
    sync::mpsc,
    task::{Context, Poll, Waker},
    thread,
};

use serde::{Deserialize, Serialize};
use tracker_core::{
    Error, ErrorKind, Outcome, Submission, TaskStatus, TrackedTask,
    batch::BatchOptions,
    dependency::OnDependencyFailure,
    execution::StartOptions,
    status::Role,
    submit::{SubmitOptions, SubmittedRecord},
    worker::RunError,
};

use crate::support::kinds::{
    Import, ImportStatus, Job, MINUTE, Mail, Status, job, jobs, mail, refused, sound, status, tracker,
};

type Io = io::Result<()>;

/// Polls a future once, and drops it.
async fn poll_once<F: Future>(future: F) {
    let mut future = pin!(future);
    std::future::poll_fn(|context| {
        drop(future.as_mut().poll(context));
        Poll::Ready(())
    })
    .await;
}

#[tokio::test]
async fn async_submit_works_singly_and_in_bulk() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &[]);
    let calls = tasks.asynchronous();
    let SubmittedRecord { submission, record, .. } = calls.submit_and_get(&job("one")).await.unwrap();
    assert_eq!((submission, record.status), (Submission::New, Status::Pending));
    let other = Job { host: "b".to_owned(), ..job("one") };
    let SubmittedRecord { submission, record, .. } = calls.submit_and_get(&other).await.unwrap();
    assert_eq!((submission, record.task.host.as_str()), (Submission::Existing, "a"));

    let summary = calls.submit_all((0..10_000).map(|number| job(&number.to_string()))).await.unwrap();
    assert_eq!((summary.new, summary.existing), (10_000, 0));
    let later = SubmitOptions::new().delay(MINUTE).priority(7);
    let summary = calls.submit_all_with(["one", "0", "late"].map(job), &later).await.unwrap();
    assert_eq!((summary.new, summary.existing), (1, 2));
    let late = calls.get("late").unwrap().unwrap();
    assert_eq!((late.priority, late.due_at), (7, tracker.now() + MINUTE));
    let error = calls.submit_all([job("x"), job(""), job("y")]).await;
    refused(error, ErrorKind::Invalid);

    let inside =
        SubmitOptions::new().batch(&tracker.asynchronous().open_batch("night", &BatchOptions::new()).await.unwrap());
    let after = inside.after(&tasks, "one", OnDependencyFailure::Wait).priority(9);
    let SubmittedRecord { submission, record, .. } = calls.submit_and_get_with(&job("two"), &after).await.unwrap();
    assert_eq!((submission, record.waits_for, record.priority), (Submission::New, 1, 9));
    assert!(record.batch.is_some());
    let same = tasks.submit_and_get_with(&job("two"), &SubmitOptions::new()).unwrap().record;
    assert_eq!((same.task, same.batch), (record.task, record.batch));

    let mails = tracker.tasks::<Mail>().unwrap().asynchronous();
    mails.submit(&mail(3)).await.unwrap();
    assert_eq!(mails.get_by_key("client_request", &[&"c", &3]).unwrap().unwrap().task.number, 3);
    sound(&tracker);
}

#[tokio::test]
async fn async_attempt_is_detached_and_resumed() {
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &["a"]);
    let calls = tasks.asynchronous();
    let held = calls.claim_with(&StartOptions::new().lease(MINUTE * 5)).await.unwrap().unwrap();
    assert_eq!((held.name.as_str(), held.lease()), ("a", MINUTE * 5));
    refused(calls.check_start("a", &StartOptions::new()), ErrorKind::Leased);
    calls.check_start("a", &StartOptions::new().reenter(held.token())).unwrap();
    let ticket = held.detach().await.unwrap();
    clock.advance(MINUTE);
    let mut held = calls.resume_ticket(&ticket).await.unwrap();
    held.result = Some(1);
    held.fail_with_changes("half").await.unwrap();
    let record = calls.get("a").unwrap().unwrap();
    assert_eq!((record.status, record.task.result, record.failures), (Status::Failed, Some(1), 1));
    refused(calls.resume_ticket(&ticket).await, ErrorKind::LeaseLost);
    calls.run_with("a", &StartOptions::new().lease(MINUTE), async |_| Io::Ok(())).await.unwrap();

    let mut both = calls.submit_and_start(&job("b")).await.unwrap();
    refused(calls.submit_and_start(&job("b")).await, ErrorKind::Leased);
    both.succeed().await.unwrap();
    refused(calls.submit_and_start(&job("a")).await, "AlreadySucceeded");
    calls.run_with("b", &StartOptions::new().force(), async |_| Io::Ok(())).await.unwrap();
    assert_eq!(calls.get("b").unwrap().unwrap().attempts, 2);

    poll_once(calls.submit_and_start(&job("c"))).await;
    // One commit for the answer, and one for the release of the untaken claim.
    tracker.flush().unwrap();
    tracker.flush().unwrap();
    let record = calls.get("c").unwrap().unwrap();
    assert_eq!((record.status, record.attempts), (Status::Pending, 0), "nobody took it");
    sound(&tracker);
}

#[tokio::test]
async fn async_admin_calls_move_ignore_remove_and_requeue() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["a", "b", "c"]);
    let calls = tasks.asynchronous();
    calls.move_to("a", Status::OnHold).await.unwrap();
    calls.ignore("b", "not wanted").await.unwrap();
    calls.remove("c").await.unwrap();
    refused(calls.remove("c").await, ErrorKind::NotFound);
    assert_eq!((status(&tasks, "a"), status(&tasks, "b")), (Status::OnHold, Status::Ignored));
    let reason = &calls.get("b").unwrap().unwrap().history[0];
    assert_eq!(reason.failure.as_ref().unwrap().error, "not wanted");

    calls.move_to("a", Status::Pending).await.unwrap();
    calls.pause().await.unwrap();
    assert!(calls.claim().await.unwrap().is_none());
    calls.resume().await.unwrap();
    assert!(calls.claim().await.unwrap().is_some());

    let imports = tracker.tasks::<Import>().unwrap();
    imports.submit(&Import { number: 1, rows: None }).unwrap();
    imports.step("fetch").unwrap().asynchronous().run(1, async |_| Io::Ok(())).await.unwrap();
    imports.asynchronous().requeue_from_start(1).await.unwrap();
    assert_eq!(imports.get(1).unwrap().unwrap().status, ImportStatus::FetchPending);
    sound(&tracker);
}

#[tokio::test]
async fn async_calls_open_fill_and_seal_a_batch() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &[]);
    let calls = tasks.asynchronous();
    let options = BatchOptions::new().then(&tasks, &job("report")).unwrap();
    let night = tracker.asynchronous().open_batch("night", &options).await.unwrap();
    let inside = SubmitOptions::new().batch(&night);
    calls.submit_with(&job("a"), &inside).await.unwrap();
    assert_eq!(
        calls.submit_all_with((0..2_000).map(|number| job(&number.to_string())), &inside).await.unwrap().new,
        2_000
    );
    night.seal().await.unwrap();
    refused(calls.submit_with(&job("z"), &inside).await, "Sealed");
    night.reopen().await.unwrap();
    calls.submit_with(&job("z"), &inside).await.unwrap();
    night.seal().await.unwrap();
    calls
        .submit_with(&job("read"), &SubmitOptions::new().after_batch(&night, OnDependencyFailure::Skip))
        .await
        .unwrap();

    let summary = calls.tasks().async_worker().concurrency(8).run(async |_| Io::Ok(())).await.unwrap();
    assert_eq!(summary.succeeded, 2_002 + 2, "the report, and who reads it");
    let info = night.info().unwrap();
    assert_eq!((info.is_over(), info.count(Role::Succeeded)), (true, 2_002));

    let options = BatchOptions::new().then(&tasks, &job("sum")).unwrap();
    let day = calls.submit_batch("day", ["d", "e"].map(job), &options).await.unwrap();
    assert_eq!(calls.submit_batch("day", ["d", "e"].map(job), &options).await.unwrap().number(), day.number());
    assert_eq!(tasks.async_worker().run(async |_| Io::Ok(())).await.unwrap().succeeded, 3);
    assert!(day.info().unwrap().is_over());
    sound(&tracker);
}

#[tokio::test]
async fn async_worker_runs_dependencies_first() {
    let (_, tracker) = tracker();
    let (tasks, mails) = (jobs(&tracker, &[]), tracker.tasks::<Mail>().unwrap());
    let calls = tasks.asynchronous();
    let after = |id: &str, on_failure| SubmitOptions::new().after(&tasks, id, on_failure);
    let mut group = tracker.asynchronous().group();
    group.add(&tasks, &job("load"), &after("transform", OnDependencyFailure::Skip)).unwrap();
    group.add(&tasks, &job("transform"), &after("extract", OnDependencyFailure::Skip)).unwrap();
    group.add(&tasks, &job("extract"), &SubmitOptions::new()).unwrap();
    assert_eq!(group.submit().await.unwrap().len(), 3);
    let told = SubmitOptions::new().after(&tasks, "load", OnDependencyFailure::Run);
    mails.asynchronous().submit_with(&mail(1), &told).await.unwrap();
    refused(calls.submit_with(&job("x"), &after("nobody", OnDependencyFailure::Wait)).await, ErrorKind::NotFound);

    let order = std::sync::Mutex::new(Vec::new());
    let note = async |name: &str| order.lock().unwrap().push(name.to_owned());
    let worker = tasks.async_worker().concurrency(4);
    worker
        .run(async |job| {
            note(&job.name).await;
            if job.name == "transform" { Ok(Outcome::GiveUp) } else { Io::Ok(()).map(|()| Outcome::Succeed) }
        })
        .await
        .unwrap();
    assert_eq!(*order.lock().unwrap(), ["extract", "transform"]);
    assert_eq!(status(&tasks, "load"), Status::Ignored);
    assert_eq!(mails.async_worker().run(async |_| Io::Ok(())).await.unwrap().succeeded, 1);
    sound(&tracker);
}

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum Plain {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
    Exhausted = 50,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "plain", status = Plain)]
struct PlainJob {
    #[task(id)]
    name: String,
}

#[tokio::test]
async fn refused_async_outcome_fails_the_task_and_frees_the_lease() {
    let (_, tracker) = tracker();
    let tasks = tracker.tasks::<PlainJob>().unwrap();
    for name in ["a", "b"] {
        tasks.submit(&PlainJob { name: name.to_owned() }).unwrap();
    }
    let calls = tasks.asynchronous();
    let ended = calls.run("a", async |_| Io::Ok(()).map(|()| Outcome::Park { code: 99 })).await.unwrap_err();
    assert!(matches!(ended, RunError::Handler(_)), "{ended:?}");
    let record = tasks.get("a").unwrap().unwrap();
    assert_eq!((record.status, record.lease), (Plain::Failed, None));

    let mut held = calls.start("b").await.unwrap();
    assert!(held.ignore("cannot").await.unwrap_err().is_refusal());
    drop(held);
    tracker.flush().unwrap();
    assert_eq!(tasks.get("b").unwrap().unwrap().status, Plain::Pending, "it is given back");
    sound(&tracker);
}

#[tokio::test]
async fn outcome_stored_by_an_async_handler_is_counted_as_such() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["good", "bad", "given back"]);
    let worker = tasks.async_worker();
    let stop = worker.stop_handle();
    let summary = worker
        .run(async |job| {
            match job.name.as_str() {
                "good" => job.succeed().await.unwrap(),
                "bad" => job.give_up("no use").await.unwrap(),
                _ => {
                    stop.stop();
                    job.release().await.unwrap();
                }
            }
            Io::Ok(())
        })
        .await
        .unwrap();
    assert_eq!((summary.succeeded, summary.failed, summary.other), (1, 1, 1), "{summary:?}");
    sound(&tracker);
}

/// A transaction is open, so that nothing is committed: as many calls as the queue holds are in it when their futures are
/// dropped, and are done; the others wait outside, and never were.
#[test]
fn async_call_waits_outside_a_full_queue() {
    let (_, tracker) = tracker();
    let tasks = tracker.tasks::<Job>().unwrap();
    let calls = tasks.asynchronous();
    let (holds, holding) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let tracker = &tracker;
        scope.spawn(move || {
            tracker
                .transaction(|_| {
                    holds.send(()).unwrap();
                    released.recv().unwrap();
                    Ok::<_, Error>(())
                })
                .unwrap();
        });
        holding.recv().unwrap();
        let mut context = Context::from_waker(Waker::noop());
        for number in 0..17_000 {
            let job = job(&number.to_string());
            let mut call = pin!(calls.submit(&job));
            assert!(call.as_mut().poll(&mut context).is_pending());
        }
        release.send(()).unwrap();
    });
    tracker.flush().unwrap();
    assert_eq!(tasks.counts().unwrap().total(), 16_384);
    sound(&tracker);
}
