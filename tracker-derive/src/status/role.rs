//! `Role`: roles by the names of options and variants: the counterpart of `tracker_core::status::Role`. Used by both derives; pure.

use proc_macro2::{Ident, Span};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Pending,
    InProgress,
    Failed,
    Succeeded,
    Exhausted,
    Ignored,
    Cancelled,
    Parked,
}

impl Role {
    const ALL: [(&'static str, &'static str, Self); 8] = [
        ("pending", "Pending", Self::Pending),
        ("in_progress", "InProgress", Self::InProgress),
        ("failed", "Failed", Self::Failed),
        ("succeeded", "Succeeded", Self::Succeeded),
        ("exhausted", "Exhausted", Self::Exhausted),
        ("ignored", "Ignored", Self::Ignored),
        ("cancelled", "Cancelled", Self::Cancelled),
        ("parked", "Parked", Self::Parked),
    ];

    /// The names of all roles.
    pub const NAMES: [&'static str; 8] =
        ["pending", "in_progress", "failed", "succeeded", "exhausted", "ignored", "cancelled", "parked"];

    /// Returns the name.
    pub fn name(self) -> &'static str {
        self.entry().0
    }

    /// Returns the name of the variant of `Role`, which is also the name of a variant with this role.
    pub fn variant(self) -> Ident {
        Ident::new(self.entry().1, Span::call_site())
    }

    /// Returns the role with this name.
    pub fn from_name(option: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|entry| entry.0 == option).map(|entry| entry.2)
    }

    /// Returns the role that follows from the name of a variant in a step. Parked follows from no name.
    pub fn from_variant(name: &str, step: &str) -> Option<Self> {
        let step = camel_case(step);
        let names = [Some(name), name.strip_prefix(&step), name.strip_suffix(&step)];
        let role = |name: &str| Self::ALL.into_iter().find(|entry| entry.1 == name).map(|entry| entry.2);
        names.into_iter().flatten().find_map(role).filter(|role| *role != Self::Parked)
    }

    /// Returns the name of the role that other libraries call by this name.
    pub fn name_of_synonym(name: &str) -> Option<&'static str> {
        let name = name.to_lowercase();
        SYNONYMS.into_iter().find(|(_, names)| names.contains(&name.as_str())).map(|(role, _)| role.name())
    }

    fn entry(self) -> (&'static str, &'static str, Self) {
        Self::ALL[self as usize]
    }
}

/// Names that other queues use for the roles, in lower case.
const SYNONYMS: [(Role, &[&str]); 7] = [
    (Role::Pending, &["waiting", "queued", "ready", "new", "todo", "open", "created", "scheduled", "enqueued", "idle"]),
    (Role::InProgress, &["running", "active", "processing", "started", "working", "busy", "claimed", "executing"]),
    (Role::Succeeded, &["done", "finished", "completed", "complete", "success", "successful", "ok", "processed"]),
    (Role::Failed, &["error", "errored", "failure", "broken", "retrying"]),
    (Role::Exhausted, &["dead", "abandoned", "discarded", "gaveup", "givenup"]),
    (Role::Ignored, &["skipped", "excluded", "dismissed"]),
    (Role::Cancelled, &["aborted", "stopped", "revoked", "canceled", "killed"]),
];

pub(super) fn camel_case(step: &str) -> String {
    let options = step.split(|c: char| !c.is_alphanumeric()).filter(|option| !option.is_empty());
    let capitalized = options.map(|option| {
        let mut letters = option.chars();
        letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect::<String>()
    });
    capitalized.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_has_the_order_of_the_enum() {
        for (at, (option, _, role)) in Role::ALL.into_iter().enumerate() {
            assert_eq!(role as usize, at);
            assert_eq!(Role::NAMES[at], option);
        }
    }

    #[test]
    fn synonym_names_one_role() {
        assert_eq!(Role::name_of_synonym("Waiting"), Some("pending"));
        assert_eq!(Role::name_of_synonym("Running"), Some("in_progress"));
        assert_eq!(Role::name_of_synonym("Done"), Some("succeeded"));
        assert_eq!(Role::name_of_synonym("Reviewed"), None);
        let mut names: Vec<_> = SYNONYMS.iter().flat_map(|(_, names)| names.iter()).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    }

    #[test]
    fn role_follows_from_the_name_with_or_without_step() {
        let cases = [
            ("Pending", "", Some(Role::Pending)),
            ("InProgress", "in", Some(Role::InProgress)),
            ("LoadPending", "load", Some(Role::Pending)),
            ("PendingLoad", "load", Some(Role::Pending)),
            ("FetchMetaInProgress", "fetch_meta", Some(Role::InProgress)),
            ("FetchMetaFailed", "fetch meta", Some(Role::Failed)),
            ("LoadPending", "store", None),
            ("Load", "load", None),
            ("Parked", "", None),
            ("Done", "", None),
        ];
        for (name, step, expected) in cases {
            assert_eq!(Role::from_variant(name, step), expected, "{name} in {step}");
        }
    }
}
