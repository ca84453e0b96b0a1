//! The panel: what it shows, kept up to date by events, and the commands of its buttons. Nothing here waits for the disk.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    sync::mpsc::{self, Receiver, Sender},
    time::{Duration, Instant},
};

use tracker_core::{
    Result, TaskStatus, Tasks,
    deferred::{DeferredTasks, Pending},
    events::{EventKind, Notification, Subscription},
    task::TaskId,
};

use crate::{Hash, HashStatus};

/// 60 frames a second.
const FRAME: Duration = Duration::from_micros(16_667);

struct Row {
    status: HashStatus,
    progress: Option<(u64, u64)>,
}

pub struct Panel {
    commands: DeferredTasks<Hash>,
    events: Subscription,
    rows: BTreeMap<String, Row>,
    first_started: Option<String>,
    /// Number of commands that are not answered.
    unanswered: usize,
    answers: (Sender<Result<()>>, Receiver<Result<()>>),
    frame_times: Vec<Duration>,
}

impl Panel {
    pub fn open(hashes: &Tasks<Hash>) -> Result<Self> {
        let (events, rows) = hashes.subscription().subscribe_with_snapshot(|| rows(hashes))?;
        Ok(Self {
            commands: hashes.deferred()?,
            events,
            rows,
            first_started: None,
            unanswered: 0,
            answers: mpsc::channel(),
            frame_times: Vec::new(),
        })
    }

    /// Draws frames until the condition holds.
    pub fn draw_until(&mut self, is_met: impl Fn(&Self) -> bool) {
        while !is_met(self) {
            let start = Instant::now();
            self.draw();
            let time = start.elapsed();
            self.frame_times.push(time);
            std::thread::sleep(FRAME.saturating_sub(time));
        }
    }

    /// One frame: applies the events and the answers since the last one. A window would paint its rows here.
    fn draw(&mut self) {
        while let Some(notification) = self.events.try_next() {
            self.apply(notification);
        }
        for answer in self.answers.1.try_iter() {
            self.unanswered -= 1;
            if let Err(error) = answer {
                println!("  error: {error}");
            }
        }
    }

    fn apply(&mut self, notification: Notification) {
        match notification {
            Notification::Event(event) => {
                let id = event.id.to_string();
                match event.what {
                    EventKind::Deleted => drop(self.rows.remove(&id)),
                    EventKind::Progress { done, total, .. } => {
                        if let Some(row) = self.rows.get_mut(&id) {
                            row.progress = total.map(|total| (done, total));
                        }
                    }
                    what => {
                        if matches!(what, EventKind::Claimed { .. }) && self.first_started.is_none() {
                            self.first_started = Some(id.clone());
                        }
                        if let Some(status) = event.status.and_then(HashStatus::from_code) {
                            self.rows.insert(id, Row { status, progress: None });
                        }
                    }
                }
            }
            // Events were dropped: the rows are read again, and later events follow.
            Notification::Lagged(_) => {
                if let Ok(rows) = rows(self.commands.tasks()) {
                    self.rows = rows;
                }
            }
            _ => {}
        }
    }

    pub fn add(&mut self, paths: &[PathBuf]) {
        let jobs: Vec<_> = paths.iter().map(|path| Hash { path: path.clone(), sha256: None }).collect();
        let added = self.commands.submit_all(jobs);
        self.expect(added);
    }

    pub fn move_to_top(&mut self, path: &Path) {
        let moved = self.commands.move_to_front(path);
        self.expect(moved);
    }

    pub fn cancel(&mut self, path: &Path) {
        let cancelled = self.commands.cancel(path);
        self.expect(cancelled);
    }

    pub fn resume(&mut self) {
        let resumed = self.commands.resume();
        self.expect(resumed);
    }

    pub fn remove_done(&mut self) {
        let removed = self.commands.call(|hashes| hashes.query().status(HashStatus::Done).remove());
        self.expect(removed);
    }

    /// Has the answer of a command reach the panel in a later frame.
    fn expect<R: Send + 'static>(&mut self, command: Pending<R>) {
        let answers = self.answers.0.clone();
        self.unanswered += 1;
        command.on_done(move |answer| drop(answers.send(answer.map(drop))));
    }

    pub fn is_idle(&self) -> bool {
        self.unanswered == 0
    }

    pub fn count(&self, status: HashStatus) -> usize {
        self.rows.values().filter(|row| row.status == status).count()
    }

    /// Bytes done and in all.
    pub fn progress(&self, path: &Path) -> Option<(u64, u64)> {
        self.rows.get(&path.to_key().to_string())?.progress
    }

    pub fn first_started(&self) -> String {
        let path = self.first_started.as_deref().map(Path::new);
        path.and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned()
    }

    pub fn print_times(&mut self, session: &str) {
        self.frame_times.sort_unstable();
        let at = |share: usize| self.frame_times.get(self.frame_times.len() * share / 100).copied().unwrap_or_default();
        let longest = self.frame_times.last().copied().unwrap_or_default();
        let frames = self.frame_times.len();
        eprintln!("{session}: {frames} frames, time of one p50 {:?}, p99 {:?}, longest {longest:?}", at(50), at(99));
    }
}

fn rows(hashes: &Tasks<Hash>) -> Result<BTreeMap<String, Row>> {
    let records = hashes.query().fetch()?;
    Ok(records
        .into_iter()
        .map(|record| (record.id.to_string(), Row { status: record.status, progress: None }))
        .collect())
}

impl fmt::Display for Panel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut counts = BTreeMap::new();
        for row in self.rows.values() {
            *counts.entry(row.status).or_insert(0) += 1;
        }
        counts.iter().try_for_each(|(status, count)| writeln!(f, "  {status:?}: {count}"))
    }
}
