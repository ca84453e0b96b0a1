//! The places of waiting tasks as numbers with gaps, so that a move changes the place of the moved task only. Called by `feed`; pure.

use std::collections::{HashMap, HashSet};

use tracker_core::task::TaskKey;

/// Distance of two places that were assigned in order.
const GAP: u64 = 1 << 20;

/// The places that the panel knows.
#[derive(Debug, Default)]
pub(crate) struct Places(HashMap<TaskKey, u64>);

impl Places {
    /// Takes over the claim order. Tasks of `moved` may have any new position; the others keep their order, and their places. Returns the
    /// places that changed.
    pub fn assign(&mut self, order: Vec<TaskKey>, moved: &HashSet<TaskKey>) -> Vec<(TaskKey, u64)> {
        let kept: Vec<_> = order.iter().map(|id| self.0.get(id).copied().filter(|_| !moved.contains(id))).collect();
        let places = between(&kept).unwrap_or_else(|| (1..).map(|number| number * GAP).take(order.len()).collect());
        let mut known = HashMap::with_capacity(order.len());
        let mut changed = Vec::new();
        for (id, place) in order.into_iter().zip(places) {
            if self.0.get(&id) != Some(&place) {
                changed.push((id.clone(), place));
            }
            known.insert(id, place);
        }
        self.0 = known;
        changed
    }
}

/// Fills the gaps between kept places. Returns `None` if the kept ones do not rise, or a gap is too small.
fn between(kept: &[Option<u64>]) -> Option<Vec<u64>> {
    let mut places = Vec::with_capacity(kept.len());
    let mut last = 0;
    while places.len() < kept.len() {
        let rest = &kept[places.len()..];
        let free = rest.iter().position(Option::is_some).unwrap_or(rest.len());
        let count = free as u64;
        let next = rest.get(free).copied().flatten();
        let step = next.map_or(GAP, |next| next.saturating_sub(last) / (count + 1));
        if next.is_some_and(|next| next <= last) || (count > 0 && step == 0) {
            return None;
        }
        places.extend((1..=count).map(|number| last + number * step));
        places.extend(next);
        last = *places.last()?;
    }
    Some(places)
}

#[cfg(test)]
mod tests {
    use tracker_core::task::TaskId;

    use super::*;

    fn keys(ids: &[u64]) -> Vec<TaskKey> {
        ids.iter().map(TaskId::to_key).collect()
    }

    /// Assigns an order and checks that the places rise in it. Returns how many places changed.
    fn assign(places: &mut Places, order: &[u64], moved: &[u64]) -> usize {
        let changed = places.assign(keys(order), &keys(moved).into_iter().collect());
        let now: Vec<_> = keys(order).iter().map(|id| places.0[id]).collect();
        assert!(now.is_sorted_by(|a, b| a < b), "{now:?}");
        changed.len()
    }

    #[test]
    fn move_changes_one_place() {
        let mut places = Places::default();
        assert_eq!(assign(&mut places, &[1, 2, 3, 4], &[]), 4);
        assert_eq!(assign(&mut places, &[4, 1, 2, 3], &[4]), 1);
        assert_eq!(assign(&mut places, &[4, 2, 1, 3, 5], &[2]), 2);
        assert_eq!(assign(&mut places, &[2, 1, 3, 5], &[]), 0);
    }

    #[test]
    fn unannounced_move_and_full_gap_renumber() {
        let mut places = Places::default();
        assign(&mut places, &[1, 2, 3], &[]);
        assert_eq!(assign(&mut places, &[3, 2, 1], &[]), 2);
        // Each move halves the gap before the first.
        let mut order = vec![1, 2, 3];
        for _ in 0..100 {
            let last = order.pop().unwrap_or_default();
            order.insert(1, last);
            assign(&mut places, &order, &[last]);
        }
    }
}
