//! The steps of the script, in order.

use std::{io, time::Duration};

use chrono::TimeDelta;
use tracker_core::{
    Error, ErrorKind, Execution, batch::BatchOptions, dependency::OnDependencyFailure, execution::StartOptions,
    redb_store::TransactionExt, schedule::Schedule, submit::SubmitOptions,
};

use super::{Chore, Job, LATER, LaterJob, Load, Stage, Status, Step, Stored, TOTALS, in_parts, job, visit, whole};

pub const SCRIPT: &[Step] = &[
    whole("submit", |script| script.jobs().submit(&job(0)).map(drop)),
    whole("submit once more", |script| script.jobs().submit(&job(0)).map(drop)),
    whole("submit with a delay", |script| {
        let options = SubmitOptions::new().delay(Duration::from_secs(10)).priority(9);
        script.jobs().submit_with(&job(1), &options).map(drop)
    }),
    in_parts("submit many", |script| script.jobs().submit_all((0..12).map(job)).map(drop)),
    in_parts("submit stages", |script| {
        let stages = (0..2).map(|number| Stage { number, rows: vec![7; 300] });
        script.stages.submit_all(stages).map(drop)
    }),
    whole("claim", |script| script.claim("first")),
    whole("renew", |script| script.hand("first").renew()),
    whole("checkpoint", |script| {
        script.hand("first").step = 1;
        script.hand("first").checkpoint()
    }),
    in_parts("progress", |script| {
        script.hand("first").progress(3, Some(9), "on the way");
        script.tracker.flush()
    }),
    whole("succeed with a follow-up", |script| {
        let jobs = script.jobs().clone();
        let hand = script.hand("first");
        hand.note("a note");
        hand.metric("rows", 7.5);
        if hand.step == 1 {
            hand.step = 2;
            hand.submit_next(&jobs, &job(20))?;
        }
        hand.succeed()
    }),
    whole("submit with another fingerprint", |script| script.jobs().submit(&Job { etag: 1, ..job(0) }).map(drop)),
    whole("start by id", |script| script.start("second", 2)),
    whole("fail", |script| script.hand("second").fail("no luck")),
    whole("2 s pass", |script| script.pass(2)),
    whole("start again", |script| script.start("second", 2)),
    whole("fail for the last time", |script| script.hand("second").fail("still no luck")),
    whole("requeue", |script| script.jobs().requeue("job 2")),
    whole("start to snooze", |script| script.start("third", 3)),
    whole("snooze", |script| script.hand("third").snooze(Duration::from_secs(600))),
    whole("start to park", |script| script.start("fourth", 4)),
    whole("park", |script| script.hand("fourth").park(Status::Shelf)),
    whole("move", |script| script.jobs().move_to("job 4", Status::Pending)),
    whole("start to release", |script| script.start("fifth", 5)),
    whole("release", |script| script.hand("fifth").release()),
    whole("cancel", |script| script.jobs().cancel("job 5")),
    whole("start to give up", |script| script.start("sixth", 6)),
    whole("give up", |script| script.hand("sixth").give_up("never")),
    whole("force", |script| {
        let forced = script.jobs().start_with("job 6", &StartOptions::new().force())?;
        script.hands.insert("sixth", forced);
        Ok(())
    }),
    whole("a submit waits for the end of the run", |script| {
        script.jobs().submit(&Job { etag: 5, step: 5, ..job(6) }).map(drop)
    }),
    whole("succeed before the one that waits", |script| script.hand("sixth").succeed()),
    whole("ignore by hand", |script| script.jobs().ignore("job 6", "not now")),
    whole("update", |script| script.jobs().update("job 7", |job| "elsewhere".clone_into(&mut job.host))),
    whole("start to be cancelled", |script| script.start("eighth", 8)),
    whole("cancel a running one", |script| script.jobs().cancel("job 8")),
    in_parts("drop an execution", |script| {
        drop(script.hands.remove("eighth"));
        script.tracker.flush()
    }),
    whole("start to detach", |script| script.start("ninth", 9)),
    whole("detach", |script| {
        // The execution goes with the call, even if that fails: then the task is given back.
        if !script.hands.contains_key("ninth") {
            script.start("ninth", 9)?;
        }
        script.ticket = script.hands.remove("ninth").map(Execution::detach).transpose()?;
        Ok(())
    }),
    whole("resume", |script| {
        let Some(ticket) = &script.ticket else { return Ok(()) };
        let resumed = script.jobs().resume_ticket(ticket)?;
        script.hands.insert("ninth", resumed);
        Ok(())
    }),
    whole("succeed in a transaction", |script| {
        let jobs = script.jobs().clone();
        let Some(ticket) = &script.ticket else { return Ok(()) };
        let mut hand = match script.hands.remove("ninth") {
            Some(resumed) => resumed,
            None => jobs.resume_ticket(ticket)?,
        };
        let is_file = script.is_file;
        let succeeded = script.tracker.transaction(|tx| {
            if is_file {
                tx.table(TOTALS)?.insert("done", 1)?;
            }
            tx.submit(&jobs, &job(21))?;
            tx.succeed(&mut hand)
        });
        if succeeded.is_err() {
            std::mem::forget(hand);
        }
        succeeded
    }),
    whole("a transaction rolls back", |script| {
        let rolled_back: Result<(), Error> = script.tracker.transaction(|tx| {
            if script.is_file {
                tx.table(TOTALS)?.insert("done", 2)?;
            }
            tx.submit(script.jobs(), &job(22))?;
            tx.cancel(script.jobs(), "nobody")
        });
        match rolled_back {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }),
    whole("start to be left alone", |script| script.start("tenth", 10)),
    whole("100 s pass", |script| script.pass(100)),
    in_parts("rescue", |script| script.tracker.rescue().map(drop)),
    whole("pause", |script| script.jobs().pause()),
    whole("resume", |script| script.jobs().resume()),
    whole("claim a stage", |script| {
        script.stage = script.stages.step("fetch")?.claim()?;
        Ok(())
    }),
    whole("fetched", |script| script.stage()?.succeed()),
    whole("claim the next stage", |script| {
        script.stage = script.stages.step("load")?.claim()?;
        Ok(())
    }),
    whole("loaded", |script| {
        let is_file = script.is_file;
        let stage = script.stage()?;
        stage.rows.clear();
        stage.succeed_with(|tx| {
            if is_file {
                tx.table(TOTALS)?.insert("loaded", 300)?;
            }
            Ok::<_, Error>(())
        })
    }),
    whole("remove", |script| script.jobs().remove("job 11")),
    whole("open a batch with a follow-up", |script| {
        let options = BatchOptions::new().then(script.jobs(), &job(40))?;
        script.tracker.open_batch("night", &options).map(drop)
    }),
    whole("submit into the batch", |script| script.submit_to_night(30, &[], OnDependencyFailure::Wait)),
    whole("submit one that waits for it", |script| script.submit_to_night(31, &[30], OnDependencyFailure::Skip)),
    whole("submit together, each waits for the next", |script| {
        let after = |number| SubmitOptions::new().after(script.jobs(), job(number).name, OnDependencyFailure::Cancel);
        let mut group = script.tracker.group();
        group.add(script.jobs(), &job(33), &after(34))?;
        group.add(script.jobs(), &job(34), &after(30))?;
        group.submit().map(drop)
    }),
    whole("submit what waits for the batch", |script| {
        let night = script.night()?;
        let options = SubmitOptions::new().after_batch(&night, OnDependencyFailure::Run);
        script.jobs().submit_with(&job(32), &options).map(drop)
    }),
    whole("seal the batch", |script| script.night()?.seal()),
    whole("start the first of the batch", |script| script.start("first", 30)),
    whole("its success lets others start", |script| script.hand("first").succeed()),
    whole("start the last of the batch", |script| script.start("last", 31)),
    whole("its end is that of the batch", |script| script.hand("last").give_up("never")),
    whole("cancel what another one waits for", |script| script.jobs().cancel("job 34")),
    in_parts("submit visits", |script| script.visits.submit_all((0..7).map(visit)).map(drop)),
    whole("claim one without a limit", |script| script.visit("unlimited")),
    whole("claim one under a limit", |script| script.visit("limited")),
    whole("its failure frees the slot", |script| script.visiting("limited").fail("nobody there")),
    whole("claim past it", |script| script.visit("other")),
    whole("the rate holds back", |script| match script.visits.claim()? {
        None => Ok(()),
        Some(visit) => panic!("the fourth of an hour is {}", visit.number),
    }),
    whole("a visit succeeds", |script| script.visiting("unlimited").succeed()),
    whole("2 h pass", |script| script.pass(7_200)),
    whole("a claim frees what ran out, and its slot", |script| script.visit("late")),
    whole("a late visit succeeds", |script| script.visiting("late").succeed()),
    whole("set a budget", |script| script.tracker.set_budget("mem", 4)),
    in_parts("submit loads", |script| {
        script.loads.submit_all((0..).zip([3, 2, 1]).map(|(number, size)| Load { number, size })).map(drop)
    }),
    whole("claim a load", |script| script.load(0)),
    whole("claim past a load that does not fit", |script| script.load(2)),
    whole("the budget holds back", |script| match script.loads.claim()? {
        None => Ok(()),
        Some(load) => panic!("load {} starts above the budget", load.number),
    }),
    whole("raise the budget", |script| script.tracker.set_budget("mem", 6)),
    whole("claim the load that was overtaken", |script| script.load(1)),
    whole("the failure of a load returns its need", |script| script.loading(0).fail("no luck")),
    whole("a load succeeds", |script| script.loading(1).succeed()),
    whole("another load is given up", |script| script.loading(2).give_up("never")),
    whole("remove the budget", |script| match script.tracker.remove_budget("mem") {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }),
    whole("submit with a throttle", |script| script.submit_throttled(50)),
    whole("a throttled submit is dropped", |script| script.submit_throttled(51)),
    whole("add a schedule", |script| {
        let schedule = Schedule::dates([script.tracker.now() + TimeDelta::days(40_000)])?;
        let template = r#"{"name": "{id}", "host": "x", "key": 60, "etag": 0, "step": 0}"#;
        script.tracker.add_schedule("distant", "job", &schedule, template).map(drop)
    }),
    whole("run its job now", |script| script.schedule()?.run_now().map(drop)),
    whole("pause the schedule", |script| script.schedule()?.pause()),
    whole("resume the schedule", |script| script.schedule()?.resume()),
    in_parts("prune", |script| script.jobs().prune().map(drop)),
    in_parts("prune visits", |script| script.visits.prune().map(drop)),
    in_parts("remove the tasks of the batch", |script| {
        let night = script.night()?;
        script.jobs().query().batch(&night).remove().map(drop)
    }),
    whole("nothing is left of the batch", |script| {
        script.tracker.prune_batches(Duration::ZERO)?;
        Ok(())
    }),
    whole("remove the schedule", |script| match script.tracker.schedule("distant")? {
        Some(schedule) => schedule.remove(),
        None => Ok(()),
    }),
    in_parts("compact", |script| if script.is_file { script.tracker.compact().map(drop) } else { Ok(()) }),
    in_parts(LATER, |script| {
        script.hands.clear();
        script.visiting.clear();
        script.jobs = None;
        script.later = Some(script.tracker.tasks_as("job")?);
        Ok(())
    }),
    whole("the later program submits", |script| {
        let job = LaterJob { name: "late".into(), host: "x".into(), step: 1, key: 99, colour: Some("red".into()) };
        script.later.as_ref().map_or(Ok(()), |later| later.submit(&job).map(drop))
    }),
    whole("set the budget of a worker", |script| script.tracker.set_budget("seats", 4)),
    in_parts("submit chores", |script| {
        script.chores.submit_all((0..20).map(|number| Chore { number, done: false })).map(drop)
    }),
    // The last: how many commits it makes is up to chance, and the points before it have the same numbers each time.
    Step {
        name: "a worker works ahead",
        stored: Stored::ByWorker,
        act: |script| {
            let work = |chore: &mut Execution<Chore>| {
                chore.done = true;
                Ok::<_, io::Error>(())
            };
            script.chores.worker().prefetch(6).run(work).map(drop)
        },
    },
    in_parts("the end", |script| script.tracker.flush()),
];
