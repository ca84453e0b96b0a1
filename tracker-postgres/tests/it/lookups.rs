//! Tasks that SQL users look up by status, id, index and unique key: which they find, and how many rows the server reads.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tracker_core::{TrackedTask, Tracker, time::ManualClock, uuid::Uuid};

use crate::support::{Server, job::Status, new_schema, server_or_skip};

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, Default)]
#[task(name = "part", status = Status, unique(shop, serial), unique(shop, code, serial))]
pub(crate) struct Part {
    #[task(id)]
    number: i64,
    #[task(index)]
    shop: String,
    #[task(index)]
    size: Option<i64>,
    #[task(index)]
    mark: Uuid,
    #[task(index)]
    digest: Vec<u8>,
    #[task(index)]
    is_used: bool,
    #[task(index)]
    most: u64,
    #[task(index)]
    label: Option<String>,
    #[task(unique)]
    serial: String,
    code: Option<i64>,
}

/// Parts whose values differ in type, sign and length.
pub(crate) fn parts() -> Vec<Part> {
    let texts = ["", "a", "b'\\c", "ü", "7", "[1]", "{", "{\"$bytes\": 1}", "null", "NULL"];
    let sizes = [None, Some(0), Some(-1), Some(255), Some(256), Some(-70_000), Some(i64::MIN), Some(i64::MAX)];
    let part = |(n, text): (i64, &str)| Part {
        number: n * 1000 - 3000,
        shop: text.into(),
        size: sizes[usize::try_from(n).unwrap() % sizes.len()],
        mark: Uuid::from_u128(u128::MAX / 11 * u128::from(n.cast_unsigned())),
        digest: vec![u8::try_from(n).unwrap(); usize::try_from(n).unwrap() % 3],
        is_used: n % 2 == 0,
        most: u64::MAX >> n,
        label: (n % 3 > 0).then(|| text.into()),
        serial: format!("{text}:{n}"),
        code: (n % 4 > 0).then_some(-n),
    };
    (0..).zip(texts).map(part).collect()
}

fn select(server: &Server, sql: &str) -> String {
    server.psql("postgres", sql).unwrap()
}

#[test]
fn every_shown_value_finds_its_task() {
    let server = server_or_skip!();
    let schema = new_schema();
    let tracker = server.options().schema(&schema).connect().unwrap();
    let tasks = tracker.tasks::<Part>().unwrap();
    tasks.submit_all(parts()).unwrap();
    // Values of indexes, unique keys and the id. Those of another task with the same value are found too.
    let shown = format!(
        "SELECT v.number, e.key, e.value FROM {schema}.v_part v, LATERAL (SELECT * FROM jsonb_each_text(v.indexes) \
         UNION ALL SELECT * FROM jsonb_each_text(v.keys) AS k WHERE k.value IS NOT NULL UNION ALL SELECT 'id', v.id) AS e"
    );
    let values = select(server, &format!("SELECT count(*) FROM ({shown}) AS e"));
    // Seven indexes, three unique keys and the id. A unique key has no value if a field is `None`.
    assert_eq!(values, (parts().len() * 11 - 3).to_string());
    let lost = format!(
        "SELECT key, value FROM ({shown}) AS e WHERE NOT EXISTS \
         (SELECT 1 FROM {schema}.v_part(e.key, e.value) AS f WHERE f.number = e.number)"
    );
    assert_eq!(select(server, &lost), "");
    // No other tasks are found.
    let found = format!("SELECT sum((SELECT count(*) FROM {schema}.v_part(e.key, e.value))) FROM ({shown}) AS e");
    let same = format!(
        "SELECT count(*) FROM ({shown}) AS a JOIN ({shown}) AS b ON a.key = b.key AND a.value IS NOT DISTINCT FROM b.value"
    );
    assert_eq!(select(server, &found), select(server, &same));
}

#[test]
fn lookup_shows_the_columns_of_the_view() {
    let server = server_or_skip!();
    let schema = new_schema();
    let tracker = server.options().schema(&schema).connect().unwrap();
    let tasks = tracker.tasks::<Part>().unwrap();
    tasks.submit_all(parts()).unwrap();
    for (name, value, number) in [
        ("id", "-1000", -1000),
        ("size", "-70000", 2000),
        ("shop", "b''\\c", -1000),
        ("shop_code_serial", "[\"ü\", -3, \"ü:3\"]", 0),
    ] {
        let found = select(server, &format!("SELECT * FROM {schema}.v_part('{name}', '{value}')"));
        let expected = select(server, &format!("SELECT * FROM {schema}.v_part WHERE id = '{number}'"));
        assert!(!found.is_empty() && found == expected, "{name} {value}: {found:?} and {expected:?}");
    }
    assert_eq!(select(server, &format!("SELECT count(*) FROM {schema}.v_part('size', NULL)")), "2");
    assert_eq!(select(server, &format!("SELECT count(*) FROM {schema}.v_part('size', '256.5')")), "0");
    let error = server.psql("postgres", &format!("SELECT 1 FROM {schema}.v_part('shops', 'a')")).unwrap_err();
    assert!(error.contains("'shops'") && error.contains("id, shop, size"), "{error}");
}

#[test]
fn lookup_needs_rights_on_both_views_only() {
    let server = server_or_skip!();
    let schema = new_schema();
    let tracker = server.options().schema(&schema).connect().unwrap();
    tracker.tasks::<Part>().unwrap().submit_all(parts()).unwrap();
    let reader = format!("reader_{schema}");
    let grant = |view: &str| format!("GRANT SELECT ON {schema}.{view} TO {reader}");
    select(server, &format!("CREATE ROLE {reader}; GRANT USAGE ON SCHEMA {schema} TO {reader}; {}", grant("v_part")));
    let read = format!("SET ROLE {reader}; SELECT id FROM {schema}.v_part('size', '255')");
    assert!(server.psql("postgres", &read).unwrap_err().contains("permission denied for view k_part"));
    select(server, &grant("k_part"));
    assert_eq!(select(server, &read), "0");
}

/// The most rows that a step of a query reads.
fn most_rows(server: &Server, sql: &str) -> usize {
    let plan = select(server, &format!("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) {sql}"));
    let after = |line: &str, word: &str| {
        let digits = line.split_once(word)?.1.split(|other: char| !other.is_ascii_digit()).next()?;
        digits.parse::<usize>().ok()
    };
    let rows = |line| {
        let loops = after(line, "loops=").unwrap_or(1);
        after(line, " rows=").or_else(|| after(line, "Rows Removed by Filter: ")).map(|rows| rows * loops)
    };
    let most = plan.lines().filter_map(rows).max();
    most.unwrap_or_else(|| panic!("{plan}"))
}

#[test]
fn documented_conditions_do_not_read_the_whole_kind() {
    let server = server_or_skip!();
    let schema = new_schema();
    let tracker = server.options().schema(&schema).connect().unwrap();
    let tasks = tracker.tasks::<Part>().unwrap();
    let part = |number: i64| Part {
        number,
        shop: format!("shop {}", number % 500),
        size: Some(number),
        serial: format!("{number}"),
        ..Part::default()
    };
    tasks.submit_all((0..2000).map(part)).unwrap();
    for number in 0..3_i64 {
        tasks.start(number).unwrap().succeed().unwrap();
    }
    let running = tasks.start(3_i64).unwrap();
    select(server, &format!("ANALYZE {schema}.tasks, {schema}.index_keys, {schema}.unique_keys"));
    let view = format!("{schema}.v_part");
    let first = select(server, &format!("SELECT min(number) FROM {view}"));
    for (from, found) in [
        (format!("{view} WHERE status = 'Succeeded'"), 3),
        (format!("{view} WHERE status_code = 40"), 3),
        (format!("{view} WHERE status IN ('Exhausted', 'Succeeded') AND ended_at < now()"), 3),
        (format!("{view} WHERE status = '41'"), 0),
        (format!("{view} WHERE expires_at IS NOT NULL"), 1),
        (format!("{view} WHERE number = {first}"), 1),
        (format!("{view}('id', '17')"), 1),
        (format!("{view}('shop', 'shop 17')"), 4),
        (format!("{view}('shop', 'shop 1') WHERE status = 'Succeeded'"), 1),
        (format!("{view}('size', '17')"), 1),
        (format!("{view}('serial', '17')"), 1),
        (format!("{view}('shop_serial', '[\"shop 17\", \"17\"]')"), 1),
    ] {
        assert_eq!(select(server, &format!("SELECT count(*) FROM {from}")), found.to_string(), "{from}");
        let read = most_rows(server, &format!("SELECT * FROM {from}"));
        assert!(read <= 12, "{read} rows: {from}");
    }
    // Other conditions do.
    let read = most_rows(server, &format!("SELECT id FROM {view} WHERE indexes->>'shop' = 'shop 17'"));
    assert!(read > 1500, "{read}");
    drop(running);
}

#[test]
fn times_of_a_task_are_columns() {
    let server = server_or_skip!();
    let schema = new_schema();
    let options = server.options().schema(&schema).client_clock(true);
    let clock = ManualClock::new();
    let tracker = options.open(Tracker::options().clock(clock.clone())).unwrap();
    let tasks = tracker.tasks::<Part>().unwrap();
    let now = tracker.now().timestamp_micros();
    tasks.submit(&Part::default()).unwrap();
    let times = |table: &str, suffix: &str| {
        let micros = |column: &str| format!("(extract(epoch FROM {column}) * 1000000)::int8 - {now}");
        let [created, updated] = ["created", "updated"].map(|name| micros(&format!("{name}{suffix}")));
        select(server, &format!("SELECT {created}, {updated} FROM {schema}.{table}"))
    };
    assert_eq!(times("tasks", ""), "0|0");
    clock.advance(Duration::from_secs(2));
    tasks.start(0_i64).unwrap().succeed().unwrap();
    assert_eq!(times("tasks", ""), "0|2000000");
    assert_eq!(times("v_part", "_at"), "0|2000000");
}
