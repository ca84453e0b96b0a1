//! Units that begin while another one changes the kinds.

use std::thread;

use postgres::{Client, NoTls};
use tracker_core::store::{Access, Committed, Store};

use crate::support::{changes, connect, done, new_schema, server_or_skip, waiting_task};

#[test]
fn commit_under_an_older_schema_is_a_conflict() {
    let server = server_or_skip!();
    let schema = new_schema();
    let store = connect(&server.options().schema(schema.clone()));
    let before = store.begin(Access::Read).unwrap().state().schema;
    let lock = format!("hashtextextended('tracker:schema:\"{schema}\"', 0)");
    let mut client = Client::connect(&server.url("postgres"), NoTls).unwrap();
    let mut change = client.transaction().unwrap();
    change.batch_execute(&format!("SELECT pg_advisory_xact_lock({lock})")).unwrap();
    change.batch_execute(&format!("UPDATE \"{schema}\".meta SET schema = schema + 1")).unwrap();
    let mut observer = Client::connect(&server.url("postgres"), NoTls).unwrap();
    let waits = format!(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted \
         AND (classid::int8 << 32 | objid::int8) = {lock}"
    );
    let unit = thread::scope(|scope| {
        let unit = scope.spawn(|| store.begin(Access::Write).unwrap());
        while observer.query_one(&waits, &[]).unwrap().get::<_, i64>(0) == 0 {
            thread::yield_now();
        }
        change.commit().unwrap();
        unit.join().unwrap()
    });
    // It has read the number before it waited for the lock.
    assert_eq!(unit.state().schema, before);
    assert_eq!(unit.commit(changes(waiting_task(1))).unwrap(), Committed::Conflict);
    let unit = store.begin(Access::Write).unwrap();
    assert_eq!(unit.state().schema, before + 1);
    done(unit.commit(changes(waiting_task(1))).unwrap());
}
