use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    Engine, account,
    action::{Action, GoOn},
    job::{Job, Pending},
    leading::Leading,
    writer::{Context, Effects, Writer},
};
use crate::{
    contain,
    disk::file::guard,
    error::{Error, ErrorKind, Result},
};

/// After this time without a commit, the next one makes opening after a crash instant; and if it did not, one is made
/// for that.
pub(super) const QUIET: Duration = Duration::from_millis(500);

/// The commits of this instance.
#[derive(Default)]
pub(super) struct Commits {
    made: AtomicU64,
    last: Mutex<Option<Last>>,
}

#[derive(Clone, Copy)]
struct Last {
    at: Instant,
    quick: bool,
}

impl Commits {
    /// The number of the next commit, and whether it should make the next open instant.
    fn begin(&self) -> (u64, bool) {
        let quick = self.last().is_none_or(|last| last.at.elapsed() >= QUIET);
        (self.made.fetch_add(1, Ordering::Relaxed) + 1, quick)
    }

    fn end(&self, quick: bool) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Last { at: Instant::now(), quick });
    }

    fn last(&self) -> Option<Last> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long until a commit should make opening after a crash instant; `None` where the last one did.
    pub(super) fn settles_in(&self) -> Option<Duration> {
        self.last().filter(|last| !last.quick).map(|last| QUIET.saturating_sub(last.at.elapsed()))
    }
}

impl Engine {
    /// Leads once: commits what is queued, answers, hands over.
    pub(super) fn lead(&self) {
        let leading = Leading::new(self);
        let mut jobs = self.queue.take();
        let mut effects = Vec::new();
        if let Err(panic) = contain::contain(|| self.commit_group(&mut jobs, &mut effects)) {
            let error = Error::outcome_unknown(&format!("a panic while committing: {panic}"));
            for job in &mut jobs {
                job.fail(&error);
            }
        }
        // Before the callers continue: a caller that has its answer finds the events published.
        for done in &effects {
            self.publish(done);
        }
        if effects.iter().all(|done| done.accounts.is_empty()) {
            jobs.into_iter().for_each(answer);
            return;
        }
        // A subscriber may block, or call the tracker: another thread leads by then. The callers are answered after
        // it, so that a start is in the log before its handler says anything.
        drop(leading);
        effects.iter().for_each(Self::account);
        jobs.into_iter().for_each(answer);
    }

    /// Commits the jobs together; where one of them spoils the transaction, one by one.
    fn commit_group(&self, jobs: &mut [Box<dyn Job>], effects: &mut Vec<Effects>) {
        match self.commit(jobs) {
            Ok(done) => effects.push(done),
            // What may be on disk must not be done a second time.
            Err(error) if jobs.len() == 1 || error.kind() == ErrorKind::OutcomeUnknown => {
                for job in jobs {
                    job.fail(&error);
                }
            }
            // One of them spoilt the transaction: each gets one of its own.
            Err(first) => {
                for job in jobs {
                    match self.commit(std::slice::from_mut(job)) {
                        Ok(done) => effects.push(done),
                        // The file is gone since then: why, the first error says.
                        Err(error) if error.kind() == ErrorKind::Closed => job.fail(&first),
                        Err(error) => job.fail(&error),
                    }
                }
            }
        }
    }

    fn commit(&self, jobs: &mut [Box<dyn Job>]) -> Result<Effects> {
        if jobs.is_empty() {
            return Ok(Effects::default());
        }
        self.write(|writer| {
            for job in jobs {
                let before = writer.writes();
                if !job.run(writer)
                    && let Some(error) = job.fatal(writer.writes() != before)
                {
                    return Err(error);
                }
            }
            Ok(())
        })
        .map(|((), effects)| effects)
    }

    /// Does one thing as the leader, and tells who watches.
    pub(super) fn write_for<A: Action>(&self, action: &A) -> Result<A::Out> {
        let (out, effects) = self.write(|writer| action.run(writer))?;
        Self::account(&effects);
        self.publish(&effects);
        Ok(out)
    }

    /// One write transaction of the leader's.
    fn write<R>(&self, work: impl FnOnce(&mut Writer<'_>) -> Result<R>) -> Result<(R, Effects)> {
        let (batch, quick) = self.commits.begin();
        let written = self.database.write(quick, (self.instance, batch), |txn| {
            guard("writing", || {
                let mut writer = self.writer(txn)?;
                let result = work(&mut writer)?;
                let (dirty, effects) = writer.finish(batch)?;
                Ok((dirty, (dirty, result, effects)))
            })
        });
        match written {
            Ok((dirty, result, effects)) => {
                if dirty {
                    self.commits.end(quick);
                }
                self.learn(&effects);
                Ok((result, effects))
            }
            Err(error) => Err(self.after(error)),
        }
    }

    /// A transaction of the caller's own, in his turn: `work` gets it with the writer.
    pub(super) fn write_own<R, E: From<Error>>(
        &self,
        work: impl FnOnce(&mut Writer<'_>) -> Result<R, E>,
    ) -> Result<(R, Effects), E> {
        let (batch, quick) = self.commits.begin();
        let written = self.database.write(quick, (self.instance, batch), |txn| {
            let mut writer = guard("writing", || self.writer(txn))?;
            let result = work(&mut writer)?;
            let (_, effects) = guard("writing", || writer.finish_marked(batch))?;
            Ok::<_, E>((true, (result, effects)))
        });
        let (result, effects) = written?;
        self.commits.end(quick);
        self.learn(&effects);
        Ok((result, effects))
    }

    /// Keeps what a transaction has found or made.
    fn learn(&self, effects: &Effects) {
        self.known.set(effects);
        effects.held.iter().for_each(|fence| self.held.add(*fence));
        if !effects.cancelled.is_empty() {
            effects.cancelled.iter().for_each(|fence| self.held.cancel(*fence));
            drop(contain::contain(|| self.held.cancels().raise()));
        }
        if let Some(kinds) = &effects.kinds {
            self.set_kinds(kinds.clone());
        }
    }

    fn writer<'t>(&self, txn: &'t redb::WriteTransaction) -> Result<Writer<'t>> {
        let context = Context {
            instance: self.instance,
            held: self.held.clone(),
            watched: self.watchers.any(),
            accounted: account::wanted(),
            known: self.known.get(),
        };
        Writer::begin(txn, context, &self.kinds(), |mark| self.time.now(mark))
    }

    /// After a storage error that was not a commit's, redb may need to be reopened.
    fn after(&self, error: Error) -> Error {
        if error.stops_a_batch() { self.database.recover(error) } else { error }
    }

    /// Tells the log.
    pub(super) fn account(effects: &Effects) {
        for account in &effects.accounts {
            contain::log(|| account.tell());
        }
    }

    /// Tells who waits or watches what is durable now.
    pub(super) fn publish(&self, effects: &Effects) {
        if effects.woke {
            // Wakers of async callers are foreign code.
            drop(contain::contain(|| self.signal.raise()));
        }
        if effects.untold
            && let Err(error) = self.queue.push_for_keeper(vec![Pending::unheard(GoOn)])
        {
            contain::log(
                || tracing::debug!(%error, "the tracker closes: the next one that opens the file tells the rest"),
            );
        }
        self.watchers.tell(&effects.events);
    }

    /// An empty commit that makes the next open instant.
    pub(super) fn settle(&self) {
        // It is reported when it is found; nothing is worth a commit then.
        if self.database.check_identity().is_err() {
            self.commits.end(true);
            return;
        }
        let (batch, _) = self.commits.begin();
        let settled = self.database.write::<(), Error>(true, (self.instance, batch), |_| Ok((true, ())));
        self.commits.end(true);
        if let Err(error) = settled {
            contain::log(|| tracing::warn!(%error, "the commit that makes opening quick failed"));
        }
    }
}

/// Answers a caller. The waker of an async caller is foreign code.
fn answer(job: Box<dyn Job>) {
    drop(contain::contain(|| job.answer()));
}

#[cfg(all(test, unix))]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use crate::{Tracker, error::ErrorKind};

    #[test]
    fn idle_commit_notices_a_lost_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jobs.redb");
        let tracker = Tracker::open(&path).unwrap();
        std::fs::rename(&path, path.with_extension("moved")).unwrap();
        tracker.shared.engine.settle();
        assert_eq!(tracker.flush().unwrap_err().kind(), ErrorKind::FileReplaced);
        std::fs::rename(path.with_extension("moved"), &path).unwrap();
        tracker.flush().unwrap();
        tracker.close().unwrap();
    }
}
