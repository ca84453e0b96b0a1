//! The statements that make the views of a kind, and the function that looks its tasks up. Pure.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
};

use tracker_core::store::{StoredKind, StoredStatus};

use crate::schema::quoted;

/// The longest name of the server, in bytes.
const NAME_MAX: usize = 63;

/// The columns of a view of tasks. They are the same for all kinds, so that it can be replaced while others depend on it.
const COLUMNS: &str = "id text, status text, status_code int4, priority int2, due_at timestamptz, expires_at timestamptz, \
     ended_at timestamptz, created_at timestamptz, updated_at timestamptz, attempts int4, failures int4, worker text, error text, \
     indexes jsonb, keys jsonb, payload jsonb, number int8";

/// The name of the id where tasks are looked up, unless an index or a unique key has it.
const ID: &str = "id";

/// The views of a kind.
pub(super) struct KindViews {
    /// The names of the view of the tasks and of that of their keys, without quotes.
    pub names: [String; 2],
    /// The statements that make them, and the function.
    pub text: String,
    /// Says whether views are these.
    pub comment: String,
}

impl KindViews {
    pub(super) fn of(kind: &StoredKind, schema: &str) -> Self {
        let names = ["v", "k"].map(|prefix| view_name(prefix, kind));
        let [tasks, keys] = names.each_ref().map(|name| format!("{schema}.{}", quoted(name)));
        let statements = [
            format!("CREATE OR REPLACE VIEW {tasks} AS {}", select_tasks(kind, schema)),
            format!("CREATE OR REPLACE VIEW {keys} AS {}", select_keys(kind, schema)),
            // The result does not have the type of the view, which could not be dropped then. An array, since the server may scan all tasks for a
            // join whose size it overrates.
            format!(
                "CREATE OR REPLACE FUNCTION {tasks}(name text, value text) RETURNS TABLE ({COLUMNS}) LANGUAGE sql STABLE AS {}",
                literal(&format!(
                    "SELECT v.* FROM {tasks} AS v WHERE v.number = ANY(ARRAY(SELECT k.number FROM {keys} AS k WHERE k.key = ANY({})))",
                    looked_up(kind, schema)
                ))
            ),
        ];
        let text = statements.join("; ");
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(&text);
        let comment = format!("Tasks of the kind {}. Made by tracker-postgres ({hash:016x}).", kind.name);
        let comments = [&tasks, &keys].map(|view| format!("; COMMENT ON VIEW {view} IS {}", literal(&comment)));
        Self { names, text: text + &comments.concat(), comment }
    }
}

/// A range of the claim order: the tasks of a status, or of statuses that the kind does not have.
#[derive(Debug, PartialEq, Eq)]
struct Part<S> {
    status: Option<S>,
    /// The first bytes of the keys.
    from: u64,
    to: u64,
}

/// The ranges of a kind, which cover it. `statuses` are by their code. A condition on the status is one on the range then, which the server
/// reads by the index of the claim order.
fn parts<S>(kind: u32, statuses: BTreeMap<i32, S>) -> Vec<Part<S>> {
    let start = u64::from(kind) << 32;
    let (mut next, end) = (start, start.saturating_add(1 << 32));
    let mut parts = Vec::new();
    for (code, status) in statuses {
        let from = start + u64::from(code.cast_unsigned() ^ (1 << 31));
        if next < from {
            parts.push(Part { status: None, from: next, to: from });
        }
        next = from.saturating_add(1);
        parts.push(Part { status: Some(status), from, to: next });
    }
    if next < end {
        parts.push(Part { status: None, from: next, to: end });
    }
    parts
}

fn select_tasks(kind: &StoredKind, schema: &str) -> String {
    let codes = |has: fn(&StoredStatus) -> bool| {
        format!("'{{{}}}'::int4[]", list(kind.statuses.iter().filter(|status| has(status)).map(|status| status.code)))
    };
    let (running, ended) = (codes(|status| status.is_running), codes(|status| status.is_terminal));
    let waiting = codes(|status| !status.is_running && !status.is_terminal);
    let names = |names: &[String]| format!("ARRAY[{}]::text[]", list(names.iter().map(|name| literal(name))));
    let (indexes, uniques) = (names(&kind.indexes), names(&kind.uniques));
    // The conditions are outside of the parts, so that the server takes each part for a table, and joins the view as one.
    let statuses = kind.statuses.iter().map(|status| (status.code, status)).collect();
    let parts = parts(kind.number, statuses).into_iter().map(|Part { status, from, to }| {
        let (name, code) = match status {
            Some(status) => (format!("{}::text", literal(&status.name)), format!("'{}'::int4", status.code)),
            None => ("t.status::text".into(), "t.status".into()),
        };
        let (from, to) = (bytes(&from.to_be_bytes()), bytes(&to.to_be_bytes()));
        format!(
            "SELECT {name} AS status, {code} AS code, {from} AS low, {to} AS high, t.kind, t.seq, t.priority, t.at, t.id_key, \
             t.id, t.claim_key, t.header, t.payload, t.created, t.updated FROM {schema}.tasks t"
        )
    });
    format!(
        "SELECT coalesce(t.id, {schema}.value_of(substring(t.id_key FROM 5)) #>> '{{}}') AS id, \
         t.status, t.code AS status_code, \
         CASE WHEN t.code = ANY({running}) THEN ({schema}.task_header(t.header)).priority ELSE t.priority END AS priority, \
         CASE WHEN t.code = ANY({waiting}) THEN {schema}.time_of(t.at) END AS due_at, \
         CASE WHEN t.code = ANY({running}) THEN {schema}.time_of(t.at) END AS expires_at, \
         CASE WHEN t.code = ANY({ended}) THEN {schema}.time_of(t.at) END AS ended_at, \
         t.created AS created_at, t.updated AS updated_at, \
         ({schema}.task_header(t.header)).attempts AS attempts, \
         ({schema}.task_header(t.header)).failures AS failures, \
         ({schema}.task_header(t.header)).worker AS worker, \
         (SELECT failed.error FROM (SELECT {schema}.attempt_error(h.value) AS error, h.key FROM {schema}.history h \
         WHERE h.key >= substring(int8send(t.kind) FROM 5) || int8send(t.seq) \
         AND h.key < substring(int8send(t.kind) FROM 5) || int8send(t.seq + 1)) AS failed \
         WHERE failed.error IS NOT NULL ORDER BY failed.key DESC LIMIT 1) AS error, \
         {schema}.task_values(t.payload, 1, {indexes}) AS indexes, \
         {schema}.task_values(t.payload, 2, {uniques}) AS keys, \
         {schema}.task_payload(t.payload) AS payload, \
         t.seq AS number \
         FROM ({}) AS t WHERE t.kind = {} AND t.claim_key >= t.low AND t.claim_key < t.high AND t.header IS NOT NULL",
        parts.collect::<Vec<_>>().join(" UNION ALL "),
        kind.number,
    )
}

/// The ids, unique keys and values of indexes, each with the number of its task.
fn select_keys(kind: &StoredKind, schema: &str) -> String {
    let [from, to] = [kind.number, kind.number.saturating_add(1)].map(|number| bytes(&number.to_be_bytes()));
    format!(
        "SELECT k.key, k.number FROM (SELECT t.id_key AS key, t.seq AS number FROM {schema}.tasks t \
         UNION ALL SELECT u.key, u.seq FROM {schema}.unique_keys u UNION ALL SELECT i.key, i.seq FROM {schema}.index_keys i) AS k \
         WHERE k.key >= {from} AND k.key < {to}"
    )
}

/// The keys of a name and a value, which are the parameters of a function.
fn looked_up(kind: &StoredKind, schema: &str) -> String {
    let prefix = kind.number.to_be_bytes();
    let numbered = |names: &[String], has_length: bool| {
        let entry =
            |(number, name): (u16, &String)| (name.clone(), [&prefix[..], &number.to_be_bytes()].concat(), has_length);
        (0..).zip(names).map(entry).collect::<Vec<_>>()
    };
    let mut entries = [numbered(&kind.indexes, true), numbered(&kind.uniques, false)].concat();
    if entries.iter().all(|(name, ..)| name != ID) {
        entries.insert(0, (ID.into(), prefix.to_vec(), false));
    }
    format!(
        "{schema}.keys_of($1, $2, ARRAY[{}]::text[], ARRAY[{}], ARRAY[{}])",
        list(entries.iter().map(|(name, ..)| literal(name))),
        list(entries.iter().map(|(_, start, _)| bytes(start))),
        list(entries.iter().map(|(.., has_length)| has_length)),
    )
}

fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    // A backslash is a character of its own only in this form.
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

fn bytes(bytes: &[u8]) -> String {
    let digits = bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    format!("{}::bytea", literal(&format!("\\x{digits}")))
}

fn list<T: ToString>(items: impl Iterator<Item = T>) -> String {
    items.map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

/// A prefix and the name of the kind; a long name is cut, and has its number then.
fn view_name(prefix: &str, kind: &StoredKind) -> String {
    let name = format!("{prefix}_{}", kind.name);
    if name.len() <= NAME_MAX {
        return name;
    }
    let end = format!("_{}", kind.number);
    let cut = name.char_indices().map(|(at, _)| at).take_while(|at| *at <= NAME_MAX - end.len()).last().unwrap_or(0);
    format!("{}{end}", name.get(..cut).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_a_kind_without_gaps() {
        let kind = 3_u64 << 32;
        for codes in [&[10, 20, 21][..], &[], &[-1, 0], &[i32::MIN, i32::MAX]] {
            let parts = parts(3, codes.iter().map(|code| (*code, *code)).collect());
            let mut next = kind;
            for part in &parts {
                assert!(part.from == next && part.to > part.from, "{parts:?}");
                next = part.to;
            }
            assert_eq!(next, 4 << 32, "{parts:?}");
            assert_eq!(parts.iter().filter_map(|part| part.status).collect::<Vec<_>>(), codes);
        }
        let waiting = parts(3, BTreeMap::from([(-1, 'w')])).into_iter().find(|part| part.status.is_some());
        // The sign bit of a code is flipped in a key.
        let from = kind + 0x7fff_ffff;
        assert_eq!(waiting, Some(Part { status: Some('w'), from, to: from + 1 }));
    }

    #[test]
    fn text_and_bytes_are_literals() {
        assert_eq!([literal("a'b"), literal("a\\b")], ["'a''b'", "E'a\\\\b'"]);
        assert_eq!(bytes(&[0, 255]), "E'\\\\x00ff'::bytea");
    }
}
