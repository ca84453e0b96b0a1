use crate::model::{
    error::Reason,
    status::Role,
    transition::{
        AttemptStatus, Command, Explanation, Outcome, Requeue, Submit,
        tests::{
            machines::{code, full, graph, no_exhausted, only_failed},
            scene::{FAIL, LEASE, Scene},
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
        let mut scene = Scene::of(full());
        let owner = scene.claim();
        scene.cancel();
        scene.end(owner, outcome);
        assert_eq!((scene.role(), scene.endings()), (Role::Cancelled, vec![AttemptStatus::Cancelled]), "{outcome:?}");
    }
    let mut scene = Scene::of(full());
    let owner = scene.claim();
    scene.cancel();
    scene.end(owner, Outcome::Succeed);
    assert_eq!((scene.role(), scene.task().cancel), (Role::Succeeded, false));
}

#[test]
fn cancelled_while_it_runs_a_rescue_gives_cancelled_too() {
    let mut scene = Scene::of(full());
    let owner = scene.claim();
    scene.cancel();
    scene.pass(LEASE);
    scene.does(&Command::Rescue { fence: owner.fence, chance: 0.5 });
    assert_eq!((scene.role(), scene.endings()), (Role::Cancelled, vec![AttemptStatus::Crashed]));
}

#[test]
fn unreadable_task_cancelled_while_running_is_cancelled() {
    let mut scene = Scene::of(full());
    let owner = scene.claim();
    scene.cancel();
    scene.does(&Command::Unreadable { owner });
    assert_eq!((scene.role(), scene.task().attempts), (Role::Cancelled, 0));
}

#[test]
fn cancel_falls_back_to_ignored_or_is_refused() {
    let mut scene = Scene::of(no_exhausted());
    scene.cancel();
    assert_eq!(scene.role(), Role::Ignored);
    let mut scene = Scene::of(only_failed());
    assert_eq!(scene.ask(&Command::Cancel), Err(Reason::MissingRole { role: "cancelled" }));
    scene.claim();
    assert_eq!(scene.ask(&Command::Cancel), Err(Reason::MissingRole { role: "cancelled" }));
    assert!(!scene.task().cancel);
}

/// Reasons have an order: that a task has ended comes before what its status type lacks.
#[test]
fn ended_task_is_refused_as_ended_without_the_role() {
    let mut scene = Scene::of(only_failed());
    scene.run(Outcome::Succeed);
    assert_eq!(scene.ask(&Command::Cancel), Err(Reason::AlreadySucceeded));
    assert_eq!(scene.ask(&ignore(9)), Err(Reason::AlreadySucceeded));
}

#[test]
fn cancel_and_ignore_refuse_only_terminal_tasks() {
    for role in [Role::Pending, Role::Failed, Role::Parked] {
        for (command, end) in [(Command::Cancel, Role::Cancelled), (ignore(9), Role::Ignored)] {
            let mut scene = Scene::of(full());
            scene.move_to(role).expect("moved");
            scene.does(&command);
            assert_eq!(scene.role(), end);
            assert!(scene.ask(&command).is_err());
        }
    }
    let mut scene = Scene::of(full());
    scene.cancel();
    assert_eq!(scene.ask(&ignore(9)), Err(Reason::Cancelled));
    assert_eq!(scene.start(|_| ()), Err(Reason::Cancelled));
}

#[test]
fn ignoring_by_hand_leaves_a_line_that_says_why() {
    let mut scene = Scene::of(full());
    scene.run(FAIL);
    scene.does(&ignore(9));
    let lines: Vec<_> = scene.history.iter().map(|ended| (ended.status, ended.fence)).collect();
    assert_eq!(lines, [(AttemptStatus::Failed, 1), (AttemptStatus::Ignored, 9)]);
}

#[test]
fn a_running_task_is_not_touched_by_hand() {
    let mut scene = Scene::of(full());
    scene.claim();
    let code = code(0, Role::Parked);
    for command in [ignore(9), Command::Move { code }, Command::Update { revision: 0, priority: None }, Command::Delete]
    {
        assert!(matches!(scene.ask(&command), Err(Reason::Leased { .. })), "{command:?}");
    }
}

#[test]
fn requeue_forgives_failures_and_crashes_from_every_end() {
    let mut scene = Scene::of(full());
    for outcome in [FAIL, Outcome::GiveUp, Outcome::Ignore, Outcome::Succeed] {
        scene.run(outcome);
        scene.requeue(false);
        assert_eq!((scene.role(), scene.counters()), (Role::Pending, (0, 0)));
    }
    scene.cancel();
    scene.requeue(false);
    scene.claim();
    assert_eq!(scene.task().attempts, 5);
}

#[test]
fn retry_starts_failed_and_given_up_tasks_only() {
    let retry = Command::Requeue(Requeue { failed_only: true, ..Requeue::default() });
    let mut scene = Scene::of(full());
    assert!(matches!(scene.ask(&retry), Err(Reason::NotStartable { .. })));
    for outcome in [FAIL, Outcome::GiveUp] {
        scene.run(outcome);
        scene.does(&retry);
        assert_eq!((scene.role(), scene.counters()), (Role::Pending, (0, 0)));
    }
    for (outcome, reason) in [(Outcome::Succeed, Reason::AlreadySucceeded), (Outcome::Ignore, Reason::Ignored)] {
        scene.run(outcome);
        assert_eq!(scene.ask(&retry).err(), Some(reason));
        scene.requeue(false);
    }
    scene.cancel();
    assert_eq!(scene.ask(&retry).err(), Some(Reason::Cancelled));
}

#[test]
fn a_move_goes_between_parked_and_startable_and_nowhere_else() {
    let mut scene = Scene::of(full());
    for role in [Role::Parked, Role::Failed, Role::Parked, Role::Pending] {
        scene.move_to(role).expect("moved");
        assert_eq!(scene.role(), role);
    }
    for role in [Role::Succeeded, Role::Exhausted, Role::Ignored, Role::Cancelled, Role::InProgress] {
        assert!(matches!(scene.move_to(role), Err(Reason::NotEnterable { .. })), "{role}");
    }
    scene.run(Outcome::Succeed);
    assert_eq!(scene.move_to(Role::Pending), Err(Reason::AlreadySucceeded));
}

/// A second step without a pending would start from the first one's succeeded; there is no second step.
#[test]
fn what_has_succeeded_in_the_last_step_is_not_in_line() {
    let mut scene = Scene::of(full());
    scene.run(Outcome::Succeed);
    assert_eq!(scene.explain(), Explanation::Succeeded);
}

#[test]
fn a_move_into_another_step_leaves_the_failures_behind() {
    let roles = [Role::Pending, Role::InProgress, Role::Failed, Role::Succeeded, Role::Parked];
    let mut scene = Scene::of(graph(&[&roles, &roles]));
    scene.run(FAIL);
    scene.move_to(Role::Parked).expect("moved");
    assert_eq!(scene.counters(), (1, 0));
    scene.does(&Command::Move { code: code(1, Role::Parked) });
    assert_eq!(scene.counters(), (0, 0));
}

#[test]
fn an_update_holds_only_for_the_revision_that_was_read() {
    let mut scene = Scene::of(full());
    scene.does(&Command::Update { revision: 0, priority: None });
    assert!(scene.ask(&Command::Update { revision: 0, priority: None }).is_err());
    scene.does(&Command::Update { revision: 1, priority: None });
    let owner = scene.claim();
    scene.does(&Command::Checkpoint { owner, priority: None });
    scene.end(owner, FAIL);
    assert_eq!(scene.task().revision, 3);
}

#[test]
fn update_in_unknown_status_is_no_lost_revision() {
    let mut scene = Scene::of(full());
    scene.does(&Command::Update { revision: 0, priority: None });
    let stale = Command::Update { revision: 0, priority: None };
    assert_eq!(scene.ask(&stale).err(), Some(Reason::Stale));
    scene.header.as_mut().expect("a task").code = 99;
    let current = Command::Update { revision: 1, priority: None };
    let status = "in the unknown status 99".to_owned();
    assert_eq!(scene.ask(&current).err(), Some(Reason::NotStartable { status }));
}

#[test]
fn changed_payload_brings_its_priority_along() {
    let mut scene = Scene::of(full());
    scene.does(&Command::Update { revision: 0, priority: Some(7) });
    assert_eq!(scene.task().priority, 7);
    scene.does(&Command::Update { revision: 1, priority: None });
    assert_eq!(scene.task().priority, 7);
    let owner = scene.claim();
    scene.does(&Command::Checkpoint { owner, priority: Some(8) });
    assert_eq!(scene.task().priority, 8);
    let submit = |sets_priority, fingerprint| {
        let fingerprint = Some(fingerprint);
        Command::Submit(Submit { due: None, priority: 3, sets_priority, fingerprint, batch: None, scheduled_at: None })
    };
    scene.does(&submit(false, 1));
    assert_eq!(scene.task().priority, 8);
    scene.does(&submit(true, 2));
    assert_eq!(scene.task().priority, 3);
    // The payload of the next run waits: what the running attempt stores does not outlast it.
    scene.does(&Command::Checkpoint { owner, priority: Some(9) });
    assert_eq!(scene.task().priority, 3);
}

#[test]
fn startable_list_of_a_call_replaces_the_list_of_the_kind() {
    let (one, other) = (code(0, Role::Parked), code(0, Role::Parked) + 1);
    let mut scene = Scene::with(full(), |policy| policy.startable = vec![one].into());
    scene.does(&Command::Move { code: one });
    assert!(scene.start(|start| start.extra = vec![other]).is_err());
    scene.claim();
    let mut scene = Scene::with(full(), |policy| policy.startable = vec![one].into());
    scene.does(&Command::Move { code: other });
    assert!(matches!(scene.claim_in(0), Err(Reason::NotStartable { .. })));
}
