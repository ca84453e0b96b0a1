use std::fmt;

use tracker_core::{Tasks, query::Query, status::Role};

use crate::{
    file::{FileRecord, FileTask},
    plan::shown,
    walk::Walk,
};

/// How things stand with the files of the folder.
#[derive(Default)]
pub struct Report {
    pub done: u64,
    pub failed: u64,
    /// Tasks whose files are no longer there.
    pub gone: u64,
}

/// Looks through all tasks of the folder, and tells the failed ones with the reason.
pub fn make(tasks: &Tasks<FileTask>, walk: &Walk) -> anyhow::Result<Report> {
    let mut report = Report::default();
    each(tasks.query(), |record| {
        if walk.shown(&record.task).is_none() {
            return Ok(());
        }
        if !is_there(&record.task) {
            report.gone += 1;
        } else if record.task.sha256.is_some() && record.status == crate::file::FileStatus::Succeeded {
            report.done += 1;
        }
        Ok(())
    })?;
    each(tasks.query().role(Role::Exhausted), |record| {
        if walk.shown(&record.task).is_some() && is_there(&record.task) {
            report.failed += 1;
            println!("failed: {}: {}", shown(&record.task), error_of(&record));
        }
        Ok(())
    })?;
    Ok(report)
}

pub fn is_there(task: &FileTask) -> bool {
    task.path().symlink_metadata().is_ok_and(|metadata| metadata.is_file())
}

/// Calls `tell` with each task of a query, oldest first, page by page: millions of tasks fit into little memory.
pub fn each(query: Query<'_, FileTask>, mut tell: impl FnMut(FileRecord) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut query = query.by_creation().limit(1_000);
    loop {
        let page = query.page()?;
        if let Some(task) = page.unreadable.first() {
            anyhow::bail!("{} of {} tasks cannot be decoded, first {}", page.unreadable.len(), page.len(), task.error);
        }
        page.items.into_iter().try_for_each(&mut tell)?;
        match page.next {
            Some(next) => query = query.after(next),
            None => return Ok(()),
        }
    }
}

/// Why a task's last attempt failed.
pub fn error_of(record: &FileRecord) -> String {
    let failure = record.history.iter().rev().find_map(|attempt| attempt.failure.as_ref());
    failure.map_or_else(|| "for no known reason".to_owned(), |failure| failure.error.clone())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} files have their sums, {} failed", self.done, self.failed)?;
        if self.gone > 0 {
            write!(f, "; tasks whose files are gone: {}", self.gone)?;
        }
        Ok(())
    }
}
