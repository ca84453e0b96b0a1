//! `BatchPage`: the counts of one batch, and a page of its tasks. Called by `routes`; reads the tracker.

use std::{collections::HashMap, time::Duration};

use tracker_core::{
    Tracker,
    batch::BatchInfo,
    chrono::{DateTime, Utc},
    dependency::TaskName,
    inspect::KindInfo,
};

use super::{Budget, UntypedRecord};
use crate::{
    failure::Failure,
    params::{Params, parse_id_param},
};

pub struct BatchPage {
    pub batch: BatchInfo,
    pub tasks: Vec<Member>,
    /// The last task of this page, if more follow.
    pub next: Option<TaskName>,
    pub now: DateTime<Utc>,
}

/// A task of the batch.
pub struct Member {
    pub name: TaskName,
    /// The task with its kind; `None` if it cannot be decoded or was deleted meanwhile.
    pub record: Option<(UntypedRecord, KindInfo)>,
}

/// The number of tasks on a page.
const PAGE: usize = 50;
/// After this time, a page ends with what it has read.
const BUDGET: Duration = Duration::from_millis(150);

impl BatchPage {
    pub fn read(tracker: &Tracker, params: &Params) -> Result<Self, Failure> {
        let label = params.get("label").ok_or_else(|| Failure::invalid("name a batch, as in batch?label=LABEL"))?;
        let batch = tracker.batch(label)?.ok_or_else(|| Failure::not_found(format!("there is no batch {label:?}")))?;
        let after = after(params)?;
        let mut names = batch.tasks_after(after.as_ref(), PAGE + 1)?;
        let mut has_more = names.len() > PAGE;
        names.truncate(PAGE);
        let (budget, mut kinds) = (Budget::new(BUDGET), HashMap::new());
        let mut tasks = Vec::with_capacity(names.len());
        for name in names {
            if budget.is_spent() && !tasks.is_empty() {
                has_more = true;
                break;
            }
            tasks.push(member(tracker, name, &mut kinds)?);
        }
        let next = tasks.last().filter(|_| has_more).map(|last: &Member| last.name.clone());
        Ok(Self { batch: batch.info()?, tasks, next, now: tracker.now() })
    }
}

/// The task after which the page begins.
fn after(params: &Params) -> Result<Option<TaskName>, Failure> {
    let (Some(kind), Some(id)) = (params.get("kind"), params.get("after")) else { return Ok(None) };
    let id = parse_id_param(id).ok_or_else(|| Failure::invalid("the link has an id that no task can have"))?;
    Ok(Some(TaskName::new(kind, id)))
}

fn member(tracker: &Tracker, name: TaskName, kinds: &mut HashMap<String, KindInfo>) -> Result<Member, Failure> {
    let tasks = tracker.untyped(&name.kind)?;
    let record = tasks.get(name.id.clone()).ok().flatten();
    let record = match record {
        Some(record) => {
            if !kinds.contains_key(&name.kind) {
                kinds.insert(name.kind.clone(), tasks.info()?);
            }
            kinds.get(&name.kind).map(|kind| (record, kind.clone()))
        }
        None => None,
    };
    Ok(Member { name, record })
}
