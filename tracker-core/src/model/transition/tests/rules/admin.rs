//! Tests of the commands of an operator: cancel, ignore, requeue, retry, move and update.

use crate::model::{
    error::Reason,
    status::Role,
    transition::{
        AttemptStatus, Command, Explanation, Outcome, Requeue, Submit,
        tests::{
            machines::{code, full, graph, no_exhausted, only_failed},
            task_fixture::{FAIL, LEASE, TaskFixture},
        },
    },
};

fn ignore(fence: u64) -> Command {
    Command::Ignore { fence, reason: "not wanted".to_owned() }
}

#[test]
fn cancelled_while_it_runs_every_end_but_success_is_cancelled() {
    let park = Outcome::Park { code: code(0, Role::Parked) };
    for outcome in [FAIL, Outcome::GiveUp, Outcome::Ignore, Outcome::Release, park] {
        let mut fixture = TaskFixture::of(full());
        let owner = fixture.claim();
        fixture.cancel();
        fixture.end(owner, outcome);
        assert_eq!(
            (fixture.role(), fixture.attempt_statuses()),
            (Role::Cancelled, vec![AttemptStatus::Cancelled]),
            "{outcome:?}"
        );
    }
    let mut fixture = TaskFixture::of(full());
    let owner = fixture.claim();
    fixture.cancel();
    fixture.end(owner, Outcome::Succeed);
    assert_eq!((fixture.role(), fixture.task().cancel), (Role::Succeeded, false));
}

#[test]
fn cancelled_while_it_runs_a_rescue_gives_cancelled_too() {
    let mut fixture = TaskFixture::of(full());
    let owner = fixture.claim();
    fixture.cancel();
    fixture.pass(LEASE);
    fixture.apply(&Command::Rescue { fence: owner.fence, random: 0.5 });
    assert_eq!((fixture.role(), fixture.attempt_statuses()), (Role::Cancelled, vec![AttemptStatus::Crashed]));
}

#[test]
fn unreadable_task_cancelled_while_running_is_cancelled() {
    let mut fixture = TaskFixture::of(full());
    let owner = fixture.claim();
    fixture.cancel();
    fixture.apply(&Command::Unreadable { owner });
    assert_eq!((fixture.role(), fixture.task().attempts), (Role::Cancelled, 0));
}

#[test]
fn cancel_falls_back_to_ignored_or_is_refused() {
    let mut fixture = TaskFixture::of(no_exhausted());
    fixture.cancel();
    assert_eq!(fixture.role(), Role::Ignored);
    let mut fixture = TaskFixture::of(only_failed());
    assert_eq!(fixture.try_apply(&Command::Cancel), Err(Reason::MissingRole { role: "cancelled" }));
    fixture.claim();
    assert_eq!(fixture.try_apply(&Command::Cancel), Err(Reason::MissingRole { role: "cancelled" }));
    assert!(!fixture.task().cancel);
}

/// Reasons have an order: that a task has ended comes before what its status type lacks.
#[test]
fn ended_task_is_refused_as_ended_without_the_role() {
    let mut fixture = TaskFixture::of(only_failed());
    fixture.run(Outcome::Succeed);
    assert_eq!(fixture.try_apply(&Command::Cancel), Err(Reason::AlreadySucceeded));
    assert_eq!(fixture.try_apply(&ignore(9)), Err(Reason::AlreadySucceeded));
}

#[test]
fn cancel_and_ignore_refuse_only_terminal_tasks() {
    for role in [Role::Pending, Role::Failed, Role::Parked] {
        for (command, end) in [(Command::Cancel, Role::Cancelled), (ignore(9), Role::Ignored)] {
            let mut fixture = TaskFixture::of(full());
            fixture.move_to(role).expect("moved");
            fixture.apply(&command);
            assert_eq!(fixture.role(), end);
            assert!(fixture.try_apply(&command).is_err());
        }
    }
    let mut fixture = TaskFixture::of(full());
    fixture.cancel();
    assert_eq!(fixture.try_apply(&ignore(9)), Err(Reason::Cancelled));
    assert_eq!(fixture.start(|_| ()), Err(Reason::Cancelled));
}

#[test]
fn ignore_stores_an_attempt_with_its_reason() {
    let mut fixture = TaskFixture::of(full());
    fixture.run(FAIL);
    let failed = fixture.now;
    fixture.pass(LEASE);
    fixture.apply(&ignore(9));
    let lines: Vec<_> = fixture.history.iter().map(|ended| (ended.status, ended.fence, ended.started)).collect();
    assert_eq!(lines, [(AttemptStatus::Failed, 1, failed), (AttemptStatus::Ignored, 9, fixture.now)]);
}

#[test]
fn running_task_refuses_commands_of_an_operator() {
    let mut fixture = TaskFixture::of(full());
    fixture.claim();
    let code = code(0, Role::Parked);
    for command in [ignore(9), Command::Move { code }, Command::Update { revision: 0, priority: None }, Command::Delete]
    {
        assert!(matches!(fixture.try_apply(&command), Err(Reason::Leased { .. })), "{command:?}");
    }
}

#[test]
fn requeue_forgives_failures_and_crashes_from_every_end() {
    let mut fixture = TaskFixture::of(full());
    for outcome in [FAIL, Outcome::GiveUp, Outcome::Ignore, Outcome::Succeed] {
        fixture.run(outcome);
        fixture.requeue(false);
        assert_eq!((fixture.role(), fixture.counters()), (Role::Pending, (0, 0)));
    }
    fixture.cancel();
    fixture.requeue(false);
    fixture.claim();
    assert_eq!(fixture.task().attempts, 5);
}

#[test]
fn retry_starts_failed_and_given_up_tasks_only() {
    let retry = Command::Requeue(Requeue { failed_only: true, ..Requeue::default() });
    let mut fixture = TaskFixture::of(full());
    assert!(matches!(fixture.try_apply(&retry), Err(Reason::NotStartable { .. })));
    for outcome in [FAIL, Outcome::GiveUp] {
        fixture.run(outcome);
        fixture.apply(&retry);
        assert_eq!((fixture.role(), fixture.counters()), (Role::Pending, (0, 0)));
    }
    for (outcome, reason) in [(Outcome::Succeed, Reason::AlreadySucceeded), (Outcome::Ignore, Reason::Ignored)] {
        fixture.run(outcome);
        assert_eq!(fixture.try_apply(&retry).err(), Some(reason));
        fixture.requeue(false);
    }
    fixture.cancel();
    assert_eq!(fixture.try_apply(&retry).err(), Some(Reason::Cancelled));
}

#[test]
fn a_move_goes_between_parked_and_startable_and_nowhere_else() {
    let mut fixture = TaskFixture::of(full());
    for role in [Role::Parked, Role::Failed, Role::Parked, Role::Pending] {
        fixture.move_to(role).expect("moved");
        assert_eq!(fixture.role(), role);
    }
    for role in [Role::Succeeded, Role::Exhausted, Role::Ignored, Role::Cancelled, Role::InProgress] {
        assert!(matches!(fixture.move_to(role), Err(Reason::NotEnterable { .. })), "{role}");
    }
    fixture.run(Outcome::Succeed);
    assert_eq!(fixture.move_to(Role::Pending), Err(Reason::AlreadySucceeded));
}

/// A second step without a pending would start from the first one's succeeded; there is no second step.
#[test]
fn success_in_the_last_step_is_explained_as_such() {
    let mut fixture = TaskFixture::of(full());
    fixture.run(Outcome::Succeed);
    assert_eq!(fixture.explain(), Explanation::Succeeded);
}

#[test]
fn a_move_into_another_step_leaves_the_failures_behind() {
    let roles = [Role::Pending, Role::InProgress, Role::Failed, Role::Succeeded, Role::Parked];
    let mut fixture = TaskFixture::of(graph(&[&roles, &roles]));
    fixture.run(FAIL);
    fixture.move_to(Role::Parked).expect("moved");
    assert_eq!(fixture.counters(), (1, 0));
    fixture.apply(&Command::Move { code: code(1, Role::Parked) });
    assert_eq!(fixture.counters(), (0, 0));
}

#[test]
fn an_update_holds_only_for_the_revision_that_was_read() {
    let mut fixture = TaskFixture::of(full());
    fixture.apply(&Command::Update { revision: 0, priority: None });
    assert!(fixture.try_apply(&Command::Update { revision: 0, priority: None }).is_err());
    fixture.apply(&Command::Update { revision: 1, priority: None });
    let owner = fixture.claim();
    fixture.apply(&Command::Checkpoint { owner, priority: None });
    fixture.end(owner, FAIL);
    assert_eq!(fixture.task().revision, 3);
}

#[test]
fn update_in_unknown_status_is_no_lost_revision() {
    let mut fixture = TaskFixture::of(full());
    fixture.apply(&Command::Update { revision: 0, priority: None });
    let stale = Command::Update { revision: 0, priority: None };
    assert_eq!(fixture.try_apply(&stale).err(), Some(Reason::Stale));
    fixture.header.as_mut().expect("a task").code = 99;
    let current = Command::Update { revision: 1, priority: None };
    let status = "in the unknown status 99".to_owned();
    assert_eq!(fixture.try_apply(&current).err(), Some(Reason::NotStartable { status }));
}

#[test]
fn changed_payload_brings_its_priority_along() {
    let mut fixture = TaskFixture::of(full());
    fixture.apply(&Command::Update { revision: 0, priority: Some(7) });
    assert_eq!(fixture.task().priority, 7);
    fixture.apply(&Command::Update { revision: 1, priority: None });
    assert_eq!(fixture.task().priority, 7);
    let owner = fixture.claim();
    fixture.apply(&Command::Checkpoint { owner, priority: Some(8) });
    assert_eq!(fixture.task().priority, 8);
    let submit = |sets_priority, fingerprint| {
        let fingerprint = Some(fingerprint);
        Command::Submit(Submit {
            due: None,
            priority: 3,
            sets_priority,
            fingerprint,
            batch: None,
            scheduled_at: None,
            max_wait: None,
            trace: None,
        })
    };
    fixture.apply(&submit(false, 2));
    assert_eq!(fixture.task().priority, 8);
    fixture.apply(&submit(true, 3));
    assert_eq!(fixture.task().priority, 3);
    // The payload of the next run waits: what the running attempt stores does not outlast it.
    fixture.apply(&Command::Checkpoint { owner, priority: Some(9) });
    assert_eq!(fixture.task().priority, 3);
}

#[test]
fn requeue_sets_the_priority_that_it_names() {
    let mut fixture = TaskFixture::of(full());
    for (priority, expected) in [(Some(7), 7), (None, 7), (Some(0), 0)] {
        fixture.apply(&Command::Requeue(Requeue { priority, ..Requeue::default() }));
        assert_eq!(fixture.task().priority, expected);
    }
}

#[test]
fn update_of_an_unreadable_task_makes_it_claimable() {
    let mut fixture = TaskFixture::of(full());
    let owner = fixture.claim();
    fixture.apply(&Command::Unreadable { owner });
    fixture.apply(&Command::Update { revision: 0, priority: None });
    fixture.claim();
}

#[test]
fn commands_of_other_tasks_set_what_they_name() {
    let mut fixture = TaskFixture::of(full());
    for (on, batch) in [(true, Some(7)), (false, None)] {
        fixture.apply(&Command::SetHasDependents(on));
        fixture.apply(&Command::SetBatch { batch });
        assert_eq!((fixture.task().has_dependents, fixture.task().batch), (on, batch));
    }
}

#[test]
fn startable_list_of_a_call_replaces_the_list_of_the_kind() {
    let (one, other) = (code(0, Role::Parked), code(0, Role::Parked) + 1);
    let mut fixture = TaskFixture::with(full(), |policy| policy.startable = vec![one].into());
    fixture.apply(&Command::Move { code: one });
    assert!(fixture.start(|start| start.startable = vec![other]).is_err());
    fixture.claim();
    let mut fixture = TaskFixture::with(full(), |policy| policy.startable = vec![one].into());
    fixture.apply(&Command::Move { code: other });
    assert!(matches!(fixture.claim_in(0), Err(Reason::NotStartable { .. })));
}
