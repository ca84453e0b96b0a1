//! `FinishedAttempt` is the end of an attempt, kept until it is known to be stored and can be counted. Made by `kind_runner` and
//! `async_slot`, kept by `shared_dispatcher`, counted by `pool_state`; plain data.

use std::time::Duration;

use crate::{
    engine::FinishTask,
    model::{
        task::{TaskKey, TaskRef},
        transition::{Failure, Outcome, Owner},
    },
};

pub(super) struct FinishedAttempt {
    pub task: TaskRef,
    pub id: TaskKey,
    pub owner: Owner,
    pub outcome: Outcome,
    pub failure: Option<Failure>,
    pub panicked: bool,
    pub run: Duration,
}

impl FinishedAttempt {
    pub(super) fn new(action: &FinishTask, failure: Option<Failure>, panicked: bool, run: Duration) -> Self {
        let (task, id, owner) = (action.task, action.id.clone(), action.finish.owner);
        Self { task, id, owner, outcome: action.finish.outcome, failure, panicked, run }
    }
}
