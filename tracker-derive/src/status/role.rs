use proc_macro2::{Ident, Span};

/// What a status means to the engine: the twin of `tracker_core::status::Role`.
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

    /// The words that name a role.
    pub const WORDS: [&'static str; 8] =
        ["pending", "in_progress", "failed", "succeeded", "exhausted", "ignored", "cancelled", "parked"];

    /// The word that names this role.
    pub fn word(self) -> &'static str {
        self.entry().0
    }

    /// The variant that has this role by its name.
    pub fn variant(self) -> Ident {
        Ident::new(self.entry().1, Span::call_site())
    }

    /// The role of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|entry| entry.0 == word).map(|entry| entry.2)
    }

    /// The role that a variant's name says in a step. No name says parked: that is a choice to be written down.
    pub fn of_variant(name: &str, step: &str) -> Option<Self> {
        let step = camel_case(step);
        let names = [Some(name), name.strip_prefix(&step), name.strip_suffix(&step)];
        let role = |name: &str| Self::ALL.into_iter().find(|entry| entry.1 == name).map(|entry| entry.2);
        names.into_iter().flatten().find_map(role).filter(|role| *role != Self::Parked)
    }

    /// The word of the role that a common name for a status says in other words.
    pub fn word_of_synonym(name: &str) -> Option<&'static str> {
        let name = name.to_lowercase();
        SYNONYMS.into_iter().find(|(_, names)| names.contains(&name.as_str())).map(|(role, _)| role.word())
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
    let words = step.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let capitalized = words.map(|word| {
        let mut letters = word.chars();
        letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect::<String>()
    });
    capitalized.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for (at, (word, _, role)) in Role::ALL.into_iter().enumerate() {
            assert_eq!(role as usize, at);
            assert_eq!(Role::WORDS[at], word);
        }
    }

    #[test]
    fn synonym_names_one_role() {
        assert_eq!(Role::word_of_synonym("Waiting"), Some("pending"));
        assert_eq!(Role::word_of_synonym("Running"), Some("in_progress"));
        assert_eq!(Role::word_of_synonym("Done"), Some("succeeded"));
        assert_eq!(Role::word_of_synonym("Reviewed"), None);
        let mut names: Vec<_> = SYNONYMS.iter().flat_map(|(_, names)| names.iter()).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    }

    #[test]
    fn names_say_roles_with_and_without_their_step() {
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
            assert_eq!(Role::of_variant(name, step), expected, "{name} in {step}");
        }
    }
}
