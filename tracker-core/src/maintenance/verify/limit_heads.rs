//! Derives the eligible heads of limit keys from the tasks. Called by `verify/mod.rs`; reads the queues or the tasks, and writes no row.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64;

use super::task_rows::each_task;
use crate::{
    model::{error::Result, kind::Kind, task_row::TaskRow},
    storage::{
        definitions,
        keys::{self, ClaimKey},
        rows_of::{EligibleHeads, LimitState, rows_of},
        tables::{Reading, Source, Tables},
    },
};

/// The rows from which heads are derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeadSource {
    /// The queues and the tasks in progress by limit key. Both have the rows that follow from the tasks, in the order of their keys.
    Queues,
    /// The tasks, with up to this number of limit keys in memory.
    Tasks(usize),
}

/// Calls `take` with the kind, the claim key and the limit key of each head.
pub(super) fn each_head(
    rows: &mut Tables<Reading<'_>>,
    source: HeadSource,
    mut take: impl FnMut(&Kind, ClaimKey, &[u8]),
) -> Result<()> {
    match source {
        HeadSource::Queues => each_head_of_queues(rows, &mut take),
        HeadSource::Tasks(most) => each_head_of_tasks(rows, most, &mut take),
    }
}

type Take<'a> = &'a mut dyn FnMut(&Kind, ClaimKey, &[u8]);

/// Reads both tables side by side, because they are sorted by limit key.
fn each_head_of_queues(rows: &mut Tables<Reading<'_>>, take: Take<'_>) -> Result<()> {
    let (source, kinds) = (rows.source(), rows.all_kinds()?);
    let (queues, in_use) = (source.open(definitions::LIMIT_QUEUES)?, source.open(definitions::LIMIT_IN_USE)?);
    let mut in_use = in_use.rows()?.peekable();
    let mut current: Option<(Vec<u8>, EligibleHeads)> = None;
    for row in queues.rows()? {
        let key = row?.0;
        let key = key.value();
        let Some((kind, prefix, limit_key, claim_key)) = split(key) else { continue };
        let Some(kind) = kinds.get(kind) else { continue };
        if current.as_ref().is_none_or(|(current, _)| current != prefix) {
            let mut tasks = 0;
            while let Some(row) = in_use.next_if(|row| row.as_ref().is_ok_and(|(key, _)| key.value() <= prefix)) {
                let (key, value) = row?;
                tasks = if key.value() == prefix { value.value() } else { 0 };
            }
            if let Some(error) = in_use.next_if(Result::is_err) {
                error?;
            }
            current = Some((prefix.to_vec(), EligibleHeads::new(kind, limit_key, tasks)));
        }
        if let Some((_, heads)) = &mut current
            && heads.is_next_head(claim_key)
        {
            take(kind, claim_key, limit_key);
        }
    }
    Ok(())
}

/// The kind, the prefix, the limit key and the claim key of a key in a limit queue.
fn split(key: &[u8]) -> Option<(u32, &[u8], &[u8], ClaimKey)> {
    let kind = u32::from_be_bytes(*key.first_chunk()?);
    let claim_key = keys::limit_queue_claim_key(kind, key)?;
    let (prefix, _) = key.split_at_checked(key.len().checked_sub(ClaimKey::LEN - size_of::<u32>())?)?;
    let limit_key = prefix.get(keys::limit_prefix(kind, &[]).len()..)?;
    Some((kind, prefix, limit_key, claim_key))
}

/// The tasks of a limit key.
#[derive(Default)]
struct LimitKey {
    in_use: u64,
    /// The first claim key of each status and priority.
    first: BTreeMap<(i32, u8), ClaimKey>,
}

/// Limit keys by their hash.
type LimitKeys = BTreeMap<(u64, Vec<u8>), LimitKey>;

/// Reads the tasks as often as needed to hold at most `most` limit keys.
fn each_head_of_tasks(rows: &mut Tables<Reading<'_>>, most: usize, take: Take<'_>) -> Result<()> {
    for kind in rows.all_kinds()?.all().filter(|kind| kind.has_queues()) {
        let mut from = Some(0);
        while let Some(first) = from {
            let (limit_keys, end) = limit_keys(rows, kind, first, most)?;
            for ((_, key), LimitKey { in_use, first }) in &limit_keys {
                let mut heads = EligibleHeads::new(kind, key, *in_use);
                for first in first.values().filter(|first| heads.is_next_head(**first)) {
                    take(kind, *first, key);
                }
            }
            from = end;
        }
    }
    Ok(())
}

/// The limit keys of a kind whose hash is `from` or higher, in the order of their hashes; and the hash of the first that was left out.
fn limit_keys(rows: &mut Tables<Reading<'_>>, kind: &Kind, from: u64, most: usize) -> Result<(LimitKeys, Option<u64>)> {
    let (mut found, mut end) = (LimitKeys::new(), None);
    each_task(rows, kind, |rows, task| {
        // The first pass has reported unreadable rows.
        let Some(header) = readable(rows.header(task))?.flatten() else { return Ok(()) };
        let Some(row) = readable(rows.find_task_row(task))?.flatten() else { return Ok(()) };
        let derived = rows_of(kind, task, &header, Some(TaskRow::keys(&row)));
        let Some(keys) = derived.keys.filter(|_| derived.limit != LimitState::NotCounted) else { return Ok(()) };
        let hash = xxh3_64(&keys.limit_key);
        if hash < from || end.is_some_and(|end| hash >= end) {
            return Ok(());
        }
        let limit_key = found.entry((hash, keys.limit_key.into_owned())).or_default();
        match derived.limit {
            LimitState::Queued(claim_key) => {
                let first = limit_key.first.entry((claim_key.code, claim_key.rank)).or_insert(claim_key);
                *first = claim_key.min(*first);
            }
            _ => limit_key.in_use += 1,
        }
        let hashes =
            found.first_key_value().zip(found.last_key_value()).map(|((first, _), (last, _))| (first.0, last.0));
        if let Some((first, last)) = hashes
            && found.len() > most
            && first < last
        {
            drop(found.split_off(&(last, Vec::new())));
            end = Some(last);
        }
        Ok(())
    })?;
    Ok((found, end))
}

/// `None` for a row that cannot be read.
fn readable<R>(row: Result<R>) -> Result<Option<R>> {
    match row {
        Err(error) if error.ends_a_read() => Err(error),
        row => Ok(row.ok()),
    }
}
