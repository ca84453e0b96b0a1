use crate::{
    model::{
        status::{Graph, Role},
        task::TaskRef,
        transition::{Header, NEVER, WAITING},
    },
    storage::keys::{ClaimKey, UpdatedKey},
};

/// Where a task stands in the orders of its kind: a function of its header alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OrderKeys {
    pub line: ClaimKey,
    /// Only where the line does not tell the time of the last change.
    pub updated: Option<UpdatedKey>,
}

/// In progress: by the lease's expiry. StoredAttempt: by priority and the time of the end. Else: by priority and due time;
/// behind all these, those that wait for others.
pub(crate) fn position(graph: &Graph, task: TaskRef, header: &Header) -> OrderKeys {
    let (kind, seq, code) = (task.kind, task.seq, header.code);
    let rank = u8::MAX - header.priority;
    if let Some(lease) = &header.lease {
        return OrderKeys { line: ClaimKey { kind, code, rank: 0, at: lease.expires, seq }, updated: None };
    }
    if graph.status(code).is_some_and(|status| graph.is_terminal(status)) {
        return OrderKeys { line: ClaimKey { kind, code, rank, at: header.updated, seq }, updated: None };
    }
    let at = match header {
        Header { unreadable: true, .. } => NEVER,
        Header { waits: 1.., .. } => WAITING,
        Header { due, .. } => *due,
    };
    let updated = UpdatedKey { kind, code, at: header.updated, seq };
    OrderKeys { line: ClaimKey { kind, code, rank, at, seq }, updated: Some(updated) }
}

/// How the tasks of a status are ordered in the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StatusOrder {
    /// In the line by expiry.
    Leased,
    /// In the line by priority and the time of the end.
    StoredAttempt,
    /// In the line by priority and due time, and apart by the time of the last change.
    WaitingCounts,
}

/// The order of a status.
pub(crate) fn order(graph: &Graph, code: i32) -> StatusOrder {
    match graph.status(code) {
        Some(status) if status.role == Role::InProgress => StatusOrder::Leased,
        Some(status) if graph.is_terminal(status) => StatusOrder::StoredAttempt,
        _ => StatusOrder::WaitingCounts,
    }
}
