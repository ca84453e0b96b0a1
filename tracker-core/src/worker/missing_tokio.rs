//! Names the feature `tokio` in the compiler's message if a call needs it. Compiled only without that feature; nothing calls it.

use crate::{api::tasks::Tasks, model::task::TrackedTask};

/// Has no implementation and cannot be named outside this crate, so that a call that requires it never compiles: the feature
/// only adds. The compiler prints the trait's name and no text of `diagnostic::on_unimplemented` for a method that exists
/// with unsatisfied bounds, so its name is the advice.
pub trait EnableFeatureTokio: TrackedTask {
    #[doc(hidden)]
    type Worker;

    #[doc(hidden)]
    fn worker(tasks: &Tasks<Self>) -> Self::Worker;
}

impl<T: TrackedTask> Tasks<T> {
    #[doc(hidden)]
    #[must_use]
    pub fn async_worker(&self) -> T::Worker
    where
        T: EnableFeatureTokio,
    {
        T::worker(self)
    }
}
