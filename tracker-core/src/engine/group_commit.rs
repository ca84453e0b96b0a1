//! Runs the queued actions in one transaction on the thread of the leader, or each in its own if that one is rolled back. Commits, publishes the
//! effects and answers the callers. Called by `engine/calls`, `background`, `retention`, `user_transaction`, `api/store`, and by `Engine` when it
//! closes; reads and writes the database, and calls user code: transactions, clocks, log subscribers, metrics recorders and wakers.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    Engine,
    action::{Action, Propagate},
    conflict_retry::ConflictRetry,
    database::{WriteOutcome, store_time},
    leading::Leading,
    queued_action::{PendingAction, QueuedAction},
    run_log,
    writer::{CommitEffects, Context, Writer},
};
use crate::{
    model::{
        error::{Error, ErrorKind, Result},
        panics,
    },
    storage::{
        file::catch_redb_panic,
        read::expected_rows::ExpectedRows,
        store::{StoreUnit, Want},
        tables::Writing,
    },
};

/// After this time without a commit, the next commit uses the quick repair of redb: it stores what an open after a crash would otherwise
/// compute from the whole file. If the last commit did not use it, an empty commit does.
pub(super) const IDLE_AFTER: Duration = Duration::from_millis(500);

/// The commits of this instance.
#[derive(Default)]
pub(super) struct Commits {
    made: AtomicU64,
    last: Mutex<Option<LastCommit>>,
}

#[derive(Clone, Copy)]
struct LastCommit {
    at: Instant,
    quick_repair: bool,
}

impl Commits {
    /// The number of the next commit, and whether it should use the quick repair.
    fn begin(&self) -> (u64, bool) {
        let quick_repair = self.last().is_none_or(|last| last.at.elapsed() >= IDLE_AFTER);
        (self.made.fetch_add(1, Ordering::Relaxed) + 1, quick_repair)
    }

    fn end(&self, quick_repair: bool) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(LastCommit { at: Instant::now(), quick_repair });
    }

    fn last(&self) -> Option<LastCommit> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long until a commit with quick repair is due; `None` if the last one was such a commit.
    pub(super) fn quick_repair_due_in(&self) -> Option<Duration> {
        self.last().filter(|last| !last.quick_repair).map(|last| IDLE_AFTER.saturating_sub(last.at.elapsed()))
    }
}

impl Engine {
    /// Leads once: commits what is queued, answers, hands over.
    pub(super) fn lead(&self) {
        let leading = Leading::new(self);
        let mut actions = self.queue.take();
        let mut effects = Vec::new();
        if let Err(panic) = panics::catch_panic(|| self.commit_group(&mut actions, &mut effects)) {
            let error = Error::outcome_unknown(&format!("a panic while committing: {panic}"));
            for action in &mut actions {
                action.fail(&error);
            }
        }
        // Published before the callers continue, so that a caller that has its answer finds the events published.
        for done in &effects {
            self.publish(done);
        }
        if effects.iter().all(|done| done.run_log.is_empty()) {
            actions.into_iter().for_each(answer);
            return;
        }
        // A log subscriber may block or call the tracker, so the lead is handed over first. The callers are answered after the log, so
        // that a start is logged before its handler runs.
        drop(leading);
        effects.iter().for_each(Self::log_runs);
        actions.into_iter().for_each(answer);
    }

    /// Commits the actions together. If their transaction is rolled back, each action gets a transaction of its own.
    fn commit_group(&self, actions: &mut [Box<dyn QueuedAction>], effects: &mut Vec<CommitEffects>) {
        match self.commit(actions) {
            Ok(done) => effects.push(done),
            // An action that may be on disk must not run again.
            Err(error) if actions.len() == 1 || error.kind() == ErrorKind::OutcomeUnknown => {
                for action in actions {
                    action.fail(&error);
                }
            }
            Err(first) => {
                for action in actions {
                    match self.commit(std::slice::from_mut(action)) {
                        Ok(done) => effects.push(done),
                        // The first error is the reason why the file was closed.
                        Err(error) if error.kind() == ErrorKind::Closed => action.fail(&first),
                        Err(error) => action.fail(&error),
                    }
                }
            }
        }
    }

    fn commit(&self, actions: &mut [Box<dyn QueuedAction>]) -> Result<CommitEffects> {
        if actions.is_empty() {
            return Ok(CommitEffects::default());
        }
        let mut retry = ConflictRetry::default();
        loop {
            let wants = self.wants(actions.iter().map(|action| &**action));
            let committed = self.write(&wants, |writer| {
                for action in &mut *actions {
                    let before = writer.writes();
                    if !action.run(writer)
                        && let Some(error) = action.rollback_error(writer.writes() != before)
                    {
                        return Err(error);
                    }
                }
                Ok(())
            });
            match committed {
                Err(error) if retry.should_retry(&error) => {}
                committed => return committed.map(|((), effects)| effects),
            }
        }
    }

    /// Runs one action as the leader and publishes its effects. The caller logs them with [`Self::log_runs`] once it has
    /// handed over the lead, because a log subscriber may block.
    pub(super) fn write_for<A: Action>(&self, action: &A) -> Result<(A::Out, CommitEffects)> {
        let mut retry = ConflictRetry::default();
        loop {
            match self.write(&[], |writer| action.run(writer)) {
                Err(error) if retry.should_retry(&error) => {}
                Err(error) => return Err(error),
                Ok((out, effects)) => {
                    self.publish(&effects);
                    return Ok((out, effects));
                }
            }
        }
    }

    /// The rows that a store loads before the actions run.
    fn wants<'a>(&self, actions: impl Iterator<Item = &'a dyn QueuedAction>) -> Vec<Want> {
        if !matches!(self.database.store(), Ok(Some(_))) {
            return Vec::new();
        }
        let (kinds, now) = (self.kinds(), self.now());
        let mut rows = ExpectedRows::default();
        actions.for_each(|action| action.expect_rows(&kinds, now, &mut rows));
        rows.wants()
    }

    /// Runs one write transaction of the leader. In a store, it begins with the wanted rows.
    fn write<R>(&self, wants: &[Want], work: impl FnOnce(&mut Writer<'_>) -> Result<R>) -> Result<(R, CommitEffects)> {
        let (batch, quick_repair) = self.commits.begin();
        let written = self.database.write(quick_repair, (self.instance, batch), wants, |source| {
            catch_redb_panic("writing", || {
                let mut writer = self.writer(source)?;
                let result = work(&mut writer)?;
                let (dirty, effects) = writer.finish(batch)?;
                Ok((dirty, (dirty, result, effects)))
            })
        });
        match written {
            Ok(WriteOutcome { result: (dirty, result, mut effects), change }) => {
                effects.see_change(change);
                if dirty {
                    self.commits.end(quick_repair);
                    #[cfg(feature = "metrics")]
                    self.metrics.count_commit();
                }
                self.update_memory(&effects);
                Ok((result, effects))
            }
            Err(error) => Err(self.reopen_after(error)),
        }
    }

    /// Runs a user transaction, which commits in any case unless `work` fails.
    pub(super) fn write_user_transaction<R, E: From<Error>>(
        &self,
        work: impl FnOnce(&mut Writer<'_>) -> Result<R, E>,
    ) -> Result<(R, CommitEffects), E> {
        let (batch, quick_repair) = self.commits.begin();
        let commit = (self.instance, batch);
        let written =
            self.database.write(quick_repair, commit, &[], |source| self.run_user_transaction(source, batch, work));
        let WriteOutcome { result: (result, mut effects), change } = written?;
        effects.see_change(change);
        self.commits.end(quick_repair);
        #[cfg(feature = "metrics")]
        self.metrics.count_commit();
        self.update_memory(&effects);
        Ok((result, effects))
    }

    /// [`Self::write_user_transaction`] in a unit of work that its owner commits after this call.
    pub(super) fn write_in_unit<R, E: From<Error>>(
        &self,
        unit: Box<dyn StoreUnit>,
        work: impl FnOnce(&mut Writer<'_>) -> Result<R, E>,
    ) -> Result<(R, CommitEffects), E> {
        let (batch, _) = self.commits.begin();
        let commit = (self.instance, batch);
        self.database.write_in(unit, commit, |source| self.run_user_transaction(source, batch, work))
    }

    fn run_user_transaction<R, E: From<Error>>(
        &self,
        source: Writing<'_>,
        batch: u64,
        work: impl FnOnce(&mut Writer<'_>) -> Result<R, E>,
    ) -> Result<(bool, (R, CommitEffects)), E> {
        let mut writer = catch_redb_panic("writing", || self.writer(source))?;
        let result = work(&mut writer)?;
        let (_, effects) = catch_redb_panic("writing", || writer.finish_as_dirty(batch))?;
        Ok((true, (result, effects)))
    }

    /// Updates the state in memory after a commit.
    fn update_memory(&self, effects: &CommitEffects) {
        self.cross_process.set_known(effects.change);
        self.update_held_leases(effects);
        if let Some(kinds) = &effects.kinds {
            self.set_kinds(kinds.clone());
        }
    }

    fn update_held_leases(&self, effects: &CommitEffects) {
        effects.held.iter().for_each(|fence| self.held.add(*fence));
        if !effects.cancelled.is_empty() {
            effects.cancelled.iter().for_each(|fence| self.held.cancel(*fence));
            self.held.cancels().raise();
        }
    }

    /// Updates the held leases and publishes the effects of a unit of work that its owner has committed. The change number of that commit is not
    /// known, so that the next check of the store finds a change.
    pub(crate) fn publish_committed(&self, effects: &CommitEffects) {
        self.update_held_leases(effects);
        self.publish(effects);
        Self::log_runs(effects);
    }

    fn writer<'t>(&self, source: Writing<'t>) -> Result<Writer<'t>> {
        let context = Context {
            instance: self.instance,
            held: self.held.clone(),
            is_subscribed: self.subscribers.any(),
            lists_ends: self.lists_ends(),
            run_log_enabled: run_log::enabled_level(),
            known: self.cross_process.known(),
        };
        Writer::begin(source, context, &self.kinds(), |clock_floor| match store_time(source) {
            Some(now) => self.time.follow(now),
            None => self.time.now(clock_floor),
        })
    }

    /// Reopens redb after an error of the storage, if the error requires it.
    fn reopen_after(&self, error: Error) -> Error {
        if error.stops_a_batch() { self.database.recover(error) } else { error }
    }

    /// Writes the events of runs to the log.
    pub(super) fn log_runs(effects: &CommitEffects) {
        for event in &effects.run_log {
            panics::log_catching_panics(|| event.log());
        }
    }

    /// Wakes waiting claims and publishes events, now that the changes are durable.
    pub(super) fn publish(&self, effects: &CommitEffects) {
        if effects.may_start || effects.others_committed {
            self.signal.raise();
        }
        if effects.propagation_pending
            && let Err(error) = self.queue.push_for_background(vec![PendingAction::discarding(Propagate)])
        {
            panics::log_catching_panics(
                || tracing::debug!(%error, "the tracker closes: the next one that opens the file continues the propagation"),
            );
        }
        #[cfg(feature = "metrics")]
        self.metrics.add(&effects.counted, &self.kinds());
        self.publish_ends(&effects.ends);
        self.subscribers.publish(&effects.events);
    }

    /// Commits nothing, with quick repair.
    pub(super) fn commit_with_quick_repair(&self) {
        // `check_identity` has logged it. A lost file needs no commit.
        if self.database.check_identity().is_err() {
            self.commits.end(true);
            return;
        }
        let (batch, _) = self.commits.begin();
        let committed = self.database.write::<_, Error>(true, (self.instance, batch), &[], |_| Ok((true, ())));
        self.commits.end(true);
        if let Err(error) = committed {
            panics::log_catching_panics(|| tracing::warn!(%error, "the commit that makes opening quick failed"));
        }
    }
}

/// Answers a caller. The waker of an async caller is foreign code.
fn answer(action: Box<dyn QueuedAction>) {
    drop(panics::catch_panic(|| action.answer()));
}

#[cfg(all(test, unix))]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use crate::{Tracker, model::error::ErrorKind};

    #[test]
    fn idle_commit_notices_a_lost_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("actions.redb");
        let tracker = Tracker::open(&path).unwrap();
        std::fs::rename(&path, path.with_extension("moved")).unwrap();
        tracker.shared.engine.commit_with_quick_repair();
        assert_eq!(tracker.flush().unwrap_err().kind(), ErrorKind::FileReplaced);
        std::fs::rename(path.with_extension("moved"), &path).unwrap();
        tracker.flush().unwrap();
        tracker.close().unwrap();
    }
}
