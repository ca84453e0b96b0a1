//! Queues in files: a fresh folder for each run, and copies of filled queues.

use std::{path::PathBuf, time::Duration};

use crate::{
    columns::Column,
    crash,
    measure::{Place, call, measured},
    process::Call,
    results::Outcome,
    rows::Row,
    scratch::Scratch,
};

/// The folders of a measurement, and the programs of the peers.
pub struct Folders {
    pub programs: PathBuf,
    pub scratch: Scratch,
}

impl Place for Folders {
    fn cell(&self, row: &Row, column: Column, quick: bool) -> Result<Outcome, String> {
        let mut call = call(column, quick);
        if column.is_drain() {
            let fill = |dir| {
                let fill = Call { scenario: "fill", dir, seconds: call.seconds * 2, ..call.clone() };
                Ok(fill.run(&self.programs, row, &[])?.done)
            };
            (call.dir, call.tasks) = self.scratch.copy(&format!("{} {}", row.name, call.tasks), fill)?;
        } else {
            call.dir = self.scratch.empty(row.name).ok_or("no folder for the queue")?;
        }
        if column == Column::Crash {
            return crash::run(&self.programs, row, &call);
        }
        let report = call.run(&self.programs, row, &[])?;
        Ok(if report.unsupported { Outcome::Unsupported } else { Outcome::Measured(measured(column, &report)) })
    }

    fn filling(&self) -> Duration {
        self.scratch.filling()
    }
}
