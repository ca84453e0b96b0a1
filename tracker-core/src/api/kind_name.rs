//! `KindName` builds the name of a kind from parts. Called by users; reads environment variables.

use std::env;

use crate::model::error::{Error, Result};

/// A kind's name that is made of parts, such as a service and its processor: each is given, or read from an environment variable.
///
/// ```
/// use tracker_core::task::KindName;
///
/// let (service, processor) = (Some("billing"), Some("invoices"));
/// let name = KindName::new()
///     .part("service", service, "SERVICE_NAME")
///     .part("processor", processor, "PROCESSOR_NAME")
///     .name()?;
/// assert_eq!(name, "billing/invoices"); // for tracker.tasks_as::<T>(&name)
///
/// let error = KindName::new().part("service", None, "NO_SUCH_VARIABLE").name().unwrap_err();
/// assert_eq!(error.to_string(), "the kind's name lacks its service: give it, or set NO_SUCH_VARIABLE");
/// # Ok::<(), tracker_core::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct KindName {
    parts: Vec<String>,
    /// The missing part, and the environment variables that could hold it.
    missing: Vec<(String, String)>,
}

impl KindName {
    /// Creates a name without parts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a part: the given text, else the value of an environment variable. Empty counts as missing.
    #[must_use]
    pub fn part(mut self, what: &str, given: Option<&str>, variable: &str) -> Self {
        let given = given.filter(|given| !given.is_empty()).map(ToOwned::to_owned);
        let found = given.or_else(|| env::var(variable).ok().filter(|value| !value.is_empty()));
        match found {
            // Different parts must not make the same name.
            Some(part) => self.parts.push(part.replace('%', "%25").replace('/', "%2F")),
            None => self.missing.push((what.to_owned(), variable.to_owned())),
        }
        self
    }

    /// Returns the parts, joined with `/`; a `/` inside a part becomes `%2F`, a `%` becomes `%25`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if a part is missing. The error names each missing part and the variable that would have it.
    pub fn name(self) -> Result<String> {
        if self.missing.is_empty() {
            return Ok(self.parts.join("/"));
        }
        let (what, variables): (Vec<_>, Vec<_>) = self.missing.into_iter().unzip();
        let pronoun = if what.len() == 1 { "it" } else { "them" };
        Err(Error::invalid(format!(
            "the kind's name lacks its {}: give {pronoun}, or set {}",
            what.join(" and "),
            variables.join(" and ")
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::KindName;

    #[test]
    fn parts_never_run_into_each_other() {
        let name = |one: &str, other: &str| KindName::new().part("a", Some(one), "").part("b", Some(other), "").name();
        assert_eq!(name("a/b", "c").ok().as_deref(), Some("a%2Fb/c"));
        assert_eq!(name("a", "b/c").ok().as_deref(), Some("a/b%2Fc"));
        assert_eq!(name("a%2Fb", "c").ok().as_deref(), Some("a%252Fb/c"));
    }

    #[test]
    fn kind_name_prefers_given_parts_and_names_missing_ones() {
        // The one variable that every program has.
        let path = std::env::var("PATH").map(|path| path.replace('%', "%25").replace('/', "%2F")).ok();
        let named = |given| KindName::new().part("service", given, "PATH").name().ok();
        assert_eq!(named(Some("own")).as_deref(), Some("own"));
        assert_eq!((named(Some("")), named(None)), (path.clone(), path));
        let error = KindName::new().part("service", None, "NO_SUCH").part("processor", Some(""), "NOR_SUCH").name();
        let expected = "the kind's name lacks its service and processor: give them, or set NO_SUCH and NOR_SUCH";
        assert_eq!(error.map_err(|error| error.to_string()), Err(expected.to_owned()));
    }
}
