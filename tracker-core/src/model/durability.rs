//! `Durability` states whether a call waits for the flush of its commit. Set by users in `api/options` and `api/tasks/options`, kept by
//! `Engine`, read by `api/tasks/submit`; plain data.

/// When a call is answered: once it is on disk, or once it is queued.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tracker_core::{Submission, Tracker, file::Durability, submit::SubmitOptions};
///
/// let tracker = Tracker::in_memory()?;
/// let jobs = tracker.tasks::<Job>()?;
/// let relaxed = SubmitOptions::new().durability(Durability::Relaxed);
/// let receipt = jobs.submit_with(&job("one"), &relaxed)?;
/// assert_eq!(receipt.submission, Submission::Queued);
/// tracker.flush()?; // or wait for a tenth of a second
/// assert_eq!(jobs.counts()?.total(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Durability {
    /// Flushed to disk when the call returns.
    #[default]
    Durable,
    /// Queued when the call returns, in order with all other calls, and in a durable commit within 100 ms, or with the
    /// next one. A power loss or a kill before that loses it, and an error of it is logged, not returned.
    ///
    /// Progress is always relaxed. Claims and the ends of attempts never are.
    Relaxed,
}
