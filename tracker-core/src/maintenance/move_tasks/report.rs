//! Reports the progress and the result of a move. Made by `move_tasks`, read by users and `tracker-cli`; plain data.

/// The progress of a move, which the callback of [`Options::move_tasks`](crate::Options::move_tasks) receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MoveProgress {
    /// The current step.
    pub step: MoveStep,
    /// Number of tasks that this call has finished in this step.
    pub tasks: u64,
    /// Number of tasks that the source has.
    pub all_tasks: u64,
}

/// The steps of a move, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MoveStep {
    /// Copies rows from the source to the target.
    CopyRows,
    /// Reads all rows of the source for the comparison.
    ReadSource,
    /// Reads all rows of the target for the comparison.
    ReadTarget,
}

/// The result of [`Options::move_tasks`](crate::Options::move_tasks). All numbers were the same in the source and in the target.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Moved {
    /// The kinds, in the order in which they came to the source.
    pub kinds: Vec<MovedKind>,
    /// Number of batches.
    pub batches: u64,
    /// Number of schedules.
    pub schedules: u64,
    /// Number of rows that belong to no kind, such as batches, schedules and budgets.
    pub other_rows: u64,
    /// The XXH3 checksum of these rows, in the order of their tables and keys.
    pub other_checksum: u64,
    /// The fence of the first claim in the target. Each fence of the source is below it.
    pub next_fence: u64,
    /// Whether an earlier call had copied a part.
    pub was_continued: bool,
    /// The tables of your own in the source. They were not moved.
    pub own_tables: Vec<String>,
}

/// A kind that was moved.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MovedKind {
    /// The name of the kind.
    pub name: String,
    /// Number of tasks.
    pub tasks: u64,
    /// Number of tasks in each status that has tasks, by the name of the status.
    pub statuses: Vec<(String, u64)>,
    /// Number of rows of the kind in all tables: tasks, attempts, indexes, dependencies and others.
    pub rows: u64,
    /// The XXH3 checksum of these rows, in the order of their tables and keys.
    pub checksum: u64,
}
