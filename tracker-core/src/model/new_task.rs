//! `NewTask` is a task to be submitted, encoded and checked. Made by `api` and `portable` with `model/codec`, read by `engine`, and stored
//! with a batch as its follow-up task; plain data.

use crate::model::{
    task::TaskKey,
    throttle::Throttle,
    transition::{OnDependencyFailure, Submit},
};

/// A task to be submitted.
#[derive(Clone, Debug)]
pub(crate) struct NewTask {
    pub kind: u32,
    /// `None` if ids are generated.
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
