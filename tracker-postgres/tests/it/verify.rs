//! `verify` reports what other programs have changed in the tables of a schema.

use crate::support::{job::Job, new_schema, options, server_or_skip};

#[test]
fn verify_reports_each_changed_column_of_a_task() {
    let server = server_or_skip!();
    for (change, table) in [
        ("id_key = NULL", "tracker.ids"),
        ("claim_key = NULL", "tracker.claim_order"),
        ("updated_key = NULL", "tracker.updated"),
        ("header = NULL", "tracker.headers"),
        ("payload = NULL", "tracker.payloads"),
    ] {
        let schema = new_schema();
        let tracker = options(&server.url("postgres")).schema(schema.clone()).connect().unwrap();
        tracker.tasks::<Job>().unwrap().submit_all((0..20).map(Job::new)).unwrap();
        assert_eq!(tracker.verify().unwrap(), []);
        let seq = format!("(SELECT max(seq) FROM {schema}.tasks)");
        server.psql("postgres", &format!("UPDATE {schema}.tasks SET {change} WHERE seq = {seq}")).unwrap();
        let problems = tracker.verify().unwrap();
        assert!(problems.iter().any(|problem| problem.table == table), "{change}: {problems:?}");
    }
}
