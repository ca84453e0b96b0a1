//! The names of the options of `#[task(…)]`, above the struct and above a field. Read by parsers and error messages; constants.

/// The options above the struct.
pub(super) const STRUCT_OPTIONS: [&str; 23] = [
    "name",
    "status",
    "id",
    "unique",
    "version",
    "migrate",
    "crate",
    "max_attempts",
    "max_crashes",
    "interrupted",
    "lease",
    "timeout",
    "backoff",
    "jitter",
    "priority",
    "history",
    "startable",
    "retention",
    "rate",
    "max_in_progress",
    "max_waiting",
    "shared_limit",
    "needs",
];

/// The options above the struct that set the kind's policy.
pub(super) const POLICY_OPTIONS: [&str; 16] = [
    "max_attempts",
    "max_crashes",
    "interrupted",
    "lease",
    "timeout",
    "backoff",
    "jitter",
    "priority",
    "history",
    "startable",
    "retention",
    "rate",
    "max_in_progress",
    "max_waiting",
    "shared_limit",
    "needs",
];

/// The options above a field.
pub(super) const FIELD_OPTIONS: [&str; 7] =
    ["id", "index", "limit", "fingerprint", "fingerprint_with", "priority", "unique"];
