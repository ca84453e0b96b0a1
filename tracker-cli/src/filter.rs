//! The options that select tasks: `--status`, `--role`, `--index`, `--within`, `--older-than`, `--containing`.

use chrono::{DateTime, TimeDelta, Utc};
use tracker_core::{query::Query, status::Role, untyped::Untyped};

use crate::{error::CliError, human_duration::HumanDuration};

/// The conditions that tasks must meet. Of several statuses and roles, one must match.
#[derive(clap::Args)]
pub struct FilterArg {
    /// Only tasks in this status, by name or code; may be given several times
    #[arg(short, long, value_name = "STATUS")]
    pub status: Vec<String>,
    /// Only tasks in statuses with this role; may be given several times
    #[arg(short, long, value_name = "ROLE", value_parser = parse_role)]
    pub role: Vec<Role>,
    /// Only tasks whose index has this value
    #[arg(short, long, value_name = "FIELD=VALUE")]
    pub index: Option<String>,
    /// Only tasks whose status changed within this duration, such as 90s, 1h30m, 2d
    #[arg(long, value_name = "DURATION")]
    pub within: Option<HumanDuration>,
    /// Only tasks whose status has not changed for this duration
    #[arg(long, value_name = "DURATION")]
    pub older_than: Option<HumanDuration>,
    /// Only tasks whose id or an error contains this text, in upper or lower case; reads every task
    #[arg(short, long, value_name = "TEXT")]
    pub containing: Option<String>,
}

impl FilterArg {
    /// Returns whether no condition was given.
    pub fn is_empty(&self) -> bool {
        self.status.is_empty()
            && self.role.is_empty()
            && self.index.is_none()
            && self.within.is_none()
            && self.older_than.is_none()
            && self.containing.is_none()
    }

    /// Returns whether the search reads every task.
    pub fn is_slow(&self) -> bool {
        self.containing.is_some()
    }

    /// Adds the conditions to a query; `now` is the time of the tracker.
    pub fn apply<'t>(&self, mut query: Query<'t, Untyped>, now: DateTime<Utc>) -> Result<Query<'t, Untyped>, CliError> {
        for status in &self.status {
            query = query.status(status);
        }
        for role in &self.role {
            query = query.role(*role);
        }
        if let Some(index) = &self.index {
            let (field, value) = index.split_once('=').ok_or_else(|| {
                CliError::usage(format!("--index {index}: write FIELD=VALUE, as in host=example.org"))
            })?;
            query = query.index_written(field, value);
        }
        if let Some(duration) = self.within {
            query = query.changed_within(duration.0);
        }
        if let Some(duration) = self.older_than {
            let too_long = || CliError::usage(format!("--older-than {duration} is longer than any file can be old"));
            let ago = TimeDelta::from_std(duration.0).map_err(|_| too_long())?;
            query = query.changed_before(now.checked_sub_signed(ago).ok_or_else(too_long)?);
        }
        if let Some(text) = &self.containing {
            query = query.containing(text);
        }
        Ok(query)
    }
}

fn parse_role(name: &str) -> Result<Role, String> {
    Role::ALL.into_iter().find(|role| role.name() == name).ok_or_else(|| {
        let names: Vec<_> = Role::ALL.iter().map(|role| role.name()).collect();
        format!("expected a role: {}", names.join(", "))
    })
}
