//! `TaskTimes` reads from the bytes of a header the times of a task that a store may keep beside them. Used by `tracker-postgres`; pure.

use crate::storage::encoding;

/// Times of a task, read from a row of [`StoreTable::Headers`](super::StoreTable::Headers). In microseconds since 1970.
///
/// ```
/// use tracker_core::store::TaskTimes;
///
/// assert_eq!(TaskTimes::from_header(b"damaged"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskTimes {
    /// When the task was submitted.
    pub created: i64,
    /// When its status last changed.
    pub updated: i64,
}

impl TaskTimes {
    /// Reads the value of a row. `None` if it is cut short or of another version. Its checksum is not examined.
    #[must_use]
    pub fn from_header(value: &[u8]) -> Option<Self> {
        let (created, updated) = encoding::header_times(value)?;
        Some(Self { created, updated })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::encoding::record_of;

    #[test]
    fn times_follow_status_and_priority() {
        // Status -1 and priority 7; then -2, and 7,232 in two bytes. The lowest bit of a number is its sign.
        let fields = [1, 7, 3, 251, 0x80, 0x38];
        assert_eq!(TaskTimes::from_header(&record_of(&fields)), Some(TaskTimes { created: -2, updated: 7232 }));
    }

    #[test]
    fn short_header_and_another_version_have_no_times() {
        let bytes = record_of(&[1, 7, 3, 4]);
        assert_eq!(TaskTimes::from_header(&bytes[..4]), None);
        assert_eq!(TaskTimes::from_header(&[]), None);
        assert_eq!(TaskTimes::from_header(&[&[2], &bytes[1..]].concat()), None);
    }
}
