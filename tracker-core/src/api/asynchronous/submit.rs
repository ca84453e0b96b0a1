use std::borrow::Borrow;

use super::{calls, tasks::AsyncTasks};
use crate::{
    api::{
        batch::{Batch, BatchOptions},
        record::Record,
        tasks::{Receipt, Submission, SubmitAndGet, SubmitOptions, SubmitSummary},
    },
    model::{error::Result, task::TrackedTask},
};

impl<T: TrackedTask> AsyncTasks<T> {
    /// [`Tasks::submit`](crate::Tasks::submit) for async callers.
    ///
    /// # Errors
    /// As [`Tasks::submit`](crate::Tasks::submit).
    pub async fn submit(&self, task: &T) -> Result<Receipt> {
        self.submit_with(task, &SubmitOptions::default()).await
    }

    /// [`Tasks::submit_with`](crate::Tasks::submit_with) for async callers.
    ///
    /// # Errors
    /// As [`Tasks::submit_with`](crate::Tasks::submit_with).
    pub async fn submit_with(&self, task: &T, options: &SubmitOptions) -> Result<Receipt> {
        let (new, queued) = self.tasks.receipt(self.tasks.new_task_with(task, options)?, options);
        let engine = &self.tasks.shared.engine;
        engine.room().await;
        match queued {
            Some(receipt) => engine.post(new).map(|()| receipt),
            None => Ok(calls::queue(&self.tasks.shared, new).await?.into()),
        }
    }

    /// [`Tasks::submit_and_get`](crate::Tasks::submit_and_get) for async callers.
    ///
    /// # Errors
    /// As [`Tasks::submit_and_get`](crate::Tasks::submit_and_get).
    pub async fn submit_and_get(&self, task: &T) -> Result<(Submission, Record<T, T::Status>)> {
        self.submit_and_get_with(task, &SubmitOptions::default()).await
    }

    /// [`Tasks::submit_and_get_with`](crate::Tasks::submit_and_get_with) for async callers.
    ///
    /// # Errors
    /// As [`Tasks::submit_and_get_with`](crate::Tasks::submit_and_get_with).
    pub async fn submit_and_get_with(
        &self,
        task: &T,
        options: &SubmitOptions,
    ) -> Result<(Submission, Record<T, T::Status>)> {
        let submit = SubmitAndGet(self.tasks.new_task_with(task, options)?);
        self.tasks.shared.engine.room().await;
        let (submitted, task_rows) = calls::queue(&self.tasks.shared, submit).await?;
        Ok((Receipt::from(submitted).submission, Record::of::<T>(&*self.tasks.kind()?, task_rows)?))
    }

    /// [`Tasks::submit_all`](crate::Tasks::submit_all) for async callers. If the future is dropped, the parts that it has
    /// handed in are stored.
    ///
    /// # Errors
    /// As [`Tasks::submit_all`](crate::Tasks::submit_all).
    pub async fn submit_all<B: Borrow<T>>(&self, tasks: impl IntoIterator<Item = B>) -> Result<SubmitSummary> {
        self.submit_all_with(tasks, &SubmitOptions::default()).await
    }

    /// [`Tasks::submit_all_with`](crate::Tasks::submit_all_with) for async callers.
    ///
    /// # Errors
    /// As [`Tasks::submit_all_with`](crate::Tasks::submit_all_with).
    pub async fn submit_all_with<B: Borrow<T>>(
        &self,
        tasks: impl IntoIterator<Item = B>,
        options: &SubmitOptions,
    ) -> Result<SubmitSummary> {
        let shared = &self.tasks.shared;
        let mut summary = SubmitSummary::default();
        if options.ties() {
            for part in self.tasks.tied_parts(tasks, options) {
                shared.engine.room().await;
                let queued: Vec<_> = part?.into_iter().map(|new| calls::queue(shared, new)).collect();
                for submitted in queued {
                    summary.count(submitted.await?.told);
                }
            }
            return Ok(summary);
        }
        let mut on_its_way = None;
        for part in self.tasks.parts(tasks, options)? {
            shared.engine.room().await;
            if let Some(before) = on_its_way.replace(calls::queue(shared, part?)) {
                summary.add(before.await)?;
            }
        }
        if let Some(last) = on_its_way {
            summary.add(last.await)?;
        }
        Ok(summary)
    }

    /// [`Tasks::submit_batch`](crate::Tasks::submit_batch) for async callers.
    ///
    /// # Errors
    /// As [`Tasks::submit_batch`](crate::Tasks::submit_batch).
    pub async fn submit_batch<B: Borrow<T>>(
        &self,
        label: &str,
        tasks: impl IntoIterator<Item = B>,
        options: &BatchOptions,
    ) -> Result<Batch> {
        let shared = &self.tasks.shared;
        let batch = Batch::new(shared, calls::queue(shared, options.open(label)?).await?, label);
        self.submit_all_with(tasks, &SubmitOptions::new().batch(&batch)).await?;
        batch.seal_async().await?;
        Ok(batch)
    }
}
