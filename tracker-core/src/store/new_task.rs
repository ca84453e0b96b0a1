use crate::{
    rules::{Otherwise, Submit},
    task::TaskKey,
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
    /// What it waits for, where it is new or starts again.
    pub needs: Vec<Tie>,
}

/// One that a task waits for, and what becomes of it if that one ends without success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tie {
    pub on: TieOn,
    pub otherwise: Otherwise,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TieOn {
    Task { kind: u32, id: TaskKey },
    Batch(u64),
}
