//! `tracker budget`: lists, sets and removes the budgets of resources that tasks need. Reads the file; changes it through `FileControl`.

use std::io;

use serde::Serialize;
use tracker_core::{inspect::ResourceBudget, live::Request};

use crate::{
    bulk::BulkResult,
    error::CliError,
    exit::Exit,
    file::FileArg,
    output::{Cell, Output, Table, TextStyle, TextWriter, View},
};

/// Lists, sets and removes the budgets of resources that tasks need
///
/// A task starts only if its needs fit into the budgets beside those of the tasks in progress. A resource without a budget holds nothing back.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: BudgetCommand,
}

#[derive(clap::Subcommand)]
enum BudgetCommand {
    /// Lists the budgets and how much of each is in use
    List(ListArgs),
    /// Sets the budget of a resource
    Set(SetArgs),
    /// Removes the budget of a resource
    Remove(RemoveArgs),
}

#[derive(clap::Args)]
struct ListArgs {
    #[command(flatten)]
    file: FileArg,
}

#[derive(clap::Args)]
struct SetArgs {
    #[command(flatten)]
    file: FileArg,
    /// The name of the resource
    resource: String,
    /// The budget in the unit of the needs, from 1
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    amount: u64,
}

#[derive(clap::Args)]
struct RemoveArgs {
    #[command(flatten)]
    file: FileArg,
    /// The name of the resource
    resource: String,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, CliError> {
        match &self.command {
            BudgetCommand::List(args) => args.run(output),
            BudgetCommand::Set(args) => change(&args.file, output, "set", &args.resource, Some(args.amount)),
            BudgetCommand::Remove(args) => change(&args.file, output, "removed", &args.resource, None),
        }
    }
}

impl ListArgs {
    fn run(&self, output: &Output) -> Result<Exit, CliError> {
        let budgets = self.file.inspect()?.budgets()?.into_iter().map(BudgetView::from).collect();
        output.print(&BudgetList { budgets })?;
        Ok(Exit::Success)
    }
}

/// Sets or removes a budget, on the file or through the process that has it open.
fn change(
    file: &FileArg,
    output: &Output,
    action: &'static str,
    resource: &str,
    amount: Option<u64>,
) -> Result<Exit, CliError> {
    let control = file.open_for_changes()?;
    let report = control.perform(&Request::SetBudget { resource: resource.to_owned(), amount })?;
    control.close()?;
    let result = BulkResult {
        changed: report.changed,
        selected: report.changed,
        things: ["budget", "budgets"],
        ..BulkResult::new(action)
    };
    output.print(&result)?;
    Ok(result.exit())
}

#[derive(Serialize)]
struct BudgetList {
    budgets: Vec<BudgetView>,
}

#[derive(Serialize)]
struct BudgetView {
    resource: String,
    amount: u64,
    in_use: u64,
}

impl From<ResourceBudget> for BudgetView {
    fn from(budget: ResourceBudget) -> Self {
        Self { resource: budget.resource, amount: budget.amount, in_use: budget.in_use }
    }
}

impl View for BudgetList {
    fn write(&self, out: &mut TextWriter<'_>) -> io::Result<()> {
        if self.budgets.is_empty() {
            return out.line(TextStyle::Quiet, "the file has no budgets");
        }
        let mut table = Table::new(["resource", "budget", "in use"]);
        for budget in &self.budgets {
            table.row([
                Cell::new(TextStyle::Strong, &budget.resource),
                Cell::right(TextStyle::Plain, &budget.amount),
                Cell::right(TextStyle::Plain, &budget.in_use),
            ]);
        }
        table.write(out)
    }
}
