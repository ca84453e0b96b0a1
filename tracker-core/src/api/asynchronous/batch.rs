use super::calls;
use crate::{
    api::{
        batch::{Batch, BatchOptions},
        tracker::Tracker,
    },
    model::error::Result,
};

impl Tracker {
    /// [`Tracker::open_batch`] for async callers.
    ///
    /// # Errors
    /// As [`Tracker::open_batch`].
    pub async fn open_batch_async(&self, label: &str, options: &BatchOptions) -> Result<Batch> {
        let number = calls::queue(&self.shared, options.open(label)?).await?;
        Ok(Batch::new(&self.shared, number, label))
    }
}

/// For the calls about all tasks of a batch use `spawn_blocking`: they read and commit page by page.
impl Batch {
    /// [`Batch::seal`] for async callers.
    ///
    /// # Errors
    /// As [`Batch::seal`].
    pub async fn seal_async(&self) -> Result<()> {
        calls::queue(&self.shared, self.sealing(true)).await
    }

    /// [`Batch::reopen`] for async callers.
    ///
    /// # Errors
    /// As [`Batch::reopen`].
    pub async fn reopen_async(&self) -> Result<()> {
        calls::queue(&self.shared, self.sealing(false)).await
    }
}
