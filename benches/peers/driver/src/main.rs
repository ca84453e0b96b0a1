//! Builds this tracker and its peers, runs them in turn, interleaved and repeated, and tells what came of it.
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

use machine::{Machine, load, said};
use measure::{Bench, build};
use results::Results;
use rows::{REFERENCE, ROWS, Row};
use scratch::Scratch;

const HELP: &str = "\
Builds this tracker and its peers, runs them in turn and prints one table.

  --quick             less of everything: within ten minutes once built
  --json FILE         writes every run to FILE
  --from FILE         measures nothing: takes the runs of an earlier --json
  --write-docs        writes the tables and the chart into docs/performance.md and docs/performance.svg
  --only PEER,…       these peers and this tracker (the folders' names)
  --repetitions N     5 unless said otherwise, 3 with --quick
  --dir FOLDER        where the queues lie: the disk that is measured; the build folder unless said otherwise
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
                options.repetitions = Some(number.parse().map_err(|_| format!("{number} is no number"))?);
            }
            "--help" | "-h" => return Ok(None),
            _ => return Err(format!("no option is called {word}; see --help")),
        }
    }
    Ok(Some(options))
}

fn main() -> ExitCode {
    let told = match options(std::env::args().skip(1)) {
        Ok(Some(options)) => run(&options),
        Ok(None) => {
            print!("{HELP}");
            Ok(())
        }
        Err(error) => Err(error.into()),
    };
    match told {
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
        machine: Machine::look(scratch.root()),
        command: command(options),
        begun: said("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
        not_built: build(Path::new(&options.peers), rows),
        ..Results::default()
    };
    let begun = Instant::now();
    results.machine.load = vec![load()];
    let bench = Bench {
        rows,
        programs: target.join("release"),
        scratch,
        quick: options.quick,
        repetitions: options.repetitions.unwrap_or(if options.quick { 3 } else { 5 }),
        begun,
        budget: Duration::from_secs(if options.quick { 590 } else { 3000 }),
    };
    if flushes::can_count() {
        for row in rows.iter().filter(|row| !results.not_built.iter().any(|(peer, _)| peer == row.peer)) {
            eprintln!("counting flushes of {}", row.name);
            results.flushes.push(flushes::count(&bench.programs, row, &bench.scratch));
        }
    }
    bench.run(&mut results);
    results.seconds = begun.elapsed().as_secs();
    results.machine.load.push(load());
    Ok(results)
}

/// The command as another would type it.
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
