//! `Sharing` states how processes share the file. Set by users in `api/options`; read by `storage/file`, `engine/database`,
//! `engine/cross_process`, `api` and `maintenance`. Plain data.

use redb::ConcurrencyMode;

/// How processes share the file. All of them must choose the same; [`Exclusive`](Self::Exclusive) works everywhere, the
/// other two need locks on ranges of bytes (Linux, macOS, Windows).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Sharing {
    /// One process has the file to itself. The fastest: one flush per commit.
    Exclusive,
    /// One process writes, others may look at the same time, and change tasks by [live commands](crate::live::Client). Two flushes per
    /// commit.
    #[default]
    Readers,
    /// Any process may write, one at a time.
    Writers,
}

impl Sharing {
    pub(crate) fn mode(self) -> ConcurrencyMode {
        match self {
            Self::Exclusive => ConcurrencyMode::ExclusiveWriter,
            Self::Readers => ConcurrencyMode::SingleWriter,
            Self::Writers => ConcurrencyMode::MultiWriter,
        }
    }
}
