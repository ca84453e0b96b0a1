//! `tracker events`: prints the events of the application that has the file open, as they come. Reads its socket, and the file for the state at
//! the start.

mod event_line;
mod stop;

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use tracker_core::{
    ErrorKind, Tracker,
    live::{Client, EventSelection},
};

use self::{event_line::EventLine, stop::Stop};
use crate::{
    commands::run::signals,
    error::CliError,
    exit::Exit,
    file::{FileArg, KindArg, why_without_events},
    output::Output,
    task::TaskView,
};

/// Prints the events of tasks as they come, until Ctrl-C
///
/// The events come from the application that has the file open. Without one, the command waits until an application opens the file. A line
/// `connected` or `disconnected` says since when, and until when, events are complete; `lagged` says how many a slow reader missed.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
    #[command(flatten)]
    kind: KindArg,
    /// Leaves out the progress of running tasks
    #[arg(long)]
    no_progress: bool,
    /// Prints the stored tasks at each connection, before the events
    #[arg(long)]
    snapshot: bool,
}

/// How often the command looks for an application.
const EVERY: Duration = Duration::from_millis(50);
/// How long an application that has opened the file may take to serve other processes.
const STARTUP: Duration = Duration::from_secs(1);
/// The number of tasks that a snapshot reads at a time.
const PAGE: usize = 1_000;

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, CliError> {
        let path = self.file.file_only(
            "events",
            "`tracker top` shows tasks live, and `tracker wait` waits for a task: events go from an application to the processes of its machine",
        )?;
        let stop = Arc::new(Stop::default());
        let requested = stop.clone();
        signals::on_request_to_end(move || requested.request())
            .map_err(|error| CliError::file(format!("cannot handle signals: {error}")))?;
        while !stop.is_requested() {
            let Some(client) = self.find_application(path, &stop)? else { break };
            match self.follow(&client, &stop, output) {
                Err(FollowError::Other(error)) => return Err(error),
                Err(FollowError::Closed) | Ok(()) => {}
            }
        }
        Ok(Exit::Success)
    }

    /// Waits for an application that has the file open. `None` if the command is asked to end.
    fn find_application(&self, path: &Path, stop: &Stop) -> Result<Option<Client>, CliError> {
        let mut next_check = Instant::now() + STARTUP;
        let (mut is_announced, mut is_blocked) = (false, false);
        loop {
            if let Some(client) = Client::find(path)? {
                return Ok(Some(client));
            }
            if !path.exists() {
                // The error names the missing file.
                self.file.inspect()?;
            }
            if Instant::now() >= next_check {
                next_check = Instant::now() + STARTUP;
                match why_without_events(path) {
                    Some(why) if is_blocked => return Err(CliError::file(why)),
                    // A process that has just opened the file serves others a moment later.
                    Some(_) => is_blocked = true,
                    None => is_blocked = false,
                }
                if !is_blocked && !is_announced {
                    self.kind.all(&self.file.inspect()?)?;
                    eprintln!("tracker: no application has {} open: waiting for one", self.file.word());
                    is_announced = true;
                }
            }
            if stop.wait(EVERY) {
                return Ok(None);
            }
        }
    }

    /// Prints events until the application closes the file, or the command is asked to end.
    fn follow(&self, client: &Client, stop: &Stop, output: &Output) -> Result<(), FollowError> {
        let mut selection = EventSelection::default();
        selection.kind.clone_from(&self.kind.kind);
        selection.without_progress = self.no_progress;
        let events = client.subscribe(&selection)?;
        stop.set_stream(events.handle());
        output.print(&EventLine::connected())?;
        if self.snapshot {
            self.print_snapshot(&self.file.inspect()?, output)?;
        }
        for event in events {
            match event {
                Ok(event) => EventLine::of(event).map_or(Ok(()), |line| output.print(&line))?,
                Err(error) if error.kind() == ErrorKind::Closed => break,
                Err(error) => return Err(error.into()),
            }
        }
        if !stop.is_requested() {
            output.print(&EventLine::disconnected())?;
        }
        Ok(())
    }

    fn print_snapshot(&self, tracker: &Tracker, output: &Output) -> Result<(), CliError> {
        for tasks in self.kind.all(tracker)? {
            let kind = tasks.info()?;
            let mut after = None;
            loop {
                let mut query = tasks.query().limit(PAGE);
                if let Some(after) = after {
                    query = query.after(after);
                }
                let page = query.page()?;
                crate::output::warn_unreadable(&page.unreadable);
                after = page.next;
                for record in page.items {
                    output.print(&EventLine::task(TaskView::new(record, &kind)))?;
                }
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// Why a connection ended early.
enum FollowError {
    /// The application closed the file before the subscription.
    Closed,
    Other(CliError),
}

impl From<tracker_core::Error> for FollowError {
    fn from(error: tracker_core::Error) -> Self {
        if error.kind() == ErrorKind::Closed { Self::Closed } else { Self::Other(error.into()) }
    }
}

impl From<CliError> for FollowError {
    fn from(error: CliError) -> Self {
        Self::Other(error)
    }
}
