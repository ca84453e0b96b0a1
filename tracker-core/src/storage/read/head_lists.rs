//! Reads the head lists of kinds with several limits: what blocks a head, and the first due heads of a list. A class is the tasks with the same
//! limited values and needs, and its head the first of them for a status and a priority. Called by `engine/action/claim`,
//! `storage/write/head_lists`, `api/tasks/lookup`, `api/inspect/plan` and `maintenance/verify`; writes no row.

use crate::{
    model::{
        error::{Error, Result},
        kind::Kind,
        needs::{Candidate, MAX_OVERTAKES, ResourceUse},
        task::{IndexLimit, TaskKey, TaskRef},
        time::Micros,
        transition::LATEST,
    },
    storage::{
        keys::{self, ClaimKey, HeadList, HeadListKey},
        limit_class::{LimitClass, LimitedValue},
        order::order_keys,
        rows_of::amounts_of_key,
        tables::{Source, Tables},
    },
};

const TABLE: &str = "tracker.head_lists";

/// A later task of a limited value is about to start before the first one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Overtake {
    pub limit: u16,
    pub value: Vec<u8>,
    pub first: ClaimKey,
    pub amounts: Vec<u8>,
    /// How often it was overtaken before.
    pub times: u32,
}

/// The first due head of some heads, and when those of higher priorities are due.
#[derive(Debug, Default)]
pub(crate) struct FirstDue {
    pub due: Option<(ClaimKey, u32)>,
    pub later: Vec<ClaimKey>,
}

/// The stored key of a head in a list of a limited value.
pub(crate) fn listed_key(
    kind: &Kind,
    list: HeadList,
    limited: LimitedValue<'_>,
    amounts: &[u8],
    head: ClaimKey,
) -> Vec<u8> {
    let prefix = keys::head_list_prefix(kind.id, list, limited.limit, limited.value);
    keys::limit_queue_key(&[&prefix, amounts].concat(), head)
}

/// The value under which the ready list keeps its heads: that list is not divided by values.
pub(crate) const READY: LimitedValue<'static> = LimitedValue { limit: 0, value: &[] };

/// The parts of a key in the lists of class heads.
pub(crate) fn split_listed(key: &[u8]) -> Result<HeadListKey<'_>> {
    HeadListKey::split(key)
        .ok_or_else(|| Error::corrupted(TABLE, format_args!("key {key:02x?}"), "it has no claim key"))
}

impl<S: Source> Tables<S> {
    /// The first head of a list between two claim keys, both included.
    pub(crate) fn first_listed(
        &mut self,
        kind: &Kind,
        (list, value): (HeadList, LimitedValue<'_>),
        amounts: &[u8],
        (from, to): (ClaimKey, ClaimKey),
    ) -> Result<Option<(ClaimKey, u32)>> {
        let bounds = [from, to].map(|head| listed_key(kind, list, value, amounts, head));
        let [first, end] = &bounds;
        let mut rows = self.head_lists()?.range::<&[u8]>(first.as_slice()..=end.as_slice())?;
        let Some(row) = rows.next() else { return Ok(None) };
        let (key, times) = row?;
        let head = split_listed(key.value())?.head;
        if head < from || head > to {
            return Err(Error::corrupted(TABLE, head.task(), "the list is out of order"));
        }
        Ok(Some((head, times.value())))
    }

    /// The different amounts that the heads of a list need, each in its stored form. One empty amount in a kind without needs.
    pub(crate) fn listed_amounts(
        &mut self,
        kind: &Kind,
        list: HeadList,
        limited: LimitedValue<'_>,
    ) -> Result<Vec<Vec<u8>>> {
        if !kind.has_needs() {
            return Ok(vec![Vec::new()]);
        }
        let mut found: Vec<Vec<u8>> = Vec::new();
        let last_key = ClaimKey::last(kind.id, i32::MAX, u8::MAX);
        let end = listed_key(kind, list, limited, &vec![u8::MAX; 8 * kind.policy.needs.len()], last_key);
        let mut from = keys::head_list_prefix(kind.id, list, limited.limit, limited.value);
        loop {
            let mut rows = self.head_lists()?.range::<&[u8]>(from.as_slice()..end.as_slice())?;
            let Some(row) = rows.next() else { return Ok(found) };
            let amounts = split_listed(row?.0.value())?.amounts.to_vec();
            if found.last().is_some_and(|last| *last >= amounts) {
                return Err(Error::corrupted(TABLE, format_args!("kind {}", kind.id), "the list is out of order"));
            }
            from = listed_key(kind, list, limited, &amounts, last_key);
            found.push(amounts);
        }
    }

    /// The first due head of a list in a status. Reads one row per priority that is in use.
    pub(crate) fn first_due_listed(
        &mut self,
        kind: &Kind,
        list: (HeadList, LimitedValue<'_>),
        amounts: &[u8],
        code: i32,
        now: Micros,
    ) -> Result<FirstDue> {
        let mut found = FirstDue::default();
        let mut rank = Some(0);
        while let Some(first) = rank {
            let range = (ClaimKey::first(kind.id, code, first), ClaimKey::last(kind.id, code, u8::MAX));
            let Some((head, times)) = self.first_listed(kind, list, amounts, range)? else { break };
            if head.at <= now {
                found.due = Some((head, times));
                break;
            }
            if head.at <= LATEST {
                found.later.push(head);
            }
            rank = head.rank.checked_add(1);
        }
        Ok(found)
    }

    /// The class of a head.
    pub(crate) fn class_of_head(&mut self, kind: &Kind, head: ClaimKey) -> Result<LimitClass> {
        let row = self.limit_heads()?.get(&head.pack())?;
        let row = row.ok_or_else(|| Error::corrupted(TABLE, head.task(), "it is not the head of a class"))?;
        Ok(LimitClass::unpack(kind, row.value()))
    }

    /// Whether as many tasks with a value are in progress as may be.
    pub(crate) fn is_value_full(&mut self, kind: &Kind, limited: LimitedValue<'_>) -> Result<bool> {
        Ok(self.in_use(kind, &limited.in_use_key())? >= limited.most(kind))
    }

    /// The earlier task for which a value is reserved, if claims of the same pipeline step start both tasks.
    fn reserved_before(
        &mut self,
        kind: &Kind,
        limited: LimitedValue<'_>,
        claim_key: ClaimKey,
    ) -> Result<Option<TaskRef>> {
        for amounts in self.listed_amounts(kind, HeadList::Reserved, limited)? {
            for status in
                kind.graph.statuses().iter().filter(|status| starts_together(kind, status.code, claim_key.code))
            {
                let mut from = Some(ClaimKey::first(kind.id, status.code, 0));
                let end = ClaimKey::last(kind.id, status.code, u8::MAX);
                while let Some(first) = from {
                    let list = (HeadList::Reserved, limited);
                    let Some((reserved, _)) = self.first_listed(kind, list, &amounts, (first, end))? else { break };
                    if reserved.order() < claim_key.order() {
                        return Ok(Some(reserved.task()));
                    }
                    let next_rank = reserved.rank.checked_add(1);
                    from = next_rank.map(|rank| ClaimKey::first(kind.id, status.code, rank));
                }
            }
        }
        Ok(None)
    }

    /// Whether a value keeps a task with this claim key from starting: its limit is reached, or it is reserved for an earlier task.
    pub(crate) fn is_blocked_by(
        &mut self,
        kind: &Kind,
        limited: LimitedValue<'_>,
        claim_key: ClaimKey,
    ) -> Result<bool> {
        Ok(self.is_value_full(kind, limited)? || self.reserved_before(kind, limited, claim_key)?.is_some())
    }

    /// The first value of a class that keeps a task with this claim key from starting.
    pub(crate) fn blocking_value<'c>(
        &mut self,
        kind: &Kind,
        class: &'c LimitClass,
        claim_key: ClaimKey,
    ) -> Result<Option<LimitedValue<'c>>> {
        for limited in class.limited() {
            if self.is_blocked_by(kind, limited, claim_key)? {
                return Ok(Some(limited));
            }
        }
        Ok(None)
    }

    /// The limit per value of an index that keeps a waiting task from starting; if it is not reached, with the task for which the value is
    /// reserved.
    pub(crate) fn blocking_limit(
        &mut self,
        kind: &Kind,
        task: TaskRef,
    ) -> Result<Option<(IndexLimit, Option<TaskKey>)>> {
        if kind.policy.limits.is_empty() {
            return Ok(None);
        }
        let row = self.task_row(task)?;
        if !kind.has_limit_lists() {
            let reached = self.is_limit_reached(kind, &kind.limit_key(&row))?;
            let limit = kind.policy.limits.first().filter(|_| reached).cloned();
            return Ok(limit.map(|limit| (limit, None)));
        }
        let Some(header) = self.header(task)? else { return Ok(None) };
        let claim_key = order_keys(&kind.graph, task, &header).claim_order;
        let class = LimitClass::of(kind, &row.indexes);
        let Some(limited) = self.blocking_value(kind, &class, claim_key)? else { return Ok(None) };
        let full = self.is_value_full(kind, limited)?;
        let first = if full { None } else { self.reserved_before(kind, limited, claim_key)? };
        let reserved_for = first.map(|first| Ok::<_, Error>(self.task_row(first)?.id)).transpose()?;
        let limit = kind.policy.limits.get(usize::from(limited.limit)).cloned();
        Ok(limit.map(|limit| (limit, reserved_for)))
    }

    /// The first due tasks of the values of a class that the start of this head overtakes. Tasks that exceed a budget are left out.
    pub(crate) fn overtakes(
        &mut self,
        kind: &Kind,
        codes: &[i32],
        now: Micros,
        start: ClaimKey,
        resources: &[ResourceUse],
    ) -> Result<Vec<Overtake>> {
        let class = self.class_of_head(kind, start)?;
        let mut found = Vec::new();
        for limited in class.limited() {
            let mut first: Option<(ClaimKey, Vec<u8>, u32)> = None;
            for amounts in self.listed_amounts(kind, HeadList::Waiting, limited)? {
                let candidate = Candidate { task: start.task(), amounts: amounts_of_key(&amounts) };
                if candidate.exceeded(resources).is_some() {
                    continue;
                }
                for code in codes {
                    let due = self.first_due_listed(kind, (HeadList::Waiting, limited), &amounts, *code, now)?.due;
                    if let Some((head, times)) = due
                        && first.as_ref().is_none_or(|(first, ..)| head.order() < first.order())
                    {
                        first = Some((head, amounts.clone(), times));
                    }
                }
            }
            if let Some((first, amounts, times)) = first.filter(|(first, ..)| first.order() < start.order()) {
                let (limit, value) = (limited.limit, limited.value.to_vec());
                found.push(Overtake { limit, value, first, amounts, times });
            }
        }
        Ok(found)
    }

    /// Up to `most` reserved heads of a kind: the key and the needs of each.
    pub(crate) fn reserved_heads(&mut self, kind: &Kind, most: usize) -> Result<Vec<(Vec<u8>, Candidate)>> {
        let first = keys::head_lists_prefix(kind.id, HeadList::Reserved);
        let mut end = first.clone();
        if let Some(list) = end.last_mut() {
            *list += 1;
        }
        let mut found = Vec::new();
        for row in self.head_lists()?.range::<&[u8]>(first.as_slice()..end.as_slice())?.take(most) {
            let key = row?.0.value().to_vec();
            let parts = split_listed(&key)?;
            let candidate = Candidate { task: parts.head.task(), amounts: amounts_of_key(parts.amounts) };
            found.push((key, candidate));
        }
        Ok(found)
    }

    /// Whether some head of a kind is in the list of the blocked heads.
    pub(crate) fn has_blocked_heads(&mut self, kind: &Kind) -> Result<bool> {
        let [first, end] = [HeadList::Blocked, HeadList::Reserved].map(|list| keys::head_lists_prefix(kind.id, list));
        Ok(self.head_lists()?.range::<&[u8]>(first.as_slice()..end.as_slice())?.next().is_some())
    }
}

/// Whether tasks of two statuses start in claims of the same step.
fn starts_together(kind: &Kind, one: i32, other: i32) -> bool {
    // Claims of every step start from the further statuses of the policy.
    let starts_anywhere = |code: i32| kind.policy.startable.contains(&code);
    let steps = (0..).zip(kind.graph.steps()).map(|(step, _)| kind.graph.startable(step));
    let mut steps = steps;
    one == other
        || starts_anywhere(one)
        || starts_anywhere(other)
        || steps.any(|codes| codes.contains(&one) && codes.contains(&other))
}

/// Whether a head that was overtaken this often has its values reserved.
pub(crate) fn is_reserved(times: u32) -> bool {
    times >= MAX_OVERTAKES
}
