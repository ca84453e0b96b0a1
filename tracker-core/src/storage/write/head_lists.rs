//! Writes the lists of class heads, in kinds with several limits. A head is the first task of its class; its values are the values of the
//! limited fields, and its amounts are its needs. Called by `concurrency_limit` for each changed task, by `engine/action/claim` and by
//! `engine/writer/rebuild`; writes `tracker.head_lists`.
//!
//! Each head is ready, or blocked by one of its values. Claims read the ready heads, and move those that a value blocks by now to the
//! blocked list of that value. When the value has room again, its first blocked head becomes ready. The next one follows when a ready head
//! of the value is removed. So no call moves all heads of a value, and the first head that may start is ready, or comes after a ready head
//! of its value that a claim reads first.

use crate::{
    model::{
        error::Result,
        kind::Kind,
        needs::{Candidate, ResourceUse},
        time::Micros,
    },
    storage::{
        keys::{ClaimKey, HeadList},
        limit_class::{LimitClass, LimitedValue},
        read::{
            head_lists::{Overtake, READY, is_reserved, listed_key, split_listed},
            needs::QueueHeads,
        },
        rows_of::amounts_of_key,
        tables::{Tables, Writing},
    },
};

impl Tables<Writing<'_>> {
    /// Adds a new head of a class to the lists.
    pub(super) fn list_head(&mut self, kind: &Kind, head: ClaimKey, class: &LimitClass) -> Result<()> {
        for limited in class.limited() {
            self.put_listed(kind, HeadList::Waiting, limited, &class.amounts, head)?;
        }
        match self.blocking_value(kind, class, head)? {
            Some(limited) => self.put_listed(kind, HeadList::Blocked, limited, &class.amounts, head),
            None => self.put_listed(kind, HeadList::Ready, READY, &class.amounts, head),
        }
    }

    /// Removes a former head of its class from the lists. Its reservations end.
    pub(super) fn unlist_head(&mut self, kind: &Kind, head: ClaimKey, class: &LimitClass) -> Result<()> {
        let was_ready = self.remove_listed(kind, HeadList::Ready, READY, &class.amounts, head)?.is_some();
        let mut unreserved = Vec::new();
        for limited in class.limited() {
            self.remove_listed(kind, HeadList::Waiting, limited, &class.amounts, head)?;
            self.remove_listed(kind, HeadList::Blocked, limited, &class.amounts, head)?;
            if self.remove_listed(kind, HeadList::Reserved, limited, &class.amounts, head)?.is_some() {
                unreserved.push(limited);
            }
        }
        for limited in class.limited() {
            if unreserved.contains(&limited) {
                self.release_heads(kind, limited)?;
            } else if was_ready {
                self.release_first(kind, limited, &class.amounts, head)?;
            }
        }
        Ok(())
    }

    /// Makes the first head ready that a value blocks, for each amounts, status and priority. Called when the value has room again.
    pub(super) fn release_heads(&mut self, kind: &Kind, limited: LimitedValue<'_>) -> Result<()> {
        for amounts in self.listed_amounts(kind, HeadList::Blocked, limited)? {
            let mut from = Some(ClaimKey::first(kind.id, i32::MIN, 0));
            while let Some(first) = from {
                let range = (first, ClaimKey::last(kind.id, i32::MAX, u8::MAX));
                let Some((head, _)) = self.first_listed(kind, (HeadList::Blocked, limited), &amounts, range)? else {
                    break;
                };
                self.release_first(kind, limited, &amounts, head)?;
                from = match (head.rank.checked_add(1), head.code.checked_add(1)) {
                    (Some(rank), _) => Some(ClaimKey::first(kind.id, head.code, rank)),
                    (None, Some(code)) => Some(ClaimKey::first(kind.id, code, 0)),
                    (None, None) => None,
                };
            }
        }
        Ok(())
    }

    /// Makes the first head ready that a value blocks and that has these amounts and the status and priority of `like`. Does nothing if the
    /// value has no room.
    fn release_first(&mut self, kind: &Kind, limited: LimitedValue<'_>, amounts: &[u8], like: ClaimKey) -> Result<()> {
        let range = (ClaimKey::first(kind.id, like.code, like.rank), ClaimKey::last(kind.id, like.code, like.rank));
        let first = self.first_listed(kind, (HeadList::Blocked, limited), amounts, range)?;
        let Some((head, _)) = first else { return Ok(()) };
        if !self.is_blocked_by(kind, limited, head)? {
            self.remove_listed(kind, HeadList::Blocked, limited, amounts, head)?;
            self.put_listed(kind, HeadList::Ready, READY, amounts, head)?;
        }
        Ok(())
    }

    /// Moves a ready head to the blocked list of the value that blocks it. The next heads of its other values become ready in its place.
    fn block(&mut self, kind: &Kind, head: ClaimKey, class: &LimitClass, at: LimitedValue<'_>) -> Result<()> {
        self.remove_listed(kind, HeadList::Ready, READY, &class.amounts, head)?;
        self.put_listed(kind, HeadList::Blocked, at, &class.amounts, head)?;
        for limited in class.limited().filter(|limited| *limited != at) {
            self.release_first(kind, limited, &class.amounts, head)?;
        }
        Ok(())
    }

    /// The first due heads of these statuses that no value blocks, one for each amounts. Moves those that a value blocks to its blocked list,
    /// at most `moves`; `None` if there are more of them.
    pub(crate) fn unblocked_heads(
        &mut self,
        kind: &Kind,
        codes: &[i32],
        now: Micros,
        moves: &mut usize,
    ) -> Result<Option<QueueHeads>> {
        let mut due: Vec<(ClaimKey, Candidate)> = Vec::new();
        let mut heads = QueueHeads::default();
        let list = (HeadList::Ready, READY);
        for amounts in self.listed_amounts(kind, HeadList::Ready, READY)? {
            let candidate = |head: ClaimKey| Candidate { task: head.task(), amounts: amounts_of_key(&amounts) };
            for code in codes {
                let later = loop {
                    let found = self.first_due_listed(kind, list, &amounts, *code, now)?;
                    let Some((head, _)) = found.due else { break found.later };
                    let class = self.class_of_head(kind, head)?;
                    let Some(blocking) = self.blocking_value(kind, &class, head)? else {
                        due.push((head, candidate(head)));
                        break found.later;
                    };
                    if *moves == 0 {
                        return Ok(None);
                    }
                    *moves -= 1;
                    self.block(kind, head, &class, blocking)?;
                };
                heads.later.extend(later.into_iter().map(|head| (head.at, candidate(head))));
            }
        }
        due.sort_unstable_by_key(|(head, _)| head.order());
        heads.due = due.into_iter().map(|(_, candidate)| candidate).collect();
        Ok(Some(heads))
    }

    /// Counts that later tasks have started before these. A value is reserved for a task that was overtaken too often.
    pub(crate) fn count_overtakes(&mut self, kind: &Kind, overtakes: &[Overtake]) -> Result<()> {
        for Overtake { limit, value, first, amounts, times } in overtakes {
            let limited = LimitedValue { limit: *limit, value };
            let key = listed_key(kind, HeadList::Waiting, limited, amounts, *first);
            let times = times.saturating_add(1);
            if self.head_lists()?.get(key.as_slice())?.is_some() {
                self.head_lists()?.insert(key.as_slice(), times)?;
                if is_reserved(times) {
                    self.put_listed(kind, HeadList::Reserved, limited, amounts, *first)?;
                }
            }
        }
        Ok(())
    }

    /// Ends the reservations for tasks that exceed a budget. Answers whether there were any.
    pub(crate) fn end_reservations(&mut self, kind: &Kind, resources: &[ResourceUse]) -> Result<bool> {
        let reserved = self.reserved_heads(kind, RESERVATIONS)?;
        let exceeding = reserved.into_iter().filter(|(_, candidate)| candidate.exceeded(resources).is_some());
        let mut ended = false;
        for (key, _) in exceeding {
            let parts = split_listed(&key)?;
            let limited = LimitedValue { limit: parts.limit, value: parts.value };
            self.head_lists()?.remove(key.as_slice())?;
            self.put_listed(kind, HeadList::Waiting, limited, parts.amounts, parts.head)?;
            self.release_heads(kind, limited)?;
            ended = true;
        }
        Ok(ended)
    }

    /// Removes all lists of a kind.
    pub(super) fn clear_head_lists(&mut self, kind: u32) -> Result<()> {
        let (first, end) = (kind.to_be_bytes(), kind.saturating_add(1).to_be_bytes());
        self.head_lists()?.remove_range::<&[u8]>(&first[..]..&end[..])
    }

    fn put_listed(
        &mut self,
        kind: &Kind,
        list: HeadList,
        limited: LimitedValue<'_>,
        amounts: &[u8],
        head: ClaimKey,
    ) -> Result<()> {
        self.head_lists()?.insert(listed_key(kind, list, limited, amounts, head).as_slice(), 0)?;
        Ok(())
    }

    fn remove_listed(
        &mut self,
        kind: &Kind,
        list: HeadList,
        limited: LimitedValue<'_>,
        amounts: &[u8],
        head: ClaimKey,
    ) -> Result<Option<u32>> {
        let key = listed_key(kind, list, limited, amounts, head);
        Ok(self.head_lists()?.take(key.as_slice())?.map(|times| times.value()))
    }
}

/// Number of reservations that a claim looks at.
const RESERVATIONS: usize = 64;
