//! Work of a tracker in a transaction of the caller's client.

use std::{panic, thread, time::Duration};

use postgres::{Client, IsolationLevel, NoTls};
use serde::{Deserialize, Serialize};
use tracker_core::{ErrorKind, Submission, Tasks, TrackedTask, Tracker, execution::StartOptions};
use tracker_postgres::{PostgresOptions, transaction_in};

use crate::support::{Server, job::Status, new_schema, options, server_or_skip};

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[task(name = "mail", status = Status)]
struct Mail {
    #[task(id)]
    order: i64,
    #[task(index)]
    host: String,
}

fn mail(order: i64) -> Mail {
    Mail { order, host: "a.example".into() }
}

/// A tracker, the caller's client, and the caller's table.
struct Shop {
    tracker: Tracker,
    mails: Tasks<Mail>,
    client: Client,
    orders: String,
    options: PostgresOptions,
    schema: String,
}

impl Shop {
    fn open(server: &Server) -> Self {
        let schema = new_schema();
        let options = server.options().schema(&schema);
        let tracker = options.connect().unwrap();
        let mails = tracker.tasks::<Mail>().unwrap();
        let mut client = client(server);
        let orders = format!("orders_{}", new_schema());
        client.batch_execute(&format!("CREATE TABLE {orders} (id int8 PRIMARY KEY)")).unwrap();
        Self { tracker, mails, client, orders, options, schema }
    }

    fn insert(&self) -> String {
        format!("INSERT INTO {} (id) VALUES ($1)", self.orders)
    }

    /// Numbers of orders and of tasks, as other sessions see them.
    fn stored(&self, server: &Server) -> (u64, u64) {
        let orders = client(server).query_one(&format!("SELECT count(*) FROM {}", self.orders), &[]).unwrap();
        let counts = self.mails.counts().unwrap();
        (orders.get::<_, i64>(0).cast_unsigned(), counts.total())
    }
}

fn client(server: &Server) -> Client {
    Client::connect(&server.local_url("postgres"), NoTls).unwrap()
}

/// Waits until another session waits for this transaction.
fn wait_for_a_blocked_session(watcher: &mut Client, transaction: &mut postgres::Transaction<'_>) {
    let session: i32 = transaction.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid))";
    while watcher.query_one(sql, &[&session]).unwrap().get::<_, i64>(0) == 0 {
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn submit_and_row_are_stored_together_or_not_at_all() {
    let server = server_or_skip!();
    let mut shop = Shop::open(server);
    let insert = shop.insert();
    let events = shop.tracker.subscribe();
    for commits in [false, true] {
        let mut transaction = shop.client.transaction().unwrap();
        transaction.execute(&insert, &[&7_i64]).unwrap();
        let submitted = transaction_in(&shop.tracker, &mut transaction, |tx| tx.submit(&shop.mails, &mail(7))).unwrap();
        transaction.execute(&insert, &[&8_i64]).unwrap();
        assert!(shop.mails.get(7_i64).unwrap().is_none(), "nothing is stored before the commit");
        assert!(events.try_next().is_none(), "nothing is told before the commit");
        if commits {
            transaction.commit().unwrap();
            submitted.committed();
        } else {
            transaction.rollback().unwrap();
            drop(submitted);
        }
        assert_eq!(shop.stored(server), if commits { (2, 1) } else { (0, 0) });
        assert_eq!(events.try_next().is_some(), commits);
    }
    assert_eq!(shop.mails.get(7_i64).unwrap().unwrap().task, mail(7));
    assert!(shop.tracker.verify().unwrap().is_empty());
}

#[test]
fn success_and_row_are_stored_together() {
    let server = server_or_skip!();
    let mut shop = Shop::open(server);
    let insert = shop.insert();
    shop.mails.submit(&mail(7)).unwrap();
    let mut execution = shop.mails.claim().unwrap().unwrap();
    execution.host = "b.example".into();
    for commits in [false, true] {
        let mut transaction = shop.client.transaction().unwrap();
        transaction.execute(&insert, &[&7_i64]).unwrap();
        let ended = transaction_in(&shop.tracker, &mut transaction, |tx| tx.succeed(&mut execution)).unwrap();
        if commits {
            transaction.commit().unwrap();
            ended.committed();
        } else {
            drop(ended);
            transaction.rollback().unwrap();
            execution.renew().unwrap();
        }
    }
    let record = shop.mails.get(7_i64).unwrap().unwrap();
    assert_eq!((record.status, record.attempts, record.task.host.as_str()), (Status::Succeeded, 1, "b.example"));
    drop(execution);
    assert_eq!(shop.mails.get(7_i64).unwrap().unwrap().status, Status::Succeeded, "the execution had ended");
    assert_eq!(shop.stored(server), (1, 1));
    assert!(shop.tracker.verify().unwrap().is_empty());
}

#[test]
fn handler_ends_its_task_in_the_callers_transaction() {
    let server = server_or_skip!();
    let shop = Shop::open(server);
    let insert = shop.insert();
    for order in 0..20 {
        shop.mails.submit(&mail(order)).unwrap();
    }
    let summary = shop
        .mails
        .worker()
        .threads(3)
        .run(|execution| -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
            let mut client = client(server);
            let mut transaction = client.transaction()?;
            transaction.execute(&insert, &[&execution.order])?;
            let follower = mail(execution.order + 100);
            let ended = transaction_in(&shop.tracker, &mut transaction, |tx| {
                if execution.order < 20 {
                    tx.submit(&shop.mails, &follower)?;
                }
                tx.succeed(execution)
            })?;
            transaction.commit()?;
            ended.committed();
            Ok(())
        })
        .unwrap();
    assert_eq!((summary.succeeded, summary.failed, summary.lost), (40, 0, 0));
    assert_eq!(shop.mails.counts().unwrap().get(Status::Succeeded), 40);
    assert_eq!(shop.stored(server), (40, 40));
    assert!(shop.tracker.verify().unwrap().is_empty());
}

#[test]
fn update_requeue_and_batch_follow_the_commit() {
    let server = server_or_skip!();
    let mut shop = Shop::open(server);
    for order in [1, 2] {
        shop.mails.submit(&mail(order)).unwrap();
    }
    shop.mails.start(2_i64).unwrap().fail("no such host").unwrap();
    let mut transaction = shop.client.transaction().unwrap();
    let done = transaction_in(&shop.tracker, &mut transaction, |tx| {
        tx.update(&shop.mails, 1_i64, |mail: &mut Mail| mail.host = "c.example".into())?;
        tx.requeue(&shop.mails, 2_i64)?;
        tx.submit(&shop.mails, &mail(3))?;
        tx.remove(&shop.mails, 3_i64)?;
        Ok::<_, tracker_core::Error>(tx.get(&shop.mails, 1_i64)?.map(|mail| mail.host))
    })
    .unwrap();
    assert_eq!(done.value().as_deref(), Some("c.example"));
    assert_eq!(shop.mails.query().index("host", "c.example").fetch().unwrap().len(), 0);
    transaction.commit().unwrap();
    done.committed();
    assert_eq!(shop.mails.query().index("host", "c.example").fetch().unwrap().len(), 1);
    assert_eq!(shop.mails.counts().unwrap().get(Status::Pending), 2);
    assert!(shop.tracker.verify().unwrap().is_empty());
}

#[test]
fn refused_work_leaves_the_rows_of_the_caller() {
    let server = server_or_skip!();
    let mut shop = Shop::open(server);
    let insert = shop.insert();
    let mut transaction = shop.client.transaction().unwrap();
    transaction.execute(&insert, &[&1_i64]).unwrap();
    let refused = transaction_in(&shop.tracker, &mut transaction, |tx| {
        tx.submit(&shop.mails, &mail(1))?;
        tx.requeue(&shop.mails, 99_i64)
    });
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::NotFound);
    let panicked = panic::catch_unwind(panic::AssertUnwindSafe(|| {
        transaction_in(&shop.tracker, &mut transaction, |tx| -> Result<(), tracker_core::Error> {
            tx.submit(&shop.mails, &mail(2))?;
            panic!("the caller's code")
        })
        .map(drop)
    }));
    assert!(panicked.is_err());
    transaction.execute(&insert, &[&2_i64]).unwrap();
    transaction.commit().unwrap();
    assert_eq!(shop.stored(server), (2, 0));
}

#[test]
fn lost_lease_refuses_the_success() {
    let server = server_or_skip!();
    let mut shop = Shop::open(server);
    shop.mails.submit(&mail(1)).unwrap();
    let mut execution = shop.mails.claim().unwrap().unwrap();
    let thief = shop.mails.start_with(1_i64, &StartOptions::default().steal_lease()).unwrap();
    let mut transaction = shop.client.transaction().unwrap();
    let error = transaction_in(&shop.tracker, &mut transaction, |tx| tx.succeed(&mut execution)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LeaseLost, "{error}");
    drop(thief);
}

#[test]
fn locked_task_is_busy_and_the_call_can_be_repeated() {
    let server = server_or_skip!();
    let mut shop = Shop::open(server);
    let insert = shop.insert();
    shop.mails.submit(&mail(1)).unwrap();
    let mut rival = client(server);
    let mut locks = rival.transaction().unwrap();
    locks.batch_execute(&format!("LOCK TABLE {}.tasks IN ROW EXCLUSIVE MODE", shop.schema)).unwrap();
    locks.query(&format!("SELECT 1 FROM {}.tasks FOR UPDATE", shop.schema), &[]).unwrap();

    let mut transaction = shop.client.transaction().unwrap();
    transaction.batch_execute("SET LOCAL lock_timeout = '50ms'").unwrap();
    transaction.execute(&insert, &[&1_i64]).unwrap();
    let mut update = || {
        let change = |mail: &mut Mail| mail.host = "d.example".into();
        transaction_in(&shop.tracker, &mut transaction, |tx| tx.update(&shop.mails, 1_i64, change))
    };
    let error = update().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
    locks.rollback().unwrap();
    let updated = update().unwrap();
    transaction.commit().unwrap();
    updated.committed();
    assert_eq!(shop.mails.get(1_i64).unwrap().unwrap().task.host, "d.example");
    assert_eq!(shop.stored(server), (1, 1));
}

#[test]
fn rival_submit_of_one_id_is_a_conflict() {
    let server = server_or_skip!();
    let mut shop = Shop::open(server);
    let other = shop.options.connect().unwrap();
    let others = other.tasks::<Mail>().unwrap();
    let mut transaction = shop.client.transaction().unwrap();
    let first = transaction_in(&shop.tracker, &mut transaction, |tx| tx.submit(&shop.mails, &mail(1))).unwrap();
    thread::scope(|scope| {
        let late = scope.spawn(|| {
            let mut client = client(server);
            let mut transaction = client.transaction().unwrap();
            let conflict = transaction_in(&other, &mut transaction, |tx| tx.submit(&others, &mail(1)));
            let kind = conflict.unwrap_err().kind();
            let repeated = transaction_in(&other, &mut transaction, |tx| tx.submit(&others, &mail(1))).unwrap();
            transaction.commit().unwrap();
            (kind, repeated.committed().submission)
        });
        let mut watcher = client(server);
        wait_for_a_blocked_session(&mut watcher, &mut transaction);
        transaction.commit().unwrap();
        first.committed();
        assert_eq!(late.join().unwrap(), (ErrorKind::Busy, Submission::Existing));
    });
    assert_eq!(shop.stored(server), (0, 1));
    assert!(shop.tracker.verify().unwrap().is_empty());
}

#[test]
fn open_transactions_do_not_wait_for_each_other() {
    let server = server_or_skip!();
    let mut shop = Shop::open(server);
    let mut second = client(server);
    // In the second round, the marks of the first one are there.
    for round in [0, 10] {
        let before = shop.tracker.change_number().unwrap();
        let mut one = shop.client.transaction().unwrap();
        let mut two = second.transaction().unwrap();
        let submitted = [(&mut one, 1), (&mut two, 2)].map(|(transaction, order)| {
            transaction.batch_execute("SET LOCAL lock_timeout = '2s'").unwrap();
            transaction_in(&shop.tracker, transaction, |tx| tx.submit(&shop.mails, &mail(round + order))).unwrap()
        });
        // Nor does the process wait for them.
        shop.mails.submit(&mail(round + 3)).unwrap();
        two.commit().unwrap();
        one.commit().unwrap();
        let receipts = submitted.map(tracker_postgres::Uncommitted::committed);
        assert!(receipts.iter().all(|receipt| receipt.submission == Submission::New));
        assert_eq!(shop.tracker.change_number().unwrap(), before + 3);
    }
    assert_eq!(shop.mails.counts().unwrap().get(Status::Pending), 6);
    // The marks of transactions that have ended are used again.
    let marks = format!("SELECT count(*) FROM {}.marks WHERE slot < -1", shop.schema);
    assert_eq!(client(server).query_one(&marks, &[]).unwrap().get::<_, i64>(0), 2);
    assert!(shop.tracker.verify().unwrap().is_empty());
}

#[test]
fn killed_session_stores_nothing_and_keeps_the_lease() {
    let server = server_or_skip!();
    let mut shop = Shop::open(server);
    let insert = shop.insert();
    shop.mails.submit(&mail(1)).unwrap();
    let mut execution = shop.mails.claim().unwrap().unwrap();
    let mut transaction = shop.client.transaction().unwrap();
    transaction.execute(&insert, &[&1_i64]).unwrap();
    let ended = transaction_in(&shop.tracker, &mut transaction, |tx| {
        tx.submit(&shop.mails, &mail(2))?;
        tx.succeed(&mut execution)
    });
    drop(ended.unwrap());
    let session: i32 = transaction.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    client(server).execute("SELECT pg_terminate_backend($1)", &[&session]).unwrap();
    let error = transaction_in(&shop.tracker, &mut transaction, |tx| tx.submit(&shop.mails, &mail(3))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    assert!(transaction.commit().is_err());
    assert_eq!(shop.stored(server), (0, 1));
    execution.succeed().unwrap();
    assert!(shop.tracker.verify().unwrap().is_empty());
}

#[test]
fn transaction_that_does_not_fit_is_refused() {
    let server = server_or_skip!();
    let mut shop = Shop::open(server);
    let refusal = |transaction: &mut postgres::Transaction<'_>| {
        let submitted = transaction_in(&shop.tracker, transaction, |tx| tx.submit(&shop.mails, &mail(1)));
        let error = submitted.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        error.to_string()
    };
    for level in [IsolationLevel::RepeatableRead, IsolationLevel::Serializable] {
        let mut transaction = shop.client.build_transaction().isolation_level(level).start().unwrap();
        assert!(refusal(&mut transaction).contains("READ COMMITTED"));
    }
    let mut transaction = shop.client.build_transaction().read_only(true).start().unwrap();
    assert!(refusal(&mut transaction).contains("READ WRITE"));
    drop(transaction);
    let mut transaction = shop.client.transaction().unwrap();
    transaction.batch_execute("SELECT 1 / 0").unwrap_err();
    assert!(refusal(&mut transaction).contains("roll it back"));
    drop(transaction);

    // Another database: without a tracker, and with one of another process in a schema of that name.
    let database = format!("db_{}", new_schema());
    server.psql("postgres", &format!("CREATE DATABASE {database}")).unwrap();
    let mut elsewhere = Client::connect(&server.local_url(&database), NoTls).unwrap();
    assert!(refusal(&mut elsewhere.transaction().unwrap()).contains("another database"));
    let options = options(&server.local_url(&database)).schema(&shop.schema);
    options.connect().unwrap();
    assert!(refusal(&mut elsewhere.transaction().unwrap()).contains("another database"));

    let tracker = Tracker::in_memory().unwrap();
    let mails = tracker.tasks::<Mail>().unwrap();
    let mut transaction = shop.client.transaction().unwrap();
    let error = transaction_in(&tracker, &mut transaction, |tx| tx.submit(&mails, &mail(1))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    drop(transaction);
    assert_eq!(shop.stored(server), (0, 0));
}

#[test]
fn calls_of_the_tracker_inside_the_work_are_refused() {
    let server = server_or_skip!();
    let mut shop = Shop::open(server);
    let mut transaction = shop.client.transaction().unwrap();
    let inside = transaction_in(&shop.tracker, &mut transaction, |tx| {
        tx.submit(&shop.mails, &mail(1))?;
        Ok::<_, tracker_core::Error>(shop.mails.submit(&mail(2)).is_err())
    });
    assert!(*inside.unwrap().value());
    drop(transaction);
    shop.mails.submit(&mail(2)).unwrap();
    assert_eq!(shop.stored(server), (0, 1));
}
