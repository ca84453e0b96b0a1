use crate::{
    act::{Acted, ConfirmArg},
    exit::Exit,
    failure::Failure,
    file::{FileArg, KindArg},
    output::{Output, number},
    span::Span,
};

/// Frees tasks whose leases ran out, or that run for too long
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
    #[command(flatten)]
    kind: KindArg,
    /// Also those that were claimed longer ago than this; their workers lose them
    #[arg(long, value_name = "SPAN")]
    running_longer_than: Option<Span>,
    #[command(flatten)]
    confirm: ConfirmArg,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, Failure> {
        let tracker = self.file.act()?;
        let all = self.kind.all(&tracker)?;
        let mut freed = 0;
        for tasks in &all {
            freed += tasks.rescue()?.len() as u64;
        }
        if let Some(span) = self.running_longer_than {
            let now = tracker.now();
            let mut held = 0;
            for tasks in &all {
                let long = |since: chrono::DateTime<chrono::Utc>| (now - since).to_std().is_ok_and(|ran| ran > span.0);
                held += tasks.leases(usize::MAX)?.iter().filter(|leased| long(leased.lease.since)).count() as u64;
            }
            let what = format!("{} would be taken from their workers", number::counted(held, "task", "tasks"));
            if held > 0 && self.confirm.ask(output, &what)? {
                for tasks in &all {
                    freed += tasks.rescue_running_longer_than(span.0)?.len() as u64;
                }
            }
        }
        tracker.close()?;
        output.put(&Acted { what: "freed", done: freed, meant: freed, refused: Vec::new() })?;
        Ok(Exit::Fine)
    }
}
