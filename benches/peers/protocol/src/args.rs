//! The command line of a peer.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

/// The parsed command line.
#[derive(Clone, Debug)]
pub struct Args {
    /// The scenario to run.
    pub scenario: Scenario,
    /// One of the peer's configurations.
    pub variant: String,
    /// Number of tasks.
    pub tasks: u64,
    /// Number of handlers that run at once.
    pub workers: usize,
    /// Duration of a handler.
    pub handler: Duration,
    /// The scenario stops after this time and reports what was reached.
    pub limit: Duration,
    /// The scenario stops when nothing has changed for this time.
    pub standstill: Duration,
    /// The folder of the queue's files.
    pub dir: PathBuf,
    /// The database, for peers on a server.
    pub url: String,
    /// Number of tasks in the queue when the scenario begins, if it is not `tasks`.
    pub filled: Option<u64>,
}

/// The scenarios of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Submits tasks one after the other.
    Submit,
    /// Submits tasks by the library's bulk call.
    Bulk,
    /// Fills the queue by the fastest call, without a clock.
    Fill,
    /// Runs the tasks of the queue until every status is terminal in the store.
    Drain,
    /// Runs the tasks of the queue together with other processes, which the driver starts and stops.
    Share,
    /// Fills the queue with `filled` tasks, deletes them, and fills it with `tasks` tasks, so that dead rows stay.
    Wear,
    /// Submits one task to an idle worker, again and again.
    Latency,
    /// Fills the queue and runs its tasks until killed.
    Crash,
    /// Opens the queue after a crash, and works until every status is terminal.
    Resume,
    /// Ends a task by a claim that has expired and was replaced by another.
    StaleEnd,
}

const NAMES: [(&str, Scenario); 10] = [
    ("submit", Scenario::Submit),
    ("bulk", Scenario::Bulk),
    ("fill", Scenario::Fill),
    ("drain", Scenario::Drain),
    ("share", Scenario::Share),
    ("wear", Scenario::Wear),
    ("latency", Scenario::Latency),
    ("crash", Scenario::Crash),
    ("resume", Scenario::Resume),
    ("stale-end", Scenario::StaleEnd),
];

impl FromStr for Scenario {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = NAMES.iter().find(|(name, _)| *name == text);
        found.map(|(_, scenario)| *scenario).ok_or_else(|| format!("unknown scenario {text}"))
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = NAMES.iter().find(|(_, scenario)| scenario == self);
        f.write_str(found.map_or("unnamed", |(name, _)| name))
    }
}

impl Args {
    /// Parses the command line without the program's name.
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let scenario = words.next().ok_or("usage: peer SCENARIO [--variant V] [--tasks N] [--workers W] …")?.parse()?;
        let mut args = Self {
            scenario,
            variant: String::new(),
            tasks: 1000,
            workers: 1,
            handler: Duration::ZERO,
            limit: Duration::from_secs(60),
            standstill: Duration::from_secs(60),
            dir: PathBuf::from("."),
            url: String::new(),
            filled: None,
        };
        while let Some(option) = words.next() {
            let value = words.next().ok_or_else(|| format!("{option} needs a value"))?;
            match option.as_str() {
                "--variant" => args.variant = value,
                "--tasks" => args.tasks = number(&option, &value)?,
                "--workers" => args.workers = number(&option, &value)?,
                "--handler-us" => args.handler = Duration::from_micros(number(&option, &value)?),
                "--seconds" => args.limit = Duration::from_secs(number(&option, &value)?),
                "--standstill-seconds" => args.standstill = Duration::from_secs(number(&option, &value)?),
                "--dir" => args.dir = PathBuf::from(value),
                "--url" => args.url = value,
                "--filled" => args.filled = Some(number(&option, &value)?),
                _ => return Err(format!("unknown option {option}")),
            }
        }
        Ok(args)
    }

    /// Number of tasks in the queue when the scenario begins.
    #[must_use]
    pub fn filled(&self) -> u64 {
        self.filled.unwrap_or(self.tasks)
    }
}

fn number<N: FromStr>(option: &str, value: &str) -> Result<N, String> {
    value.parse().map_err(|_| format!("{option} needs a number, not {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args, String> {
        Args::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn command_line_is_parsed() {
        let args = parse("drain --variant wal --tasks 5000 --workers 8 --handler-us 1000 --dir /tmp/x").unwrap();
        assert_eq!((args.scenario, args.variant.as_str(), args.tasks), (Scenario::Drain, "wal", 5000));
        assert_eq!((args.workers, args.handler, &args.dir), (8, Duration::from_millis(1), &PathBuf::from("/tmp/x")));
        assert_eq!((args.filled(), args.url.as_str()), (5000, ""));
        let args = parse("share --tasks 5000 --filled 9000 --url postgres://owner@%2Ftmp/bench").unwrap();
        assert_eq!(
            (args.scenario, args.filled(), args.url.as_str()),
            (Scenario::Share, 9000, "postgres://owner@%2Ftmp/bench")
        );
    }

    #[test]
    fn error_names_the_wrong_word() {
        assert!(parse("swim").unwrap_err().contains("swim"));
        assert!(parse("drain --tasks many").unwrap_err().contains("--tasks needs a number, not many"));
        assert!(parse("drain --speed 9").unwrap_err().contains("--speed"));
    }
}
