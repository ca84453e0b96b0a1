//! `Ticket` is a detached execution as text, which can be stored and resumed. Made by `Execution::detach`, read by `resume_ticket`; pure.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::{
    error::{Error, Result},
    task::TaskKey,
    transition::Owner,
};

/// A claimed task in a form that can be stored and sent: for work that ends elsewhere, or after a restart.
///
/// [`Tasks::resume_ticket`](crate::Tasks::resume_ticket) takes it up again. Its text form comes back by `parse`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Ticket {
    kind: String,
    id: TaskKey,
    fence: u64,
    token: Uuid,
}

impl Ticket {
    pub(crate) fn new(kind: &str, id: &TaskKey, owner: Owner) -> Self {
        Self { kind: kind.to_owned(), id: id.clone(), fence: owner.fence, token: owner.token }
    }

    /// Returns the kind's name.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Returns the task's id.
    #[must_use]
    pub fn id(&self) -> &TaskKey {
        &self.id
    }

    /// Returns the number of the claim.
    #[must_use]
    pub fn fence(&self) -> u64 {
        self.fence
    }

    pub(crate) fn owner(&self) -> Owner {
        Owner { fence: self.fence, token: self.token }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let pairs = digits.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, id) = (hex(self.kind.as_bytes()), hex(self.id.as_bytes()));
        write!(f, "{}.{}.{kind}.{id}", self.fence, self.token.simple())
    }
}

impl FromStr for Ticket {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parse = || {
            let mut parts = text.split('.');
            let fence = parts.next()?.parse().ok()?;
            let token = Uuid::parse_str(parts.next()?).ok()?;
            let kind = String::from_utf8(unhex(parts.next()?)?).ok()?;
            let id = TaskKey::from_bytes(&unhex(parts.next()?)?)?;
            parts.next().is_none().then_some(Self { kind, id, fence, token })
        };
        parse().ok_or_else(|| Error::invalid(format!("{text:?} is no ticket")))
    }
}

impl From<Ticket> for String {
    fn from(ticket: Ticket) -> Self {
        ticket.to_string()
    }
}

impl TryFrom<String> for Ticket {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}
