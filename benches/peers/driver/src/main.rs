//! Builds this tracker and its peers, runs them in turn and repeatedly, and prints the tables.
#![forbid(unsafe_code)]

mod chart;
mod columns;
mod crash;
mod flushes;
mod folders;
mod machine;
mod measure;
mod options;
mod page;
mod postgres;
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

use folders::Folders;
use machine::{Machine, first_line_of, load};
use measure::{Bench, Place, build};
use options::{HELP, Options};
use postgres::{Databases, Server};
use process::Call;
use results::{Results, StaleEnds};
use rows::{COLUMNS, REFERENCE, ROWS, Row, Side};
use scratch::Scratch;

fn main() -> ExitCode {
    let result = match Options::parse(std::env::args().skip(1)) {
        Ok(Some(options)) => run(&options),
        Ok(None) => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    if options.postgres && options.from.is_none() {
        let script = options.peers.join("../../tracker-postgres/with_server");
        if let Some(ended) = postgres::run_with_server(&script, options.dir.as_deref().unwrap_or(&target(options))) {
            return Ok(ended?);
        }
    }
    let all = if options.postgres { postgres::ROWS } else { ROWS };
    let chosen =
        |row: &&Row| options.only.is_empty() || row.name == REFERENCE || options.only.iter().any(|o| o == row.peer);
    let rows: Vec<Row> = all.iter().filter(chosen).copied().collect();
    let results = match &options.from {
        Some(file) => serde_json::from_str(&fs::read_to_string(file)?)?,
        None => measure(options, &rows)?,
    };
    if let Some(file) = &options.json {
        fs::write(file, serde_json::to_string_pretty(&results)?)?;
    }
    let docs = options.peers.join("../../docs");
    let (page, measured) = if options.postgres {
        ("postgres-performance.md", postgres::measured(&results, &rows))
    } else {
        ("performance.md", page::measured(&results, &rows))
    };
    if options.write_docs {
        page::write(&docs.join(page), &measured)?;
        if !options.postgres {
            fs::write(docs.join("performance.svg"), chart::svg(&results, &rows))?;
        }
    }
    print!("{measured}");
    Ok(ExitCode::SUCCESS)
}

/// The build folder of the peers.
fn target(options: &Options) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| options.peers.join("target"), PathBuf::from)
}

fn measure(options: &Options, rows: &[Row]) -> Result<Results, Box<dyn Error>> {
    let target = target(options);
    let programs = target.join("release");
    let dir = options.dir.as_deref().unwrap_or(&target);
    // Fails early, before the build.
    let server = if options.postgres { Some(Server::from_environment()?) } else { None };
    let mut results = Results {
        machine: Machine::read(dir),
        command: options.command(),
        begun: first_line_of("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
        server: server.as_ref().map(Server::description).transpose()?,
        not_built: build(&options.peers, rows),
        ..Results::default()
    };
    let begun = Instant::now();
    results.machine.load = vec![load()];
    let (columns, place): (_, Box<dyn Place>) = match server {
        Some(server) => (postgres::columns(options.claims), Box::new(Databases::new(programs, server))),
        None => (COLUMNS.to_vec(), Box::new(folders(programs, dir, rows, &mut results)?)),
    };
    let repetitions = options.repetitions.unwrap_or(if options.quick { 3 } else { 5 });
    let bench = Bench {
        rows,
        columns: &columns,
        place: place.as_ref(),
        quick: options.quick,
        repetitions,
        least_repetitions: repetitions.min(2),
        begun,
        budget: Duration::from_secs(if options.quick { 590 } else { 3000 }),
    };
    bench.run(&mut results);
    results.seconds = begun.elapsed().as_secs();
    results.machine.load.push(load());
    Ok(results)
}

/// The folders of the queues. Also counts flushes and ends stale claims, which peers on a server are not asked to.
fn folders(programs: PathBuf, dir: &Path, rows: &[Row], results: &mut Results) -> Result<Folders, Box<dyn Error>> {
    let scratch = Scratch::new(dir)?;
    let built: Vec<&Row> =
        rows.iter().filter(|row| !results.not_built.iter().any(|(peer, _)| peer == row.peer)).collect();
    for row in &built {
        results.stale_ends.extend(stale_ends(&programs, row, &scratch));
    }
    if flushes::can_count() {
        for row in built {
            eprintln!("counting flushes of {}", row.name);
            results.flushes.push(flushes::count(&programs, row, &scratch));
        }
    }
    Ok(Folders { programs, scratch })
}

/// Asks a row to end a stale claim. Returns `None` if the library has no calls for that, or fails.
fn stale_ends(programs: &Path, row: &Row, scratch: &Scratch) -> Option<StaleEnds> {
    if row.side == Side::Floor {
        return None;
    }
    let (dir, scenario) = (scratch.empty(row.name)?, "stale-end");
    let call =
        Call { scenario, tasks: 2, workers: 1, handler_us: 0, seconds: 20, standstill: 20, dir, ..Call::default() };
    let [from_other_worker, from_same_worker] = call.run(programs, row, &[]).ok()?.stale_ends_accepted?;
    Some(StaleEnds { row: row.name.to_owned(), from_other_worker, from_same_worker })
}
