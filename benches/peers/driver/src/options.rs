//! The command line.

use std::path::PathBuf;

pub const HELP: &str = "\
Builds this tracker and its peers, runs them in turn and prints one table.

  --postgres          the peers on a PostgreSQL server, which is started for the measurement
  --claims            with --postgres: also queues of a million tasks and of a million dead rows, which take long to fill
  --quick             fewer tasks and shorter limits: about ten minutes once built
  --json FILE         writes every run to FILE
  --from FILE         measures nothing and reads the runs of an earlier --json
  --write-docs        writes the tables and the chart into docs/performance.md and docs/performance.svg,
                      with --postgres the tables into docs/postgres-performance.md
  --only PEER,…       measures this tracker and these peers (names of folders)
  --repetitions N     at most N repetitions: by default 5, and 3 with --quick; at least 2 always run, unless N is 1
  --dir FOLDER        the folder of the queues, on the disk to measure: by default the build folder
";

#[derive(Default)]
pub struct Options {
    pub peers: PathBuf,
    pub postgres: bool,
    pub claims: bool,
    pub quick: bool,
    pub json: Option<PathBuf>,
    pub from: Option<PathBuf>,
    pub write_docs: bool,
    pub only: Vec<String>,
    pub repetitions: Option<u32>,
    pub dir: Option<PathBuf>,
}

impl Options {
    /// Parses the command line without the program's name. Returns `None` if it asks for help.
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut options = Self::default();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--postgres" => options.postgres = true,
                "--claims" => options.claims = true,
                "--quick" => options.quick = true,
                "--write-docs" => options.write_docs = true,
                "--peers" => options.peers = value()?.into(),
                "--json" => options.json = Some(value()?.into()),
                "--from" => options.from = Some(value()?.into()),
                "--dir" => options.dir = Some(value()?.into()),
                "--only" => options.only = value()?.split(',').map(str::to_owned).collect(),
                "--repetitions" => {
                    let number = value()?;
                    options.repetitions =
                        Some(number.parse().map_err(|_| format!("--repetitions needs a number, not {number}"))?);
                }
                "--help" | "-h" => return Ok(None),
                _ => return Err(format!("unknown option {word}; see --help")),
            }
        }
        if options.claims && !options.postgres {
            return Err("--claims needs --postgres".to_owned());
        }
        Ok(Some(options))
    }

    /// The command line of this measurement.
    pub fn command(&self) -> String {
        let mut words = vec!["benches/peers/run".to_owned()];
        for (chosen, word) in [(self.postgres, "--postgres"), (self.claims, "--claims"), (self.quick, "--quick")] {
            if chosen {
                words.push(word.to_owned());
            }
        }
        if !self.only.is_empty() {
            words.push(format!("--only {}", self.only.join(",")));
        }
        if let Some(repetitions) = self.repetitions {
            words.push(format!("--repetitions {repetitions}"));
        }
        words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Option<Options>, String> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn command_repeats_the_measurement() {
        let line =
            "--peers benches/peers --postgres --claims --quick --only pgqrs,underway --repetitions 2 --json runs.json";
        let expected = "benches/peers/run --postgres --claims --quick --only pgqrs,underway --repetitions 2";
        assert_eq!(parse(line).unwrap().unwrap().command(), expected);
        assert!(parse("--postgres --help").unwrap().is_none());
    }

    #[test]
    fn claims_without_a_server_are_refused() {
        assert!(parse("--claims").err().unwrap().contains("--postgres"));
        assert!(parse("--claims --postgres").unwrap().unwrap().claims);
    }
}
