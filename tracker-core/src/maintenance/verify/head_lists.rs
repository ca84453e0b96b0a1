//! Checks the lists of class heads in kinds with several limits. The list of a head depends on earlier claims, so the check compares the
//! rows with the rules of `storage/write/head_lists.rs`. Called by `verify`; reads only.

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
        let (key, times) = row?;
        listed.insert(key.value().to_vec(), times.value());
    }
    let kinds = rows.all_kinds()?;
    let mut known = BTreeSet::new();
    for (head, class) in heads {
        let Some(kind) = kinds.get(head.kind).filter(|kind| kind.has_limit_lists()) else { continue };
        check_head(kind, *head, &LimitClass::unpack(kind, class), &listed, &mut known, found);
    }
    for key in listed.keys().filter(|key| !known.contains(*key)) {
        found.add(TABLE, format!("{key:?} belongs to no task"));
    }
    for key in known {
        let Some(HeadListKey { list: HeadList::Blocked, limit, value, amounts, place }) = HeadListKey::split(&key)
        else {
            continue;
        };
        let Some(kind) = kinds.get(place.kind) else { continue };
        let limited = LimitedValue { limit, value };
        let range =
            (ClaimKey::first(place.kind, place.code, place.rank), ClaimKey::last(place.kind, place.code, place.rank));
        let first = rows.first_listed(kind, (HeadList::Blocked, limited), amounts, range)?;
        if first.is_none_or(|(first, _)| first != place) || rows.is_blocked_by(kind, limited, place)? {
            continue;
        }
        // Claims reach the blocked head after a ready one of its value.
        let like = |head: &ClaimKey| (head.kind, head.code, head.rank) == (place.kind, place.code, place.rank);
        let leads = |(head, class): (&ClaimKey, &Vec<u8>)| {
            let class = LimitClass::unpack(kind, class);
            like(head)
                && class.amounts == amounts
                && class.limited().any(|other| other == limited)
                && listed.contains_key(&listed_key(kind, HeadList::Ready, READY, amounts, *head))
        };
        if !heads.range(range.0..place).any(leads) {
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
    known: &mut BTreeSet<Vec<u8>>,
    found: &mut Found,
) {
    let key_in = |list, limited| listed_key(kind, list, limited, &class.amounts, head);
    let mut places = vec![key_in(HeadList::Ready, READY)];
    for limited in class.limited() {
        places.push(key_in(HeadList::Blocked, limited));
        let waiting = key_in(HeadList::Waiting, limited);
        let times = listed.get(&waiting).copied();
        if times.is_none() {
            found.add(TABLE, format!("{waiting:?} is missing"));
        }
        let reserved = key_in(HeadList::Reserved, limited);
        let is_listed = listed.contains_key(&reserved);
        if is_listed != times.is_some_and(is_reserved) {
            found
                .add(TABLE, format!("{reserved:?} is listed: {is_listed}, and the task was overtaken {times:?} times"));
        }
        known.extend([waiting, reserved]);
    }
    places.retain(|key| listed.contains_key(key));
    if places.len() != 1 {
        found.add(TABLE, format!("{} is listed {} times as ready or blocked", head.task(), places.len()));
    }
    known.extend(places);
}
