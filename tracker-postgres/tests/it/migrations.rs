//! A schema with an older layout gets the newer one, and keeps its rows.

use std::time::Duration;

use tracker_core::{Tracker, time::ManualClock};

use crate::{
    lookups::{Part, parts},
    support::{new_schema, server_or_skip},
};

/// Brings a schema with the layout 4 back to the layout 2.
const UNDO_TO_2: &str = "DROP VIEW {}.v_part, {}.k_part; DROP FUNCTION {}.v_part, {}.keys_of, {}.forms_of_text, {}.forms_of_json; \
     ALTER TABLE {}.marks DROP rewinds; ALTER TABLE {}.tasks DROP created, DROP updated; \
     ALTER TABLE {}.index_keys DROP CONSTRAINT index_keys_pkey; \
     UPDATE {}.index_keys SET key = key || int8send(seq); \
     ALTER TABLE {}.index_keys DROP seq, ADD CONSTRAINT index_keys_pkey PRIMARY KEY (key); \
     UPDATE {}.meta SET layout = 2";

#[test]
fn migration_fills_the_columns_of_older_rows() {
    let server = server_or_skip!();
    let schema = new_schema();
    let clock = ManualClock::new();
    let options = server.options().schema(&schema).client_clock(true);
    let open = || options.open(Tracker::options().clock(clock.clone())).unwrap();
    let tracker = open();
    let tasks = tracker.tasks::<Part>().unwrap();
    tasks.submit_all(parts()).unwrap();
    clock.advance(Duration::from_secs(3));
    tasks.start(0_i64).unwrap().succeed().unwrap();
    drop((tasks, tracker));
    let rows = || {
        let tables = [("tasks", "seq"), ("index_keys", "key, seq")];
        let select = |(table, order)| format!("SELECT '{table}', to_jsonb(t) FROM {schema}.{table} t ORDER BY {order}");
        server.psql("postgres", &tables.map(select).join("; ")).unwrap()
    };
    let before = rows();
    assert!(before.contains("\"created\": \"2"), "{before}");

    server.psql("postgres", &UNDO_TO_2.replace("{}", &schema)).unwrap();
    assert_eq!(options.check().unwrap().findings[0].what, "migrations_missing");
    let tracker = open();
    assert_eq!(rows(), before);
    assert_eq!(options.check().unwrap().layout, 4);
    assert_eq!(tracker.verify().unwrap(), []);
    let found = server.psql("postgres", &format!("SELECT id FROM {schema}.v_part('size', '255')"));
    assert_eq!(found.as_deref(), Ok("0"));
}

#[test]
fn damaged_header_does_not_stop_a_migration() {
    let server = server_or_skip!();
    let schema = new_schema();
    let options = server.options().schema(&schema);
    let tracker = options.connect().unwrap();
    tracker.tasks::<Part>().unwrap().submit_all(parts()).unwrap();
    drop(tracker);
    // The first time is cut.
    let damage = format!(
        "UPDATE {schema}.tasks SET header = substring(header FOR 5) WHERE seq = (SELECT min(seq) FROM {schema}.tasks)"
    );
    server.psql("postgres", &format!("{damage}; {}", UNDO_TO_2.replace("{}", &schema))).unwrap();
    drop(options.connect().unwrap());
    let without = format!("SELECT count(*) FROM {schema}.tasks WHERE created IS NULL");
    assert_eq!(server.psql("postgres", &without).as_deref(), Ok("1"));
}
