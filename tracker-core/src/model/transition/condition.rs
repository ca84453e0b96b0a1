//! `Condition` holds the filters of a query on the header of a task: statuses, time of the last change, and batch. Made by `api/query`, which
//! searches by it; checked again by `engine/action/task` and `engine/action/order` before they change a task of the query. Pure.

use super::Header;
use crate::model::{status::Graph, time::Micros};

/// The condition on a header that a query states.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Condition {
    /// `None`: every status.
    pub codes: Option<Vec<i32>>,
    /// Last changed at this time or later.
    pub since: Option<Micros>,
    /// Last changed before this time.
    pub until: Option<Micros>,
    /// Belongs to this batch.
    pub batch: Option<u64>,
}

impl Condition {
    pub(crate) fn includes(&self, code: i32) -> bool {
        self.codes.as_ref().is_none_or(|codes| codes.contains(&code))
    }

    pub(crate) fn holds(&self, header: &Header) -> bool {
        self.includes(header.code)
            && self.since.is_none_or(|since| header.updated >= since)
            && self.until.is_none_or(|until| header.updated < until)
            && (self.batch.is_none() || header.batch == self.batch)
    }

    /// The codes of a graph that it includes.
    pub(crate) fn codes_of(&self, graph: &Graph) -> Vec<i32> {
        graph.statuses().iter().map(|status| status.code).filter(|code| self.includes(*code)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn condition_without_codes_matches_all() {
        let named = Condition { codes: Some(vec![10, 30]), ..Condition::default() };
        assert_eq!([10, 20, 30].map(|code| named.includes(code)), [true, false, true]);
        assert_eq!([10, 20, 30].map(|code| Condition::default().includes(code)), [true; 3]);
    }
}
