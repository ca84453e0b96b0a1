//! Computes the position of a task in the claim order and in the order by last change from its header. Called by `storage`,
//! `engine/action/claim`, `engine/action/order`, `api/inspect/plan` and `api/tasks/lookup`; pure.

use crate::{
    model::{
        place::place_of_submission,
        status::{Graph, Role},
        task::TaskRef,
        transition::{Header, LATEST, NEVER, PAUSED, WAITING},
    },
    storage::keys::{ClaimKey, UpdatedKey},
};

/// The keys of a task in the tables that order its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OrderKeys {
    pub claim_order: ClaimKey,
    /// Only if the claim order does not hold the time of the last change.
    pub updated: Option<UpdatedKey>,
}

/// A task in progress is ordered by the expiry of its lease, an ended one by priority and the time of its end, any other one by
/// priority, due time and place. Paused tasks come after all due times, then tasks that wait for others, then unreadable ones.
pub(crate) fn order_keys(graph: &Graph, task: TaskRef, header: &Header) -> OrderKeys {
    let (kind, seq, code) = (task.kind, task.seq, header.code);
    let rank = u8::MAX - header.priority;
    let place = place_of_submission(seq);
    if let Some(lease) = &header.lease {
        return OrderKeys {
            claim_order: ClaimKey { kind, code, rank: 0, at: lease.expires, place, seq },
            updated: None,
        };
    }
    if graph.status(code).is_some_and(|status| graph.is_terminal(status)) {
        return OrderKeys { claim_order: ClaimKey { kind, code, rank, at: header.updated, place, seq }, updated: None };
    }
    let at = match header {
        Header { unreadable: true, .. } => NEVER,
        Header { waits: 1.., .. } => WAITING,
        Header { paused: true, .. } if header.due <= LATEST => PAUSED,
        Header { due, .. } => *due,
    };
    let updated = UpdatedKey { kind, code, at: header.updated, seq };
    let place = header.place.unwrap_or(place);
    OrderKeys { claim_order: ClaimKey { kind, code, rank, at, place, seq }, updated: Some(updated) }
}

/// How the tasks of a status are ordered in the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StatusOrder {
    /// In the claim order by expiry.
    Leased,
    /// In the claim order by priority and the time of the end.
    Ended,
    /// In the claim order by priority and due time, and in `tracker.updated` by the time of the last change.
    Waiting,
}

/// The order of a status.
pub(crate) fn status_order(graph: &Graph, code: i32) -> StatusOrder {
    match graph.status(code) {
        Some(status) if status.role == Role::InProgress => StatusOrder::Leased,
        Some(status) if graph.is_terminal(status) => StatusOrder::Ended,
        _ => StatusOrder::Waiting,
    }
}
