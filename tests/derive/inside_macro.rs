//! Derives on an enum and a struct that a `macro_rules!` macro writes, with its arguments in the attributes.
use serde::{Deserialize, Serialize};
use tracker_core::{TaskStatus, TrackedTask};

macro_rules! job {
    ($status:ident, $task:ident, $ty:ty, $path:path, $kind:literal, $base:expr, $failed:literal) => {
        #[derive(TaskStatus, Clone, Copy)]
        enum $status {
            Pending = $base,
            InProgress = -20,
            Failed = $failed,
            Succeeded = 40,
        }

        #[derive(TrackedTask, Serialize, Deserialize)]
        #[task(status = $path, name = $kind, max_attempts = $failed, lease = $kind)]
        struct $task {
            #[task(id)]
            id: $ty,
        }
    };
}

job!(JobStatus, Job, u64, JobStatus, "5m", 10, 30);

#[test]
fn derive_works_inside_a_macro() {
    assert_eq!(JobStatus::Failed.code(), 30);
    assert_eq!(Job::KIND, "5m");
    assert_eq!(Job::policy().max_attempts, Some(30));
}
