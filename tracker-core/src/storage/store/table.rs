//! `StoreTable` names each table of a tracker, for stores. Used by `storage`, `maintenance/move_tasks` and stores such as `tracker-postgres`;
//! plain data.

macro_rules! tables {
    ($($(#[$doc:meta])* $table:ident = $name:literal,)*) => {
        /// A table of a tracker. Its keys are bytes in the order of `memcmp`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum StoreTable {
            $($(#[$doc])* $table,)*
        }

        impl StoreTable {
            /// All tables.
            pub const ALL: &[Self] = &[$(Self::$table,)*];

            /// Returns the name of the table, such as `headers`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$table => $name,)*
                }
            }
        }
    };
}

tables! {
    /// The format and the file state.
    Meta = "meta",
    /// Definitions of kinds by kind number.
    Kinds = "kinds",
    /// Headers of tasks: everything but id, keys and payload.
    Headers = "headers",
    /// Ids, keys and payloads of tasks.
    Payloads = "payloads",
    /// Payloads that replace the payload of a task when its running attempt ends.
    Successors = "successors",
    /// Progress of running attempts.
    Progress = "progress",
    /// Attempts that ended, by task and fence.
    History = "history",
    /// Tasks by kind and id.
    Ids = "ids",
    /// Tasks by unique key.
    UniqueKeys = "unique_keys",
    /// Tasks by indexed value.
    Indexes = "indexes",
    /// The order in which tasks are claimed, per kind and status.
    ClaimOrder = "claim_order",
    /// The order of last changes, for statuses that the claim order sorts by another time.
    Updated = "updated",
    /// Number of tasks per kind and status.
    Counts = "counts",
    /// The tasks and batches that a task waits for.
    Dependencies = "dependencies",
    /// The tasks that wait for a task or a batch.
    Dependents = "dependents",
    /// Ended tasks and batches, some of whose dependents do not know the end yet.
    Propagations = "propagations",
    /// Batches by number.
    Batches = "batches",
    /// Batches by label.
    BatchLabels = "batch_labels",
    /// Tasks of batches.
    BatchMembers = "batch_members",
    /// Tasks that are submitted when a batch ends.
    FollowUps = "follow_ups",
    /// Schedules by name.
    Schedules = "schedules",
    /// The submits that were accepted last, by throttle key.
    Throttles = "throttles",
    /// The ends of throttle periods.
    ThrottleEnds = "throttle_ends",
    /// In kinds with one limit or needs: the queue of each limit key.
    LimitQueues = "limit_queues",
    /// In kinds with one limit or needs: the first tasks of queues that may start.
    LimitHeads = "limit_heads",
    /// In kinds with limits or needs: number of tasks in progress by limit key.
    LimitInUse = "limit_in_use",
    /// In kinds with several limits: lists of the first tasks of each class (tasks with the same limited values and needs).
    HeadLists = "head_lists",
    /// Budgets by resource.
    Budgets = "budgets",
    /// In kinds with needs: tasks that did not fit into the budgets, and how many later tasks have started since.
    Overtaken = "overtaken",
    /// In kinds with a rate limit: the times of the latest starts.
    RateStarts = "rate_starts",
}
