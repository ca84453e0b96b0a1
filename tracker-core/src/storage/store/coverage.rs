//! `Coverage` remembers the ranges of keys whose rows a unit of work has loaded completely, so that a missing row there needs no load. Used
//! by `TableRows` and `WorkingSet`; pure.

use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Included, Unbounded},
};

/// Disjoint ranges: first key -> first key after the range, `None` for the end of the table.
#[derive(Debug, Default)]
pub(super) struct Coverage(BTreeMap<Vec<u8>, Option<Vec<u8>>>);

/// Whether a range that ends at `end` reaches `key`.
fn reaches(end: Option<&[u8]>, key: &[u8]) -> bool {
    end.is_none_or(|end| end >= key)
}

impl Coverage {
    /// The end of the range that contains a key: `None` if no range does, `Some(None)` for the end of the table.
    #[expect(clippy::option_option, reason = "outside: whether there is a range; inside: whether it is bounded")]
    pub(super) fn end_from(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        let (_, end) = self.0.range::<[u8], _>((Unbounded, Included(key))).next_back()?;
        let end = end.as_deref();
        end.is_none_or(|end| end > key).then_some(end)
    }

    /// The start of the range that contains the keys just before `end`; `None` if no range does.
    pub(super) fn start_before(&self, end: Option<&[u8]>) -> Option<&[u8]> {
        let (start, covered) = match end {
            Some(end) => self.0.range::<[u8], _>((Unbounded, Excluded(end))).next_back()?,
            None => self.0.last_key_value()?,
        };
        let contains = match end {
            Some(end) => reaches(covered.as_deref(), end),
            None => covered.is_none(),
        };
        contains.then_some(start)
    }

    /// Adds a range, and joins it with those that it meets.
    pub(super) fn add(&mut self, mut start: Vec<u8>, mut end: Option<Vec<u8>>) {
        if end.as_ref().is_some_and(|end| *end <= start) {
            return;
        }
        if let Some((before, before_end)) = self.0.range::<[u8], _>((Unbounded, Included(start.as_slice()))).next_back()
            && reaches(before_end.as_deref(), &start)
        {
            start.clone_from(before);
        }
        while let Some((next, next_end)) = self.0.range::<[u8], _>((Included(start.as_slice()), Unbounded)).next()
            && reaches(end.as_deref(), next)
        {
            if end.as_ref().is_some_and(|end| next_end.as_ref().is_none_or(|next_end| next_end > end)) {
                end.clone_from(next_end);
            }
            let next = next.clone();
            self.0.remove(&next);
        }
        self.0.insert(start, end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Coverage of single bytes, compared with a set of them: each byte means all keys that begin with it.
    fn check(ranges: &[(u8, Option<u8>)]) {
        let mut coverage = Coverage::default();
        let mut known = [false; 8];
        for (start, end) in ranges {
            coverage.add(vec![*start], end.map(|end| vec![end]));
            for key in *start..end.unwrap_or(8) {
                known[usize::from(key)] = true;
            }
            for key in 0..8_u8 {
                let end = (key..8).find(|key| !known[usize::from(*key)]);
                let expected = known[usize::from(key)].then_some(end);
                let found = coverage.end_from(&[key]).map(|end| end.map(|end| end[0]));
                let bounded = expected.map(|end| end.filter(|_| found != Some(None)));
                // A range that ends at the last byte may be bounded or not.
                assert!(
                    found == bounded || found == Some(Some(8)) && bounded == Some(None),
                    "{ranges:?} {key}: {found:?} {expected:?}"
                );
                let start = (0..=key).rev().take_while(|key| known[usize::from(*key)]).last();
                let next = [key + 1];
                assert_eq!(
                    coverage.start_before(Some(&next)).map(|start| start[0]),
                    start,
                    "{ranges:?} before {next:?}"
                );
            }
        }
        let is_disjoint = coverage
            .0
            .iter()
            .zip(coverage.0.iter().skip(1))
            .all(|((_, end), (next, _))| end.as_ref().is_some_and(|end| end < next));
        assert!(is_disjoint, "{coverage:?}");
    }

    #[test]
    fn ranges_are_joined_where_they_meet() {
        let bounds: Vec<(u8, Option<u8>)> = (0..7)
            .flat_map(|start| [2, 5, 7].into_iter().map(move |end| (start, Some(end))).chain([(start, None)]))
            .collect();
        for one in &bounds {
            for other in &bounds {
                for third in &bounds {
                    check(&[*one, *other, *third]);
                }
            }
        }
    }

    #[test]
    fn end_of_the_table_is_covered_only_by_an_unbounded_range() {
        let mut coverage = Coverage::default();
        coverage.add(vec![3], Some(vec![5]));
        assert_eq!(coverage.start_before(None), None);
        coverage.add(vec![4], None);
        assert_eq!(coverage.start_before(None), Some(&[3][..]));
        assert_eq!(coverage.end_from(&[9]), Some(None));
    }
}
