use std::{fmt, str::FromStr};

use crate::{
    error::{Error, Result},
    store::Mark,
};

/// Where a page ended, and the next one begins. Its text form comes back by `parse`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(pub(crate) Mark);

/// A page of a query.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Page<R> {
    /// What was found.
    pub items: Vec<R>,
    /// Where the next page begins, if there may be one. A query that must look at every task gives it too where it
    /// stopped looking, so that a page may have few items, or none, and yet be followed by another.
    pub next: Option<Cursor>,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0.0, self.0.1)
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parse = || {
            let (at, seq) = text.split_once(':')?;
            Some(Self((at.parse().ok()?, seq.parse().ok()?)))
        };
        parse().ok_or_else(|| Error::invalid(format!("{text:?} is no cursor")))
    }
}
