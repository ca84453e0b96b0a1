//! `catch_redb_panic` turns a panic of redb, or of other code that it runs, such as the user's storage backend, into an error. It wraps calls
//! that read or write pages, in `storage/file`, `engine`, `api/transaction` and `maintenance`. Touches no file itself.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::model::{
    error::{Error, ErrorKind, Result},
    panics::{self, panic_text},
};

/// Runs calls of redb, which may panic on a damaged file, and turns a panic into an error of kind `Corrupted`.
///
/// `doing` completes "while …". Only under `panic = "unwind"`; and the panic hook has run by then: its message is on
/// standard error, since silencing it would take a hook for the whole process, which belongs to the program.
///
/// It cannot help if a destructor of redb panics while the first panic unwinds: that ends the process, as writes to a damaged
/// file have done. `check_on_open` refuses such a file.
///
/// Values that `work` changed through references may be inconsistent after such an error: abort the transaction, or
/// reopen the file.
pub(crate) fn catch_redb_panic<T>(doing: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic_text(&*panic);
        panics::log_catching_panics(|| tracing::error!(doing, panic = text, "redb panicked"));
        Err(Error::new(
            ErrorKind::Corrupted,
            format!(
                "redb panicked while {doing} ({text}): the file is probably damaged; open it with check_on_open to be sure, and copy what is readable into a new file with Tracker::recover"
            ),
        ))
    })
}
