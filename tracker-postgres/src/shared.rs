//! `Shared`: the state that all units of work of a store share: the pool of connections, their settings, and the waits for a server that is
//! away. Used by units, commits and the store; opens connections.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{Mutex, MutexGuard, PoisonError, atomic::AtomicI32},
    thread,
    time::{Duration, Instant},
};

use tracker_core::{
    Error, ErrorKind,
    store::{Access, Want, store_error},
};
use uuid::Uuid;

use crate::{
    claim_starts::ClaimStarts,
    edits::Missing,
    error,
    load::Plan,
    numbers::Learned,
    options::{Isolation, PostgresOptions},
    pool::{NoSlot, Pool, Slot},
    schema,
    sql::{Mode, Sql, open_class},
    wire::{
        connection::{Answer, Connection, Step},
        error::{Result as WireResult, WireError},
        params::Params,
        row::Row,
    },
};

/// The pauses between attempts to reach the server.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// How much longer than a lock the answer to a statement may take.
const GRACE: Duration = Duration::from_secs(60);

/// The state that the units of a store share.
pub(crate) struct Shared {
    pub options: PostgresOptions,
    /// Server and database, without credentials.
    pub name: String,
    /// The quoted name of the schema.
    pub schema: String,
    /// Names this store in the table of marks.
    pub process: Uuid,
    pub pool: Pool,
    pub learned: Learned,
    claim_starts: Mutex<ClaimStarts>,
    /// The slot of the next new mark of the caller's transactions; falls from -2.
    pub next_caller: AtomicI32,
}

impl Shared {
    /// The state of a store without a connection yet.
    pub(crate) fn new(options: &PostgresOptions) -> Result<Self, Error> {
        schema::check_name(&options.schema)?;
        Ok(Self {
            name: options.address.name(),
            schema: schema::quoted(&options.schema),
            process: Uuid::new_v4(),
            pool: Pool::new(options.connections),
            learned: Learned::default(),
            claim_starts: Mutex::default(),
            next_caller: AtomicI32::new(-2),
            options: options.clone(),
        })
    }

    pub(crate) fn claim_starts(&self) -> MutexGuard<'_, ClaimStarts> {
        // A panic while it was locked would leave starts that claims check.
        self.claim_starts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The statements of a load.
    pub(crate) fn plan(&self, wants: &[Want], missing: &Missing, access: Access) -> Result<Plan, Error> {
        Plan::of(wants, missing, access == Access::Write, Some(&self.claim_starts()))
    }

    pub(crate) fn deadline(&self) -> Instant {
        let now = Instant::now();
        // A timeout beyond the clock's range never passes.
        now.checked_add(self.options.busy_timeout).unwrap_or(now + Duration::from_secs(86_400 * 365))
    }

    /// How long the answer to a statement may take.
    pub(crate) fn silence(&self) -> Duration {
        self.options.busy_timeout.saturating_add(GRACE)
    }

    /// Opens a connection to the first host that accepts one; of several hosts, to the first that is no standby.
    pub(crate) fn open(&self) -> Result<Connection<Sql>, WireError> {
        let options = &self.options;
        let silence = self.silence();
        let mut last = WireError::Login("the URL names no host".into());
        let has_others = options.address.servers.len() > 1;
        for server in &options.address.servers {
            let opened = Connection::open(
                &options.address,
                server,
                &self.schema,
                options.prepares,
                options.connect_timeout,
                silence,
            );
            match opened {
                Ok(mut connection) => {
                    // A standby begins no writing transaction: the primary is among the other hosts.
                    if has_others && let Err(error) = connection.script("BEGIN READ WRITE; ROLLBACK") {
                        last = error;
                        continue;
                    }
                    if options.prepares {
                        self.set(&mut connection, "SET")?;
                        self.enter(&mut connection)?;
                    }
                    return Ok(connection);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Settings of a connection. The plans are made once, for tables of any size: a plan from the time when a table was empty would scan
    /// it when it is full. A lock that is not free in time is a conflict, and a transaction of a machine that is gone ends.
    fn settings(&self) -> [(&'static str, String); 8] {
        let millis = |time: Duration| format!("'{}ms'", time.as_millis().clamp(1, 2_000_000_000));
        [
            ("plan_cache_mode", "force_generic_plan".into()),
            ("enable_seqscan", "off".into()),
            ("enable_bitmapscan", "off".into()),
            ("enable_hashjoin", "off".into()),
            ("enable_mergejoin", "off".into()),
            ("jit", "off".into()),
            ("lock_timeout", millis(self.options.busy_timeout)),
            ("idle_in_transaction_session_timeout", millis(self.options.idle_timeout)),
        ]
    }

    /// Applies the settings. A server of another make may not know some of them, and plans without them.
    fn set(&self, connection: &mut Connection<Sql>, verb: &str) -> Result<(), WireError> {
        let settings = self.settings().map(|(name, value)| format!("{verb} {name} = {value}"));
        match connection.script(&settings.join("; ")) {
            Err(error) if error.code() == "42704" => {
                for setting in settings {
                    match connection.script(&setting) {
                        Err(error) if error.code() == "42704" => {}
                        result => result?,
                    }
                }
                Ok(())
            }
            result => result,
        }
    }

    /// Lets others see that this store is open. Each store has a lock of its own, which all of its connections share. Behind a pool that hands
    /// out another connection for each transaction, a lock that outlasts one would stay with the wrong connection.
    fn enter(&self, connection: &mut Connection<Sql>) -> Result<(), WireError> {
        let (class, number) = (open_class(&self.schema), self.open_number().cast_signed());
        connection.script(&format!("SELECT pg_catalog.pg_advisory_lock_shared({class}, {number})"))
    }

    /// The number of this store in [`Self::enter`].
    pub(crate) fn open_number(&self) -> u32 {
        self.process.as_fields().0
    }

    /// The step that begins a transaction; it stands at the start of a pipeline or after a `Sync`.
    pub(crate) fn begin_step(&self, mode: Mode) -> Step<Sql> {
        if self.options.prepares {
            return Step::Run(Sql::Begin(mode), Params::default());
        }
        // The next transaction may get another connection: nothing is set beyond this one.
        let settings = self.settings().map(|(name, value)| format!("; SET LOCAL {name} = {value}"));
        Step::Script(format!("{}{}", mode.begin(), settings.concat()))
    }

    pub(crate) fn mode(&self, access: Access) -> Mode {
        match (access, self.options.isolation) {
            (Access::Read, _) => Mode::Read,
            (Access::Write, Isolation::ReadCommitted) => Mode::ReadCommitted,
            (Access::Write, Isolation::Serializable) => Mode::Serializable,
        }
    }

    pub(crate) fn slot(&self, deadline: Instant) -> Result<Slot, Error> {
        self.pool.take(deadline).map_err(|reason| match reason {
            NoSlot::Closed => {
                store_error(ErrorKind::Closed, "the tracker is closed: open it again", "the connections have ended")
            }
            NoSlot::AllInUse => {
                let most = self.options.connections;
                let message = format!(
                    "{}: all {most} connections of this process are in use: raise PostgresOptions::connections, or try again",
                    self.name
                );
                store_error(ErrorKind::Busy, message, "no connection became free in time")
            }
        })
    }

    /// Runs `call` on a connection of the slot, and on new ones while the server is away, until the deadline. The call may run several times.
    pub(crate) fn with_connection<T>(
        &self,
        slot: &mut Slot,
        deadline: Instant,
        mut call: impl FnMut(&mut Connection<Sql>) -> Result<T, WireError>,
    ) -> Result<T, WireError> {
        let mut pauses = Pauses::default();
        loop {
            let was_open = slot.connection.is_some();
            let connection = match slot.connection.take() {
                Some(connection) => Ok(connection),
                // Where the server has no more, one that another unit is done with serves too.
                None => self.open().or_else(|error| match error.code() {
                    "53300" => self.pool.idle_connection().ok_or(error),
                    _ => Err(error),
                }),
            };
            let error = match connection {
                Ok(mut connection) => match call(&mut connection) {
                    Ok(result) => {
                        slot.connection = Some(connection);
                        return Ok(result);
                    }
                    Err(error) => error,
                },
                Err(error) => error,
            };
            // A connection that was idle may have broken meanwhile; that says nothing of the server.
            let is_stale = was_open && error.is_final();
            if !is_stale && (!error::may_come_back(&error) || !pauses.wait(deadline)) {
                return Err(error);
            }
        }
    }
}

/// Pauses that grow, each with a random part so that many processes do not come at once.
#[derive(Default)]
pub(crate) struct Pauses(u32);

impl Pauses {
    /// Waits. Returns `false` at once if the deadline has passed.
    pub(crate) fn wait(&mut self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << self.0.min(6)).min(LONGEST_PAUSE);
        self.0 += 1;
        // A new state hashes with random keys.
        let percent = u32::try_from(RandomState::new().hash_one(self.0) % 50).unwrap_or(0) + 50;
        thread::sleep((pause * percent / 100).min(left));
        true
    }
}

/// The sums over the marks of all processes.
pub(crate) struct Marks {
    /// Number of commits: the change number.
    pub commits: u64,
    /// Number of commits after which claims read from the start: see `claim_starts`.
    pub rewinds: u64,
}

impl Marks {
    /// Reads the next two columns.
    pub(crate) fn read(row: &mut Row) -> WireResult<Self> {
        Ok(Self { commits: row.int8()?.cast_unsigned(), rewinds: row.int8()?.cast_unsigned() })
    }

    pub(crate) fn of_answer(answer: Option<Answer>) -> WireResult<Self> {
        let row = answer.and_then(|answer| answer.rows.into_iter().next());
        Self::read(&mut row.ok_or(WireError::Protocol("a row is missing"))?)
    }
}

/// The number of commits in an answer.
pub(crate) fn change_number(answer: Option<Answer>) -> WireResult<u64> {
    let row = answer.and_then(|answer| answer.rows.into_iter().next());
    let number = row.ok_or(WireError::Protocol("a row is missing"))?.int8()?;
    Ok(number.cast_unsigned())
}
