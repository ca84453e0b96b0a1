//! Runs the background thread, which commits actions without a waiting caller. When the queue is idle, it commits with quick repair, which makes
//! the next open fast, and applies the retention. Answers the actions that it commits and calls log
//! subscribers, which may run user code. Started and stopped by `Engine`.

use std::{sync::Arc, thread, thread::JoinHandle};

use super::{Engine, commit_queue::BackgroundStep, leading::Leading};
use crate::model::{
    error::{Error, ErrorKind, Result},
    panics::catch_panic,
};

pub(super) fn start(engine: &Arc<Engine>) -> Result<JoinHandle<()>> {
    let engine = engine.clone();
    thread::Builder::new()
        .name("tracker-background".to_owned())
        .spawn(move || run(&engine))
        .map_err(|error| Error::caused(ErrorKind::Io, "the tracker's background thread could not be started", error))
}

fn run(engine: &Engine) {
    // A panic in one step does not end the thread.
    while catch_panic(|| step(engine)).unwrap_or(true) {}
}

/// Waits for the next step and runs it. False when the tracker closes.
fn step(engine: &Engine) -> bool {
    let quick_repair_due_in = || engine.commits.quick_repair_due_in().filter(|_| engine.database.is_repaired_at_open());
    let idle_work_due_in = || quick_repair_due_in().into_iter().chain(engine.retention.due_in()).min();
    match engine.queue.next_background_step(idle_work_due_in) {
        BackgroundStep::Lead => engine.lead(),
        BackgroundStep::Idle => {
            let leading = Leading::new(engine);
            if engine.retention.due_in().is_some_and(|left| left.is_zero()) {
                let effects = engine.apply_retention();
                drop(leading);
                Engine::log_runs(&effects);
            } else {
                engine.commit_with_quick_repair();
            }
        }
        BackgroundStep::Closed => return false,
    }
    true
}
