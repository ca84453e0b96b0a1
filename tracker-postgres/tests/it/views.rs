//! The views of the kinds, as SQL users read them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tracker_core::{TrackedTask, Tracker, file::PayloadCodec, submit::SubmitOptions, time::ManualClock, uuid::Uuid};

use crate::support::{Server, job::Status, new_schema, server_or_skip};

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, Default)]
#[task(name = "page", status = Status, unique(host, path))]
struct Page {
    #[task(id)]
    url: String,
    #[task(index)]
    host: String,
    path: String,
    #[task(index)]
    size: Option<i64>,
    ratio: f64,
    half: f32,
    most: u64,
    least: i64,
    tags: Vec<String>,
    links: BTreeMap<u8, bool>,
    #[serde(with = "bytes")]
    digest: Vec<u8>,
}

mod bytes {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        Vec::deserialize(deserializer)
    }
}

fn page(url: &str) -> Page {
    Page { url: url.into(), host: "a'b\\c".into(), path: url.into(), ..Page::default() }
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "number", status = Status)]
struct Number {
    #[task(id)]
    id: i64,
    #[task(index)]
    mark: Uuid,
}

/// The rows of a query as JSON.
fn select(server: &Server, sql: &str) -> String {
    server.psql("postgres", sql).unwrap()
}

#[test]
fn view_shows_status_times_and_attempts() {
    let server = server_or_skip!();
    let schema = new_schema();
    let options = server.options().schema(&schema).client_clock(true);
    let clock = ManualClock::new();
    let tracker = options.open(Tracker::options().clock(clock.clone())).unwrap();
    let pages = tracker.tasks::<Page>().unwrap();
    for url in ["a", "b", "c", "d"] {
        pages.submit_with(&page(url), &SubmitOptions::default().priority(7)).unwrap();
    }
    let now = tracker.now().timestamp_micros();
    pages.start("a").unwrap().succeed().unwrap();
    pages.start("b").unwrap().fail("timed out").unwrap();
    let running = pages.start("c").unwrap();
    let micros = |column: &str| format!("(extract(epoch FROM {column}) * 1000000)::int8");
    let rows = select(
        server,
        &format!(
            "SELECT id, status, status_code, priority, attempts, failures, coalesce(error, '-'), worker IS NULL, \
             coalesce({} - {now}, -1), coalesce({} - {now}, -1), coalesce({} - {now}, -1), {} - {now} FROM {schema}.v_page ORDER BY id",
            micros("due_at"),
            micros("expires_at"),
            micros("ended_at"),
            micros("created_at"),
        ),
    );
    let retry = pages.get("b").unwrap().unwrap().due_at.timestamp_micros() - now;
    let lease = pages.get("c").unwrap().unwrap().lease.unwrap().until.timestamp_micros() - now;
    let expected = [
        "a|Succeeded|40|7|1|0|-|t|-1|-1|0|0".to_owned(),
        format!("b|Failed|30|7|1|1|timed out|t|{retry}|-1|-1|0"),
        format!("c|InProgress|20|7|1|0|-|f|-1|{lease}|-1|0"),
        "d|Pending|10|7|0|0|-|t|0|-1|-1|0".to_owned(),
    ];
    assert_eq!(rows, expected.join("\n"));
    drop(running);
}

#[test]
fn view_shows_payload_indexes_and_keys() {
    let server = server_or_skip!();
    let schema = new_schema();
    let tracker = server.options().schema(&schema).connect().unwrap();
    let pages = tracker.tasks::<Page>().unwrap();
    let full = Page {
        size: Some(-70_000),
        ratio: -0.1,
        half: 0.5,
        most: u64::MAX,
        least: i64::MIN,
        tags: vec!["ä\"\n".into(), "x".repeat(300), String::new()],
        links: BTreeMap::from([(7, true), (200, false)]),
        digest: vec![0, 255],
        ..page("https://a/ü")
    };
    pages.submit(&full).unwrap();
    let row = select(server, &format!("SELECT payload - 'tags' - 'links' FROM {schema}.v_page"));
    let expected = r#"{"url": "https://a/ü", "half": 0.5, "host": "a'b\\c", "most": 18446744073709551615, "path": "https://a/ü", "size": -70000, "least": -9223372036854775808, "ratio": -0.1, "digest": {"$bytes": "AP8="}}"#;
    assert_eq!(row, expected);
    let lists = format!(
        "SELECT payload->'tags'->>0 = E'ä\"\\n' AND length(payload->'tags'->>1) = 300 AND payload->'tags'->>2 = '', \
         payload->'links', indexes, keys FROM {schema}.v_page"
    );
    let expected =
        r#"t|{"7": true, "200": false}|{"host": "a'b\\c", "size": -70000}|{"host_path": ["a'b\\c", "https://a/ü"]}"#;
    assert_eq!(select(server, &lists), expected);

    let numbers = tracker.tasks::<Number>().unwrap();
    for id in [-256, -1, 0, 255, i64::MAX] {
        numbers.submit(&Number { id, mark: Uuid::nil() }).unwrap();
    }
    let ids = select(server, &format!("SELECT id, indexes->>'mark' FROM {schema}.v_number ORDER BY id::int8"));
    let signed = select(server, &format!("SELECT array_agg({schema}.signed_of(n)) FROM generate_series(0, 4) AS n"));
    assert_eq!(signed, "{0,-1,1,-2,2}");
    let nil = Uuid::nil();
    let expected = [-256, -1, 0, 255, i64::MAX].map(|id| format!("{id}|{nil}"));
    assert_eq!(ids, expected.join("\n"));
}

#[test]
fn every_float_and_number_is_shown_exactly() {
    let server = server_or_skip!();
    let schema = new_schema();
    let tracker = server.options().schema(&schema).connect().unwrap();
    let pages = tracker.tasks::<Page>().unwrap();
    let floats = [0.0, -0.0, 1.5, f64::MAX, f64::MIN_POSITIVE, 5e-324, 1e300, std::f64::consts::PI, -123_456.789];
    let numbers =
        [0, 127, 128, 255, 256, 65_535, 65_536, 1 << 31, u64::from(u32::MAX), 1 << 32, i64::MAX.cast_unsigned()];
    let signed = [-1, -32, -33, -128, -129, -32_768, -32_769, -(1 << 31), -(1 << 31) - 1];
    for (n, number) in numbers.into_iter().enumerate() {
        let (ratio, least) = (floats[n % floats.len()], signed[n % signed.len()]);
        let half = [1.0_f32, f32::MAX, 1e-45, 0.1][n % 4];
        pages.submit(&Page { ratio, most: number, least, half, ..page(&n.to_string()) }).unwrap();
        let row = select(
            server,
            &format!(
                "SELECT (payload->>'ratio')::float8, payload->>'most', payload->>'least', (payload->>'half')::float4 \
                 FROM {schema}.v_page WHERE id = '{n}'"
            ),
        );
        let columns: Vec<_> = row.split('|').collect();
        assert_eq!(columns[0].parse::<f64>().unwrap().to_bits(), (ratio + 0.0).to_bits(), "{row}");
        assert_eq!((columns[1], columns[2]), (number.to_string().as_str(), least.to_string().as_str()));
        assert_eq!(columns[3].parse::<f32>().unwrap().to_bits(), half.to_bits(), "{row}");
    }
    pages.submit(&Page { ratio: f64::NEG_INFINITY, ..page("infinite") }).unwrap();
    let row = select(server, &format!("SELECT payload->'ratio'->>'$f64' FROM {schema}.v_page WHERE id = 'infinite'"));
    assert_eq!(row, "-Infinity");
}

struct Reversed;

impl PayloadCodec for Reversed {
    fn name(&self) -> &'static str {
        "reversed"
    }

    fn encode(&self, payload: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(payload.iter().rev().copied().collect())
    }

    fn decode(&self, encoded: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        self.encode(encoded)
    }
}

#[test]
fn encoded_payload_is_shown_as_such() {
    let server = server_or_skip!();
    let schema = new_schema();
    let options = server.options().schema(&schema);
    let tracker = options.open(Tracker::options().payload_codec(Reversed)).unwrap();
    let pages = tracker.tasks::<Page>().unwrap();
    pages.submit(&page("a")).unwrap();
    let sql = format!("SELECT payload->'$encoded'->>0, payload->'$encoded'->1, indexes->>'host' FROM {schema}.v_page");
    assert_eq!(select(server, &sql), "reversed|1|a'b\\c");
}

mod renamed {
    use tracker_core::TaskStatus;

    use super::{Deserialize, Serialize, TrackedTask};

    #[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) enum NewStatus {
        #[status(pending)]
        Waiting = 10,
        InProgress = 20,
        Failed = 30,
        Succeeded = 40,
        Exhausted = 50,
    }

    #[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
    #[task(name = "number", status = NewStatus)]
    pub(super) struct Number {
        #[task(id)]
        id: i64,
        mark: tracker_core::uuid::Uuid,
    }
}

#[test]
fn changed_kind_replaces_its_view_and_keeps_its_rights() {
    let server = server_or_skip!();
    let schema = new_schema();
    let options = server.options().schema(&schema);
    let tracker = options.connect().unwrap();
    let numbers = tracker.tasks::<Number>().unwrap();
    numbers.submit(&Number { id: 1, mark: Uuid::nil() }).unwrap();
    let reader = format!("reader_{schema}");
    select(
        server,
        &format!(
            "CREATE ROLE {reader}; GRANT USAGE ON SCHEMA {schema} TO {reader}; GRANT SELECT ON {schema}.v_number TO {reader}"
        ),
    );
    let read = format!("SET ROLE {reader}; SELECT id, status, payload IS NULL, indexes FROM {schema}.v_number");
    assert_eq!(select(server, &read), format!("1|Pending|f|{{\"mark\": \"{}\"}}", Uuid::nil()));
    let refused = server.psql("postgres", &format!("SET ROLE {reader}; SELECT 1 FROM {schema}.tasks"));
    assert!(refused.unwrap_err().contains("permission denied"));

    drop(numbers);
    let renamed = tracker.tasks::<renamed::Number>().unwrap();
    assert_eq!(select(server, &read), "1|Waiting|f|{}");
    drop(renamed);
    // A view that was dropped comes back at the next open.
    select(server, &format!("DROP VIEW {schema}.v_number"));
    drop(options.connect().unwrap());
    assert_eq!(select(server, &format!("SELECT status FROM {schema}.v_number")), "Waiting");
}
