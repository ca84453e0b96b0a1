use chrono::{DateTime, TimeDelta, Utc};
use tracker_core::{query::Query, status::Role, untyped::Untyped};

use crate::{failure::Failure, span::Span};

/// Which tasks a command is about. All conditions must hold; of several statuses and roles, one.
#[derive(clap::Args)]
pub struct FilterArg {
    /// Only tasks in this status, by its name or code; may be given several times
    #[arg(short, long, value_name = "STATUS")]
    pub status: Vec<String>,
    /// Only tasks in statuses with this role; may be given several times
    #[arg(short, long, value_name = "ROLE", value_parser = role)]
    pub role: Vec<Role>,
    /// Only tasks whose indexed field has this value
    #[arg(short, long, value_name = "FIELD=VALUE")]
    pub index: Option<String>,
    /// Only tasks whose status changed within this time, as in 90s, 1h30m, 2d
    #[arg(long, value_name = "SPAN")]
    pub within: Option<Span>,
    /// Only tasks whose status has not changed for this time
    #[arg(long, value_name = "SPAN")]
    pub older_than: Option<Span>,
    /// Only tasks whose id or an error contains this text, in upper or lower case; looks at each task
    #[arg(short, long, value_name = "TEXT")]
    pub containing: Option<String>,
}

impl FilterArg {
    /// Whether it is about all tasks.
    pub fn is_empty(&self) -> bool {
        self.status.is_empty()
            && self.role.is_empty()
            && self.index.is_none()
            && self.within.is_none()
            && self.older_than.is_none()
            && self.containing.is_none()
    }

    /// Whether every task must be looked at.
    pub fn is_slow(&self) -> bool {
        self.containing.is_some()
    }

    /// The query with these conditions; `now` is the tracker's.
    pub fn apply<'t>(&self, mut query: Query<'t, Untyped>, now: DateTime<Utc>) -> Result<Query<'t, Untyped>, Failure> {
        for status in &self.status {
            query = query.status(status);
        }
        for role in &self.role {
            query = query.role(*role);
        }
        if let Some(index) = &self.index {
            let (field, value) = index
                .split_once('=')
                .ok_or_else(|| Failure::usage(format!("--index {index}: write FIELD=VALUE, as in host=example.org")))?;
            query = query.index_written(field, value);
        }
        if let Some(span) = self.within {
            query = query.changed_within(span.0);
        }
        if let Some(span) = self.older_than {
            let too_long = || Failure::usage(format!("--older-than {span}: this is before all time"));
            let ago = TimeDelta::from_std(span.0).map_err(|_| too_long())?;
            query = query.changed_before(now.checked_sub_signed(ago).ok_or_else(too_long)?);
        }
        if let Some(text) = &self.containing {
            query = query.containing(text);
        }
        Ok(query)
    }
}

fn role(name: &str) -> Result<Role, String> {
    Role::ALL.into_iter().find(|role| role.name() == name).ok_or_else(|| {
        let names: Vec<_> = Role::ALL.iter().map(|role| role.name()).collect();
        format!("there is no such role; the roles are {}", names.join(", "))
    })
}
