//! `tracker counts`: the number of tasks by kind and status. Reads the file.

use std::io;

use serde::Serialize;

use crate::{
    error::CliError,
    exit::Exit,
    file::{FileArg, KindArg},
    output::{Output, TextStyle, TextWriter, View, number},
    task::CountsView,
};

/// Prints the number of tasks by kind and status
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
    #[command(flatten)]
    kind: KindArg,
}

#[derive(Serialize)]
struct AllCounts {
    kinds: Vec<CountsView>,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, CliError> {
        let tracker = self.file.inspect()?;
        let kinds = self.kind.all(&tracker)?;
        let kinds = kinds.iter().map(CountsView::of).collect::<Result<_, _>>()?;
        output.print(&AllCounts { kinds })?;
        Ok(Exit::Success)
    }
}

impl View for AllCounts {
    fn write(&self, out: &mut TextWriter<'_>) -> io::Result<()> {
        for (at, kind) in self.kinds.iter().enumerate() {
            if at > 0 {
                out.end()?;
            }
            out.text(TextStyle::Strong, &kind.kind)?;
            out.line(TextStyle::Plain, &format!("  {}", number::counted(kind.total, "task", "tasks")))?;
            kind.write(out)?;
        }
        Ok(())
    }
}
