//! `FilterArg`: the options that select tasks: `--status`, `--role`, `--index`, `--within`, `--older-than`, `--containing`. Used by `list`,
//! `export` and bulk commands; pure.

use chrono::{DateTime, TimeDelta, Utc};
use tracker_core::{live::TaskFilter, status::Role};

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

    /// Returns the conditions as a value; `now` is the time of the tracker.
    pub fn conditions(&self, kind: Option<String>, now: DateTime<Utc>) -> Result<TaskFilter, CliError> {
        let mut filter = TaskFilter::default();
        filter.kind = kind;
        filter.statuses.clone_from(&self.status);
        filter.roles.clone_from(&self.role);
        filter.containing.clone_from(&self.containing);
        if let Some(index) = &self.index {
            let (field, value) = index.split_once('=').ok_or_else(|| {
                CliError::usage(format!("--index {index}: write FIELD=VALUE, as in host=example.org"))
            })?;
            filter.index = Some((field.to_owned(), value.to_owned()));
        }
        let before_now =
            |duration: HumanDuration| TimeDelta::from_std(duration.0).ok().and_then(|ago| now.checked_sub_signed(ago));
        filter.changed_since = self.within.map(|within| before_now(within).unwrap_or(DateTime::<Utc>::MIN_UTC));
        if let Some(age) = self.older_than {
            let too_long = || CliError::usage(format!("--older-than {age} is longer than any file can be old"));
            filter.changed_before = Some(before_now(age).ok_or_else(too_long)?);
        }
        Ok(filter)
    }
}

fn parse_role(name: &str) -> Result<Role, String> {
    Role::ALL.into_iter().find(|role| role.name() == name).ok_or_else(|| {
        let names: Vec<_> = Role::ALL.iter().map(|role| role.name()).collect();
        format!("expected a role: {}", names.join(", "))
    })
}
