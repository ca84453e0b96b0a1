//! Builds this tracker and its peers, runs them in turn and repeatedly, and prints the tables.
#![forbid(unsafe_code)]

mod chart;
mod columns;
mod crash;
mod flushes;
mod machine;
mod measure;
mod page;
mod process;
mod results;
mod rows;
mod scratch;
mod spread;
mod table;
#[cfg(test)]
mod tests;
mod verdict;

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use machine::{Machine, first_line_of, load};
use measure::{Bench, build};
use process::Call;
use results::{Results, StaleEnds};
use rows::{REFERENCE, ROWS, Row, Side};
use scratch::Scratch;

const HELP: &str = "\
Builds this tracker and its peers, runs them in turn and prints one table.

  --quick             fewer tasks and shorter limits: about ten minutes once built
  --json FILE         writes every run to FILE
  --from FILE         measures nothing and reads the runs of an earlier --json
  --write-docs        writes the tables and the chart into docs/performance.md and docs/performance.svg
  --only PEER,…       measures this tracker and these peers (names of folders)
  --repetitions N     at most N repetitions: by default 5, and 3 with --quick; at least 2 always run, unless N is 1
  --dir FOLDER        the folder of the queues, on the disk to measure: by default the build folder
";

#[derive(Default)]
struct Options {
    peers: PathBuf,
    quick: bool,
    json: Option<PathBuf>,
    from: Option<PathBuf>,
    write_docs: bool,
    only: Vec<String>,
    repetitions: Option<u32>,
    dir: Option<PathBuf>,
}

fn options(mut words: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options::default();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
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
    Ok(Some(options))
}

fn main() -> ExitCode {
    let result = match options(std::env::args().skip(1)) {
        Ok(Some(options)) => run(&options),
        Ok(None) => {
            print!("{HELP}");
            Ok(())
        }
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let chosen =
        |row: &&Row| options.only.is_empty() || row.name == REFERENCE || options.only.iter().any(|o| o == row.peer);
    let rows: Vec<Row> = ROWS.iter().filter(chosen).copied().collect();
    let results = match &options.from {
        Some(file) => serde_json::from_str(&fs::read_to_string(file)?)?,
        None => measure(options, &rows)?,
    };
    if let Some(file) = &options.json {
        fs::write(file, serde_json::to_string_pretty(&results)?)?;
    }
    if options.write_docs {
        page::write(&options.peers.join("../../docs"), &results, &rows)?;
    }
    print!("{}", page::measured(&results, &rows));
    Ok(())
}

fn measure(options: &Options, rows: &[Row]) -> Result<Results, Box<dyn Error>> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| options.peers.join("target"), PathBuf::from);
    let scratch = Scratch::new(options.dir.as_deref().unwrap_or(&target))?;
    let mut results = Results {
        machine: Machine::read(scratch.root()),
        command: command(options),
        begun: first_line_of("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
        not_built: build(Path::new(&options.peers), rows),
        ..Results::default()
    };
    let begun = Instant::now();
    results.machine.load = vec![load()];
    let repetitions = options.repetitions.unwrap_or(if options.quick { 3 } else { 5 });
    let bench = Bench {
        rows,
        programs: target.join("release"),
        scratch,
        quick: options.quick,
        repetitions,
        least_repetitions: repetitions.min(2),
        begun,
        budget: Duration::from_secs(if options.quick { 590 } else { 3000 }),
    };
    let built: Vec<&Row> =
        rows.iter().filter(|row| !results.not_built.iter().any(|(peer, _)| peer == row.peer)).collect();
    for row in &built {
        results.stale_ends.extend(stale_ends(&bench.programs, row, &bench.scratch));
    }
    if flushes::can_count() {
        for row in built {
            eprintln!("counting flushes of {}", row.name);
            results.flushes.push(flushes::count(&bench.programs, row, &bench.scratch));
        }
    }
    bench.run(&mut results);
    results.seconds = begun.elapsed().as_secs();
    results.machine.load.push(load());
    Ok(results)
}

/// Asks a row to end a stale claim. Returns `None` if the library has no calls for that, or fails.
fn stale_ends(programs: &Path, row: &Row, scratch: &Scratch) -> Option<StaleEnds> {
    if row.side == Side::Floor {
        return None;
    }
    let (dir, scenario) = (scratch.empty(row.name)?, "stale-end");
    let call = Call { scenario, tasks: 2, workers: 1, handler_us: 0, seconds: 20, standstill: 20, dir };
    let [from_other_worker, from_same_worker] = call.run(programs, row, &[]).ok()?.stale_ends_accepted?;
    Some(StaleEnds { row: row.name.to_owned(), from_other_worker, from_same_worker })
}

/// The command line of this measurement.
fn command(options: &Options) -> String {
    let mut words = vec!["benches/peers/run".to_owned()];
    if options.quick {
        words.push("--quick".to_owned());
    }
    if !options.only.is_empty() {
        words.push(format!("--only {}", options.only.join(",")));
    }
    if let Some(repetitions) = options.repetitions {
        words.push(format!("--repetitions {repetitions}"));
    }
    words.join(" ")
}
