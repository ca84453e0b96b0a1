use crate::{
    disk::keys::{LineKey, TaskRef, UpdatedKey},
    rules::{Header, NEVER, WAITING},
    status::{Graph, Role},
};

/// Where a task stands in the orders of its kind: a function of its header alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub line: LineKey,
    /// Only where the line does not tell the time of the last change.
    pub updated: Option<UpdatedKey>,
}

/// In progress: by the lease's expiry. Ended: by priority and the time of the end. Else: by priority and due time;
/// behind all these, those that wait for others.
pub(crate) fn position(graph: &Graph, task: TaskRef, header: &Header) -> Position {
    let (kind, seq, code) = (task.kind, task.seq, header.code);
    let rank = u8::MAX - header.priority;
    if let Some(lease) = &header.lease {
        return Position { line: LineKey { kind, code, rank: 0, at: lease.expires, seq }, updated: None };
    }
    if graph.status(code).is_some_and(|status| graph.is_terminal(status)) {
        return Position { line: LineKey { kind, code, rank, at: header.updated, seq }, updated: None };
    }
    let at = match header {
        Header { unreadable: true, .. } => NEVER,
        Header { waits: 1.., .. } => WAITING,
        Header { due, .. } => *due,
    };
    let updated = UpdatedKey { kind, code, at: header.updated, seq };
    Position { line: LineKey { kind, code, rank, at, seq }, updated: Some(updated) }
}

/// How the tasks of a status are ordered in the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// In the line by expiry.
    Leased,
    /// In the line by priority and the time of the end.
    Ended,
    /// In the line by priority and due time, and apart by the time of the last change.
    Waiting,
}

/// The order of a status.
pub(crate) fn order(graph: &Graph, code: i32) -> Order {
    match graph.status(code) {
        Some(status) if status.role == Role::InProgress => Order::Leased,
        Some(status) if graph.is_terminal(status) => Order::Ended,
        _ => Order::Waiting,
    }
}
