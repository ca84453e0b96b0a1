//! Checks the lists of class heads in kinds with several limits: a class is the tasks with the same limited values and needs, its head the first
//! of them. Which list a head is in depends on earlier claims and cannot be computed again, so this checks the rules that
//! `storage/write/head_lists.rs` states. Called by `verify`; reads only.

use std::collections::{BTreeMap, BTreeSet};

use super::Found;
use crate::{
    model::{error::Result, kind::Kind},
    storage::{
        keys::{ClaimKey, HeadList, HeadListKey},
        limit_class::{LimitClass, LimitedValue},
        read::head_lists::{READY, is_reserved, listed_key},
        tables::{Reading, Tables},
    },
};

const TABLE: &str = "tracker.head_lists";

/// Reports heads that are not listed as they should be. `heads` has the class of each head of all kinds.
pub(super) fn check(
    rows: &mut Tables<Reading<'_>>,
    heads: &BTreeMap<ClaimKey, Vec<u8>>,
    found: &mut Found,
) -> Result<()> {
    let mut listed = BTreeMap::new();
    for row in rows.head_lists()?.rows()? {
        let (key, overtakes) = row?;
        listed.insert(key.value().to_vec(), overtakes.value());
    }
    let kinds = rows.all_kinds()?;
    let mut expected = BTreeSet::new();
    for (head, class) in heads {
        let Some(kind) = kinds.get(head.kind).filter(|kind| kind.has_limit_lists()) else { continue };
        check_head(kind, *head, &LimitClass::unpack(kind, class), &listed, &mut expected, found);
    }
    for key in listed.keys().filter(|key| !expected.contains(*key)) {
        found.add(TABLE, format!("{key:?} belongs to no task"));
    }
    for key in expected {
        let Some(HeadListKey { list: HeadList::Blocked, limit, value, amounts, head: blocked }) =
            HeadListKey::split(&key)
        else {
            continue;
        };
        let Some(kind) = kinds.get(blocked.kind) else { continue };
        let limited = LimitedValue { limit, value };
        let range = (
            ClaimKey::first(blocked.kind, blocked.code, blocked.rank),
            ClaimKey::last(blocked.kind, blocked.code, blocked.rank),
        );
        let first = rows.first_listed(kind, (HeadList::Blocked, limited), amounts, range)?;
        if first.is_none_or(|(first, _)| first != blocked) || rows.is_blocked_by(kind, limited, blocked)? {
            continue;
        }
        // No error if an earlier ready head has the same value: claims look at that one first.
        let has_same_priority =
            |head: &ClaimKey| (head.kind, head.code, head.rank) == (blocked.kind, blocked.code, blocked.rank);
        let is_ready_and_earlier = |(head, class): (&ClaimKey, &Vec<u8>)| {
            let class = LimitClass::unpack(kind, class);
            has_same_priority(head)
                && class.amounts == amounts
                && class.limited().any(|other| other == limited)
                && listed.contains_key(&listed_key(kind, HeadList::Ready, READY, amounts, *head))
        };
        if !heads.range(range.0..blocked).any(is_ready_and_earlier) {
            found.add(TABLE, format!("{key:?} waits for a value that has room"));
        }
    }
    Ok(())
}

fn check_head(
    kind: &Kind,
    head: ClaimKey,
    class: &LimitClass,
    listed: &BTreeMap<Vec<u8>, u32>,
    expected: &mut BTreeSet<Vec<u8>>,
    found: &mut Found,
) {
    let key_in = |list, limited| listed_key(kind, list, limited, &class.amounts, head);
    let mut entries = vec![key_in(HeadList::Ready, READY)];
    for limited in class.limited() {
        entries.push(key_in(HeadList::Blocked, limited));
        let waiting = key_in(HeadList::Waiting, limited);
        let overtakes = listed.get(&waiting).copied();
        if overtakes.is_none() {
            found.add(TABLE, format!("{waiting:?} is missing"));
        }
        let reserved = key_in(HeadList::Reserved, limited);
        let is_listed = listed.contains_key(&reserved);
        if is_listed != overtakes.is_some_and(is_reserved) {
            found.add(
                TABLE,
                format!("{reserved:?} is listed: {is_listed}, and the task was overtaken {overtakes:?} times"),
            );
        }
        expected.extend([waiting, reserved]);
    }
    entries.retain(|key| listed.contains_key(key));
    if entries.len() != 1 {
        found.add(TABLE, format!("{} is listed {} times as ready or blocked", head.task(), entries.len()));
    }
    expected.extend(entries);
}
