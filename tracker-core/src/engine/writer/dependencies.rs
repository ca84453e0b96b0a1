//! Tasks that wait for others: who waits for whom is written when they are submitted, and told when those end.

use std::collections::HashSet;

use super::{Writer, batches::named, undo::Undo};
use crate::{
    model::{
        error::{Error, Reason, Result},
        kind::Kind,
        new_task::{DependencyRef, NewDependency},
        task::{TaskKey, TaskRef},
        transition::{Command, DependencyEffect, DependencyEnd, Header, OnDependencyFailure, ResolveDependency},
    },
    storage::{keys::DependencyKey, read::dependencies::PendingPropagation},
};

/// How many tasks hear of an end in its own commit, those included that end by hearing of it. More hear it in the commits
/// that follow, so many in each, with the calls of others between them.
const PIECE: usize = 1_000;
/// For how many others a task can wait.
const MOST: usize = 1_000;
/// How many tasks that wait for a task are looked at to find a circle.
const LOOKED_AT: usize = 10_000;

/// Ends of tasks and batches, on their way to those that wait for them.
pub(super) struct Propagation {
    about: TaskRef,
    /// What it is called in sentences; empty if that is still to be found out.
    name: String,
    news: DependencyEnd,
}

impl Propagation {
    pub(super) fn new(about: TaskRef, name: String, news: DependencyEnd) -> Self {
        Self { about, name, news }
    }

    /// Why a task is set aside that hears it.
    fn reason(&self) -> String {
        let name = &self.name;
        match self.news {
            DependencyEnd::Deleted => format!("it waited for {name}, which can succeed no more: it was deleted"),
            DependencyEnd::Failed(role) => format!("it waited for {name}, which is {role}"),
            DependencyEnd::Satisfied => format!("it waited for {name}"),
        }
    }
}

impl Writer<'_> {
    /// Has a task wait for others from now on, and for no one else. What has succeeded already is not waited for; what
    /// has ended otherwise has the consequence at once that was chosen.
    pub(crate) fn tie(&mut self, kind: &Kind, task: TaskRef, id: &TaskKey, needs: &[NewDependency]) -> Result<()> {
        if needs.len() > MOST {
            return Err(Error::invalid(format!("a task can wait for {MOST} others at most: wait for a batch instead")));
        }
        self.untie(task)?;
        let header = self.known(task)?;
        let refuse = |reason| kind.refuse(id.clone(), reason);
        let (mut others, mut aside) = (0, None);
        for tie in needs {
            let (target, what) = self.target(tie, &refuse)?;
            kind.rules(self.now).may_wait(&header, tie.otherwise).map_err(refuse)?;
            if self.waits_for(task, header.batch, &[target])?.is_some() {
                return Err(refuse(Reason::Cycle { what }));
            }
            let news = self.standing(target)?;
            let heard = news.map(|news| (news, tie.otherwise.hears(news)));
            if let Some((news, DependencyEffect { aside: Some(how), .. })) = heard {
                let reason = Propagation::new(target, what, news).reason();
                aside.get_or_insert((how, reason));
            }
            if heard.is_none_or(|(_, heard)| !heard.over) {
                let before = self.put_need(DependencyKey { from: task, to: target }, Some(tie.otherwise))?;
                others += u32::from(before.is_none());
                self.watch(target)?;
            }
        }
        self.decide(kind, task, Some(&header), &Command::Await { others }, None, id)?;
        if let Some((how, reason)) = aside {
            self.hear(task, DependencyEffect { over: false, aside: Some(how) }, reason)?;
        }
        Ok(())
    }

    /// The row of one that is to be waited for, and what it is called in sentences.
    fn target(&mut self, tie: &NewDependency, refuse: &impl Fn(Reason) -> Error) -> Result<(TaskRef, String)> {
        match &tie.on {
            DependencyRef::Task { kind, id } => {
                let kind = self.kind(*kind)?;
                let what = format!("{} \"{id}\"", kind.name);
                match self.rows.look_up(&kind, id)? {
                    Some(target) => Ok((target, what)),
                    None => Err(refuse(Reason::MissingDependency { what })),
                }
            }
            DependencyRef::Batch(number) => {
                let batch = self.rows.batch(*number)?;
                let what = || format!("the batch with the number {number}");
                let batch = batch.ok_or_else(|| refuse(Reason::MissingDependency { what: what() }))?;
                Ok((TaskRef::of_batch(*number), named(&batch.label)))
            }
        }
    }

    /// What is to be heard of a task or a batch now.
    fn standing(&mut self, target: TaskRef) -> Result<Option<DependencyEnd>> {
        if let Some(number) = target.batch() {
            return Ok(self.batch_now(number)?.news());
        }
        let header = self.known(target)?;
        Ok(DependencyEnd::of(self.kind(target.kind)?.rules(self.now).counts_as(&header)))
    }

    /// From now on others wait for it.
    pub(super) fn watch(&mut self, target: TaskRef) -> Result<()> {
        if let Some(number) = target.batch() {
            return self.watch_batch(number);
        }
        let header = self.known(target)?;
        if header.watched {
            return Ok(());
        }
        let (kind, id) = (self.kind(target.kind)?, self.rows.body_of(target)?.id);
        self.decide(&kind, target, Some(&header), &Command::SetWatched(true), None, &id)?;
        Ok(())
    }

    /// Which of `goals` waits for a task, or for the batch it is in: directly, through others, or by a task of its own.
    pub(super) fn waits_for(
        &mut self,
        task: TaskRef,
        batch: Option<u64>,
        goals: &[TaskRef],
    ) -> Result<Option<TaskRef>> {
        let mut seen: HashSet<TaskRef> = batch.map(TaskRef::of_batch).into_iter().chain([task]).collect();
        let mut open: Vec<TaskRef> = seen.iter().copied().collect();
        while let Some(node) = open.pop() {
            if goals.contains(&node) {
                return Ok(Some(node));
            }
            let (watched, batch) = match node.batch() {
                Some(number) => (self.batch_now(number)?.watched, None),
                None => self.header(node)?.map_or((false, None), |header| (header.watched, header.batch)),
            };
            let mut next: Vec<TaskRef> = batch.map(TaskRef::of_batch).into_iter().collect();
            if watched {
                next.extend(self.rows.dependents_of(node, None, LOOKED_AT)?.into_iter().map(|(waiter, _)| waiter));
            }
            open.extend(next.into_iter().filter(|node| seen.insert(*node)));
            if seen.len() > LOOKED_AT {
                return Err(Error::invalid(format!(
                    "more than {LOOKED_AT} tasks wait for the task or its batch: submit it before them, so that no circle need be looked for"
                )));
            }
        }
        Ok(None)
    }

    pub(super) fn put_need(
        &mut self,
        key: DependencyKey,
        otherwise: Option<OnDependencyFailure>,
    ) -> Result<Option<OnDependencyFailure>> {
        self.touch();
        let before = self.rows.put_need(key, otherwise)?;
        if let Some(undo) = &mut self.undo {
            undo.push(Undo::Dependency(key, before));
        }
        Ok(before)
    }

    /// Deletes what a task waits for.
    pub(super) fn untie(&mut self, task: TaskRef) -> Result<()> {
        for (target, _) in self.rows.dependencies_of(task, usize::MAX)? {
            self.put_need(DependencyKey { from: task, to: target }, None)?;
        }
        Ok(())
    }

    /// What a write of a task means for those it waits for and those that wait for it.
    pub(super) fn mark(
        &mut self,
        kind: &Kind,
        task: TaskRef,
        id: &TaskKey,
        old: Option<&Header>,
        new: Option<&Header>,
    ) -> Result<()> {
        let Some(old) = old else { return Ok(()) };
        if old.waits > 0 && new.is_none_or(|new| new.waits == 0) {
            self.untie(task)?;
        }
        if old.watched {
            let rules = kind.rules(self.now);
            let role = |header: &Header| rules.counts_as(header);
            if let Some(news) = DependencyEnd::between(Some(role(old)), new.map(role)) {
                self.propagations.push_back(Propagation::new(task, format!("{} \"{id}\"", kind.name), news));
            }
        }
        Ok(())
    }

    /// Tells all news that came up to those that wait for them; what is too much for one commit is left for the next.
    pub(super) fn spread(&mut self) -> Result<()> {
        // Whoever hears something and ends by that is told of by the same loop; what may be taken back is told when it
        // stands.
        if self.spreading || self.undo.is_some() || self.propagations.is_empty() {
            return Ok(());
        }
        self.spreading = true;
        let result = self.spread_until(PIECE);
        self.spreading = false;
        result
    }

    fn spread_until(&mut self, mut left: usize) -> Result<()> {
        while let Some(propagations) = self.propagations.pop_front() {
            let older = self.rows.untold_of(propagations.about)?;
            let news = older.map_or(propagations.news, |older| older.news.and(propagations.news));
            let untold =
                PendingPropagation { about: propagations.about, news, before: self.file_state.next_seq, beyond: None };
            self.propagate_pending(untold, &propagations.name, older.is_some(), &mut left)?;
        }
        Ok(())
    }

    /// Goes on telling what was too much for one commit; says whether there was anything.
    pub(crate) fn go_on(&mut self) -> Result<()> {
        let mut left = PIECE;
        self.spreading = true;
        while left > 0
            && let Some(untold) = self.rows.untold()?
        {
            let name = self.name(untold.about)?;
            self.propagate_pending(untold, &name, true, &mut left)?;
        }
        self.spread_until(left)?;
        self.spreading = false;
        Ok(())
    }

    fn name(&mut self, about: TaskRef) -> Result<String> {
        if let Some(number) = about.batch() {
            return Ok(self.rows.batch(number)?.map_or("a batch".to_owned(), |batch| named(&batch.label)));
        }
        let kind = self.kind(about.kind)?;
        let id = self.rows.body(about)?.map(|body| body.id);
        Ok(id.map_or_else(|| format!("a {}", kind.name), |id| format!("{} \"{id}\"", kind.name)))
    }

    /// Tells news to as many as `left` says. What remains is stored.
    fn propagate_pending(
        &mut self,
        mut untold: PendingPropagation,
        name: &str,
        stored: bool,
        left: &mut usize,
    ) -> Result<()> {
        let propagations = Propagation::new(untold.about, name.to_owned(), untold.news);
        let waiting = self.rows.dependents_of(untold.about, untold.beyond, left.saturating_add(1))?;
        let more = waiting.len() > *left;
        for (waiter, otherwise) in waiting.into_iter().take(*left) {
            *left -= 1;
            untold.beyond = Some(waiter);
            let heard = otherwise.hears(untold.news);
            if waiter.seq >= untold.before || heard == DependencyEffect::NOTHING {
                continue;
            }
            if heard.over {
                self.put_need(DependencyKey { from: waiter, to: untold.about }, None)?;
            }
            self.hear(waiter, heard, propagations.reason())?;
        }
        if more {
            self.touch();
            self.rows.put_untold(untold)?;
            self.effects.propagation_pending = true;
        } else if stored {
            self.touch();
            self.rows.remove_untold(untold.about)?;
        }
        Ok(())
    }

    /// A task that comes from elsewhere hears that one is deleted for which it waited there.
    #[cfg(feature = "json")]
    pub(crate) fn miss(&mut self, waiter: TaskRef, otherwise: OnDependencyFailure) -> Result<()> {
        let heard = DependencyEffect { over: false, ..otherwise.hears(DependencyEnd::Deleted) };
        if heard == DependencyEffect::NOTHING {
            return Ok(());
        }
        let name = "a task of the file it comes from".to_owned();
        self.hear(waiter, heard, Propagation::new(waiter, name, DependencyEnd::Deleted).reason())
    }

    fn hear(&mut self, waiter: TaskRef, heard: DependencyEffect, reason: String) -> Result<()> {
        let (kind, header) = (self.kind(waiter.kind)?, self.known(waiter)?);
        let id = self.rows.body_of(waiter)?.id;
        let fence = if heard.aside.is_some() { self.take_fence()? } else { 0 };
        let command = Command::ResolveDependency(ResolveDependency { heard, fence, reason });
        self.decide(&kind, waiter, Some(&header), &command, None, &id)?;
        Ok(())
    }
}
