//! Commits whose connection breaks, and servers that go away.

use std::time::{Duration, Instant};

use tracker_core::{
    ErrorKind,
    store::{Access, Committed, Store, StoreTable},
};

use crate::support::{
    Cut, Proxy, changes, connect, done, is_conflict, load_one, new_schema, options, put, row, server_or_skip, task_key,
    value, waiting_task,
};

#[test]
fn cut_before_the_commit_is_a_conflict() {
    let server = server_or_skip!();
    let proxy = Proxy::start(server.port);
    let store = connect(&options(&server.url_at(proxy.port, "postgres")).schema(new_schema()));
    put(&store, waiting_task(1));
    for number in 2..5_u64 {
        proxy.cut(Cut::Before(b"new-header"));
        let unit = store.begin(Access::Write).unwrap();
        let rows = vec![value(StoreTable::Headers, &task_key(1, number), Some(b"new-header"))];
        assert_eq!(unit.commit(changes(rows)).unwrap(), Committed::Conflict);
        assert!(proxy.has_cut());
        let mut unit = store.begin(Access::Write).unwrap();
        assert_eq!(load_one(&mut unit, row(StoreTable::Headers, &task_key(1, number))).rows, []);
        // The next commit of the same slot is not refused.
        done(unit.commit(changes(waiting_task(number))).unwrap());
    }
}

#[test]
fn cut_after_the_commit_is_recognised_as_done() {
    let server = server_or_skip!();
    let proxy = Proxy::start(server.port);
    let store = connect(&options(&server.url_at(proxy.port, "postgres")).schema(new_schema()));
    for number in 1..5_u64 {
        proxy.cut(Cut::After(b"new-header"));
        let mut unit = store.begin(Access::Write).unwrap();
        let key = task_key(1, number);
        assert_eq!(load_one(&mut unit, row(StoreTable::Headers, &key)).rows, []);
        let before = unit.state().change;
        let change = done(unit.commit(changes(vec![value(StoreTable::Headers, &key, Some(b"new-header"))])).unwrap());
        assert!(proxy.has_cut());
        assert_eq!(change, before + 1);
        let mut unit = store.begin(Access::Read).unwrap();
        assert_eq!(load_one(&mut unit, row(StoreTable::Headers, &key)).rows, [(key, b"new-header".to_vec())]);
    }
}

#[test]
fn commit_reported_as_conflict_takes_no_effect_later() {
    let server = server_or_skip!();
    let proxy = Proxy::start(server.port);
    let schema = new_schema();
    let url = format!("{}&application_name=late", server.url_at(proxy.port, "postgres"));
    let store = connect(&options(&url).schema(schema.clone()));
    let rival = connect(&server.options().schema(schema));
    let label = |bytes: &[u8]| vec![value(StoreTable::BatchLabels, b"label", Some(bytes))];
    put(&rival, label(b"old"));
    let mut holder = rival.begin(Access::Write).unwrap();
    load_one(&mut holder, row(StoreTable::BatchLabels, b"label"));

    // The server works on the commit, and waits for the rival, when the connection breaks.
    proxy.cut(Cut::Client(b"too-late"));
    let unit = store.begin(Access::Write).unwrap();
    assert_eq!(unit.commit(changes(label(b"too-late"))).unwrap(), Committed::Conflict);
    let active = || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'late' AND state = 'active'";
        server.psql("postgres", sql).unwrap()
    };
    assert_eq!(active(), "1");
    drop(holder);
    let deadline = Instant::now() + Duration::from_secs(10);
    while active() != "0" {
        assert!(Instant::now() < deadline, "the commit has not ended");
    }
    let mut unit = rival.begin(Access::Read).unwrap();
    let rows = load_one(&mut unit, row(StoreTable::BatchLabels, b"label")).rows;
    assert_eq!(rows, [(b"label".to_vec(), b"old".to_vec())]);
}

#[test]
fn cut_while_loading_is_a_conflict() {
    let server = server_or_skip!();
    let proxy = Proxy::start(server.port);
    let store = connect(&options(&server.url_at(proxy.port, "postgres")).schema(new_schema()));
    let mut unit = store.begin(Access::Write).unwrap();
    proxy.cut(Cut::Before(b"a-label"));
    let error = unit.load(&[row(StoreTable::BatchLabels, b"a-label")]).unwrap_err();
    assert!(is_conflict(&error), "{error}");
    drop(unit);
    put(&store, waiting_task(1));
}

#[test]
fn idle_connections_may_break() {
    let server = server_or_skip!();
    let url = format!("{}&application_name=idle", server.url("postgres"));
    let store = connect(&options(&url).schema(new_schema()));
    let units: Vec<_> = (0..3).map(|_| store.begin(Access::Read).unwrap()).collect();
    drop(units);
    let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'idle'";
    assert_eq!(server.psql("postgres", sql).unwrap(), "3");
    put(&store, waiting_task(1));
    assert!(store.change().unwrap() > 0);
}

#[test]
fn dropped_unit_frees_its_locks_at_once() {
    let server = server_or_skip!();
    let store = connect(&server.options().busy_timeout(Duration::from_secs(2)));
    put(&store, waiting_task(1));
    let mut unit = store.begin(Access::Write).unwrap();
    load_one(&mut unit, row(StoreTable::Headers, &task_key(1, 1)));
    drop(unit);
    let mut units = Vec::new();
    for _ in 0..2 {
        units.push(store.begin(Access::Write).unwrap());
    }
    load_one(&mut units[1], row(StoreTable::Headers, &task_key(1, 1)));
}

#[test]
fn lock_that_is_held_too_long_is_a_conflict() {
    let server = server_or_skip!();
    let store = connect(&server.options().busy_timeout(Duration::from_millis(300)));
    put(&store, waiting_task(1));
    let mut one = store.begin(Access::Write).unwrap();
    load_one(&mut one, row(StoreTable::Headers, &task_key(1, 1)));
    let mut two = store.begin(Access::Write).unwrap();
    let error = two.load(&[row(StoreTable::Headers, &task_key(1, 1))]).unwrap_err();
    assert!(is_conflict(&error), "{error}");
    // The rest of the unit is refused for the same reason.
    let error = two.load(&[row(StoreTable::Headers, &task_key(1, 2))]).unwrap_err();
    assert!(is_conflict(&error), "{error}");
    let error = two.commit(changes(waiting_task(2))).unwrap_err();
    assert!(is_conflict(&error), "{error}");
}

#[test]
fn change_differs_after_each_commit() {
    let server = server_or_skip!();
    let options = server.options();
    let (one, two) = (connect(&options), connect(&options));
    let before = one.change().unwrap();
    assert_eq!(one.change().unwrap(), before);
    put(&two, waiting_task(1));
    assert_eq!(one.change().unwrap(), before + 1);
    let unit = one.begin(Access::Write).unwrap();
    assert_eq!(unit.state().change, before + 1);
    put(&two, waiting_task(2));
    // The unit learns that another one has committed since it began.
    assert_eq!(done(unit.commit(changes(waiting_task(3))).unwrap()), before + 3);
}

#[test]
fn more_units_than_connections_are_busy() {
    let server = server_or_skip!();
    let store = connect(&server.options().connections(1).busy_timeout(Duration::from_millis(100)));
    let unit = store.begin(Access::Read).unwrap();
    let error = store.begin(Access::Read).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Busy);
    assert!(error.to_string().contains("PostgresOptions::connections"), "{error}");
    drop(unit);
    drop(store.begin(Access::Read).unwrap());
    store.close().unwrap();
    assert_eq!(store.begin(Access::Read).err().unwrap().kind(), ErrorKind::Closed);
}
