//! Derives on types with type and const parameters, bounds and where clauses.
use std::{fmt::Debug, marker::PhantomData};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tracker_core::{
    TaskStatus, TrackedTask,
    task::{IndexValue, TaskId},
};

#[derive(TaskStatus, Clone, Copy)]
enum JobStatus {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
}

#[derive(TrackedTask, Serialize, Deserialize)]
#[task(status = JobStatus, unique(key, extra))]
#[serde(bound(deserialize = "K: DeserializeOwned, P: DeserializeOwned"))]
struct Job<K: Clone, P, const N: usize = 1>
where
    P: Debug,
{
    #[task(id)]
    key: K,
    #[task(index, fingerprint)]
    extra: Option<K>,
    #[task(fingerprint)]
    payload: Vec<P>,
}

#[derive(TrackedTask, Serialize, Deserialize)]
#[task(id = uuid, status = S)]
struct WithMarker<S: TaskStatus> {
    #[serde(skip)]
    marker: PhantomData<S>,
}

fn of_all<K, P>(key: K, payload: P) -> Job<K, P>
where
    K: Clone + TaskId + IndexValue + Serialize + DeserializeOwned + Send + 'static,
    P: Debug + Serialize + DeserializeOwned + Send + 'static,
{
    let job = Job { key, extra: None, payload: vec![payload] };
    assert!(job.task_id().is_some());
    job
}

#[test]
fn generic_task_derives_with_bounds() {
    assert_eq!(of_all(5, "text".to_owned()).task_id(), Some(5.to_key()));
    assert_eq!(of_all("five".to_owned(), 5).unique_values().len(), 1);
    assert_eq!(WithMarker::<JobStatus> { marker: PhantomData }.task_id(), None);
}
