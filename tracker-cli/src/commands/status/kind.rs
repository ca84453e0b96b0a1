use std::{collections::BTreeMap, io, time::Duration};

use chrono::{DateTime, Utc};
use serde::Serialize;
use tracker_core::{Tasks, inspect::LeasedTask, untyped::Untyped};

use super::{pace::PaceView, problem::Problem};
use crate::{
    commands::counts::CountsView,
    failure::Failure,
    output::{Ink, Page, number, time},
};

/// How far a kind is.
#[derive(Serialize)]
pub struct KindStatus {
    #[serde(flatten)]
    counts: CountsView,
    paused: bool,
    pace: PaceView,
    oldest_waiting: Option<Oldest>,
    /// At most the first thousand to run out.
    leases: u64,
    /// Who has them.
    owners: Vec<Owner>,
    problems: Vec<Problem>,
}

#[derive(Serialize)]
struct Oldest {
    id: String,
    since: DateTime<Utc>,
}

#[derive(Serialize)]
struct Owner {
    worker: String,
    tasks: u64,
    /// Its longest attempt began then.
    since: DateTime<Utc>,
}

/// So many leases are looked at.
const LEASES: usize = 1_000;
/// So many of their owners are named.
const OWNERS: usize = 8;

impl KindStatus {
    pub fn of(tasks: &Tasks<Untyped>, window: Duration, deserted: bool, now: DateTime<Utc>) -> Result<Self, Failure> {
        let (kind, counts) = (tasks.info()?, CountsView::of(tasks)?);
        let leased = tasks.leases(LEASES)?;
        let plan = tasks.plan(1)?;
        let oldest = tasks.oldest_waiting()?;
        Ok(Self {
            pace: PaceView::of(tasks, &kind, &counts, window, now)?,
            oldest_waiting: oldest.map(|(id, since)| Oldest { id: id.to_string(), since }),
            leases: leased.len() as u64,
            owners: owners(&leased),
            problems: Problem::all(&kind, &counts, &leased, &plan, deserted),
            paused: kind.paused,
            counts,
        })
    }

    pub fn show(&self, page: &mut Page<'_>, now: DateTime<Utc>) -> io::Result<()> {
        page.text(Ink::Strong, &self.counts.kind)?;
        page.text(Ink::Plain, &format!("  {}", number::counted(self.counts.total, "task", "tasks")))?;
        page.line(Ink::Warn, if self.paused { ", paused" } else { "" })?;
        self.counts.show(page)?;
        for (name, text) in self.pace.facts() {
            fact(page, name, &text)?;
        }
        if let Some(oldest) = &self.oldest_waiting {
            fact(page, "waiting", &format!("longest, for {}: {}", time::since(oldest.since, now), oldest.id))?;
        }
        for (at, owner) in self.owners.iter().take(OWNERS).enumerate() {
            let name = if at == 0 { "workers" } else { "" };
            let tasks = number::counted(owner.tasks, "task", "tasks");
            fact(page, name, &format!("{}: {tasks}, the longest for {}", owner.worker, time::since(owner.since, now)))?;
        }
        if self.owners.len() > OWNERS {
            fact(page, "", &format!("and {} others", self.owners.len() - OWNERS))?;
        }
        for problem in &self.problems {
            page.line(Ink::Warn, &format!("  ! {}", problem.text))?;
        }
        Ok(())
    }
}

fn fact(page: &mut Page<'_>, name: &str, text: &str) -> io::Result<()> {
    page.text(Ink::Quiet, &format!("  {name:<9}"))?;
    page.line(Ink::Plain, text)
}

/// By worker; who has most comes first.
fn owners(leased: &[LeasedTask]) -> Vec<Owner> {
    let mut by_worker: BTreeMap<&str, Owner> = BTreeMap::new();
    for LeasedTask { lease, .. } in leased {
        let owner = by_worker.entry(&lease.worker).or_insert_with(|| Owner {
            worker: lease.worker.clone(),
            tasks: 0,
            since: lease.since,
        });
        owner.tasks += 1;
        owner.since = owner.since.min(lease.since);
    }
    let mut owners: Vec<_> = by_worker.into_values().collect();
    owners.sort_by_key(|owner| std::cmp::Reverse(owner.tasks));
    owners
}
