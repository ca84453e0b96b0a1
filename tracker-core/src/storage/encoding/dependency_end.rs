//! Encodes dependency ends and their effects as numbers, which never change. Used by `storage/read/dependencies` and `maintenance/recover`;
//! pure.

use super::kind::{role_code, role_of};
use crate::model::transition::{DependencyEnd, OnDependencyFailure};

/// The number of a choice on disk. Stable.
pub(crate) fn on_failure_code(on_failure: OnDependencyFailure) -> u8 {
    match on_failure {
        OnDependencyFailure::Wait => 0,
        OnDependencyFailure::Skip => 1,
        OnDependencyFailure::Cancel => 2,
        OnDependencyFailure::Run => 3,
    }
}

pub(crate) fn on_failure_of(code: u8) -> Result<OnDependencyFailure, &'static str> {
    OnDependencyFailure::ALL.into_iter().find(|choice| on_failure_code(*choice) == code).ok_or("its choice is unknown")
}

const DONE: u8 = 0;
const GONE: u8 = 1;
const MISSED: u8 = 16;

/// The number of an end on disk. Stable.
pub(crate) fn end_code(end: DependencyEnd) -> u8 {
    match end {
        DependencyEnd::Satisfied => DONE,
        DependencyEnd::Deleted => GONE,
        DependencyEnd::Failed(role) => MISSED + role_code(role),
    }
}

pub(crate) fn end_of(code: u8) -> Result<DependencyEnd, &'static str> {
    match code {
        DONE => Ok(DependencyEnd::Satisfied),
        GONE => Ok(DependencyEnd::Deleted),
        MISSED.. => role_of(code - MISSED).map(DependencyEnd::Failed),
        _ => Err("it has an unknown end"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::status::Role;

    #[test]
    fn dependency_ends_and_effects_round_trip() {
        let all =
            Role::ALL.map(DependencyEnd::Failed).into_iter().chain([DependencyEnd::Satisfied, DependencyEnd::Deleted]);
        for end in all {
            assert_eq!(end_of(end_code(end)), Ok(end));
        }
        for choice in OnDependencyFailure::ALL {
            assert_eq!(on_failure_of(on_failure_code(choice)), Ok(choice));
        }
        assert!(end_of(2).is_err() && end_of(15).is_err() && end_of(u8::MAX).is_err() && on_failure_of(4).is_err());
    }
}
