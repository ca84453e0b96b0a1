//! The end of a dependency, and the dependents that it satisfies or fails.

use crate::model::{status::Role, transition::DependencyEnd};

#[test]
fn only_a_changed_end_is_propagated() {
    let end = |before, after| DependencyEnd::between(Some(before), Some(after));
    assert_eq!(end(Role::InProgress, Role::Succeeded), Some(DependencyEnd::Satisfied));
    assert_eq!(end(Role::InProgress, Role::Ignored), Some(DependencyEnd::Failed(Role::Ignored)));
    assert_eq!(end(Role::Exhausted, Role::Succeeded), Some(DependencyEnd::Satisfied), "a late success counts");
    for role in Role::ALL {
        assert_eq!(end(role, role), None, "{role:?} is no news twice");
    }
    assert_eq!(end(Role::Succeeded, Role::Pending), None, "what was requeued has not ended");
}

#[test]
fn deletion_is_an_end_unless_the_task_succeeded() {
    assert_eq!(DependencyEnd::between(Some(Role::Succeeded), None), None);
    for role in [Role::Pending, Role::Exhausted, Role::Cancelled] {
        assert_eq!(DependencyEnd::between(Some(role), None), Some(DependencyEnd::Deleted));
    }
}

#[test]
fn new_task_has_no_end_to_propagate() {
    assert_eq!(DependencyEnd::between(None, Some(Role::Succeeded)), None);
}

/// Ends that were not propagated yet are propagated as one.
#[test]
fn pending_success_outranks_a_later_end() {
    assert_eq!(DependencyEnd::Satisfied.and(DependencyEnd::Deleted), DependencyEnd::Satisfied);
    assert_eq!(DependencyEnd::Failed(Role::Exhausted).and(DependencyEnd::Satisfied), DependencyEnd::Satisfied);
    assert_eq!(DependencyEnd::Failed(Role::Exhausted).and(DependencyEnd::Deleted), DependencyEnd::Deleted);
}
