use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

/// What a peer is asked for.
#[derive(Clone, Debug)]
pub struct Args {
    /// What to do.
    pub scenario: Scenario,
    /// Which of the peer's configurations.
    pub variant: String,
    /// How many tasks.
    pub tasks: u64,
    /// How many bodies at once.
    pub workers: usize,
    /// How long a body takes.
    pub body: Duration,
    /// When to stop and report what was reached.
    pub limit: Duration,
    /// The folder of the queue's files.
    pub dir: PathBuf,
}

/// What a peer can be asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Submit tasks one after the other.
    Submit,
    /// Submit tasks by the call for many.
    Bulk,
    /// Fill the queue by the fastest way there is, without a clock.
    Fill,
    /// Run what is in the queue until every status is terminal in the store.
    Drain,
    /// Submit one task to an idle worker, and again.
    Latency,
    /// Fill the queue and work on it until killed.
    Crash,
    /// Open after a crash, and work until every status is terminal.
    Resume,
}

const NAMES: [(&str, Scenario); 7] = [
    ("submit", Scenario::Submit),
    ("bulk", Scenario::Bulk),
    ("fill", Scenario::Fill),
    ("drain", Scenario::Drain),
    ("latency", Scenario::Latency),
    ("crash", Scenario::Crash),
    ("resume", Scenario::Resume),
];

impl FromStr for Scenario {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = NAMES.iter().find(|(name, _)| *name == text);
        found.map(|(_, scenario)| *scenario).ok_or_else(|| format!("no scenario is called {text}"))
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = NAMES.iter().find(|(_, scenario)| scenario == self);
        f.write_str(found.map_or("unnamed", |(name, _)| name))
    }
}

impl Args {
    /// Reads the command line without the program's name.
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let scenario = words.next().ok_or("usage: peer SCENARIO [--variant V] [--tasks N] [--workers W] …")?.parse()?;
        let mut args = Self {
            scenario,
            variant: String::new(),
            tasks: 1000,
            workers: 1,
            body: Duration::ZERO,
            limit: Duration::from_secs(60),
            dir: PathBuf::from("."),
        };
        while let Some(word) = words.next() {
            let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
            match word.as_str() {
                "--variant" => args.variant = value,
                "--tasks" => args.tasks = number(&word, &value)?,
                "--workers" => args.workers = number(&word, &value)?,
                "--body-us" => args.body = Duration::from_micros(number(&word, &value)?),
                "--seconds" => args.limit = Duration::from_secs(number(&word, &value)?),
                "--dir" => args.dir = PathBuf::from(value),
                _ => return Err(format!("no option is called {word}")),
            }
        }
        Ok(args)
    }
}

fn number<N: FromStr>(word: &str, value: &str) -> Result<N, String> {
    value.parse().map_err(|_| format!("{word} needs a number, not {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args, String> {
        Args::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_line_is_read() {
        let args = parse("drain --variant wal --tasks 5000 --workers 8 --body-us 1000 --dir /tmp/x").unwrap();
        assert_eq!((args.scenario, args.variant.as_str(), args.tasks), (Scenario::Drain, "wal", 5000));
        assert_eq!((args.workers, args.body, args.dir), (8, Duration::from_millis(1), PathBuf::from("/tmp/x")));
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(parse("swim").unwrap_err().contains("swim"));
        assert!(parse("drain --tasks many").unwrap_err().contains("--tasks needs a number, not many"));
        assert!(parse("drain --speed 9").unwrap_err().contains("--speed"));
    }
}
