//! The redo log: pages of a commit are written to their places without a flush, and once more, in one piece, into a log behind redb's part of
//! the file, which is flushed. After a power loss the next open writes the pages again. Used by `open`, `backend`, `salvage` and `copy`;
//! reads and writes the file.
//!
//! A flush of scattered pages takes the disk two to three times as long as one piece, and a commit in two phases needs two of them. The log
//! needs one flush for both.
//!
//! # Why it is correct
//!
//! redb expects of a storage that a power loss leaves the state of the last flush, changed by any part of the writes after it. Records hold
//! all writes since the log began, and a record that is not complete is ignored. So an open that writes the blocks of all records into the file
//! produces the state of the last record, changed by a part of the later writes.
//!
//! - The first record of an epoch holds redb's header, so that applying the log always leads back to the commit of its last record, whichever
//!   header the disk has kept. So the order in which later writes reach the disk does not matter, and the first of the two flushes of a commit
//!   in two phases can be left out: until the second one, redb reuses no page of the commit before.
//! - Before the log begins another epoch, the file is flushed. The first record of each epoch has one sector, and takes the place of the last
//!   one's. So either all old records are there, which lead back to a state that redb has flushed, or the new one.
//! - The end of redb's part is stated by the descriptor, in a sector of its own. It is on the disk before the log is, and removed after it.
//! - Another process sees a commit once redb clears the mark that hides it, after the second flush. A log that is applied has it cleared.

mod descriptor;
mod log;
mod logged_disk;
mod record;
mod replay;

pub(crate) use descriptor::hide_descriptor;
pub(crate) use log::LogWriter;
pub(crate) use logged_disk::{LoggedDisk, Logging};
pub(crate) use replay::{Replay, find, replay};
