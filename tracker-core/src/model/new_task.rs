//! `NewTask`: a task that a submit brings, encoded and checked. Plain data; made by `api` and `portable`, read by the engine.

use crate::model::{
    task::TaskKey,
    throttle::Throttle,
    transition::{OnDependencyFailure, Submit},
};

/// A task to be submitted.
#[derive(Clone, Debug)]
pub(crate) struct NewTask {
    pub kind: u32,
    /// `None` where ids are generated.
    pub id: Option<TaskKey>,
    pub indexes: Vec<Vec<u8>>,
    pub uniques: Vec<Vec<u8>>,
    pub payload: Vec<u8>,
    pub submit: Submit,
    pub throttle: Option<Throttle>,
    /// Its dependencies, if it is new or starts again.
    pub dependencies: Vec<NewDependency>,
}

/// A dependency, and what happens to the dependent if it ends without success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewDependency {
    pub on: DependencyRef,
    pub on_failure: OnDependencyFailure,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DependencyRef {
    Task { kind: u32, id: TaskKey },
    Batch(u64),
}
