//! `tracker doctor` on a schema.

use super::{Schema, schema_or_skip};

/// The sorts of the findings.
fn findings(schema: &Schema) -> Vec<String> {
    let ran = schema.run(&["doctor", "@", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    let found = report["findings"].as_array().unwrap();
    assert_eq!(ran.code, Some(i32::from(!found.is_empty())), "{ran:?}");
    assert!(report["server"]["connections"].as_u64() > Some(0), "{report}");
    found.iter().map(|finding| finding["what"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn doctor_finds_problems_of_tasks_tables_and_settings() {
    let schema = schema_or_skip!();
    assert_eq!(schema.run(&["run", "@", "--", "true", ":::", "a", "b"]).code, Some(0));
    assert_eq!(findings(&schema), Vec::<String>::new());
    let ran = schema.run(&["doctor", "@"]);
    assert!(ran.out.starts_with("PostgreSQL ") && ran.out.contains("no problem found"), "{ran:?}");
    assert_eq!(schema.run(&["run", "@", "--name", "bad", "--", "false", ":::", "a"]).code, Some(1));
    assert_eq!(findings(&schema), ["exhausted"]);
    schema.psql("ALTER TABLE {}.tasks SET (autovacuum_enabled = off); DROP INDEX {}.tasks_updated_key");
    assert_eq!(findings(&schema), ["index_missing", "autovacuum_off", "exhausted"]);
    let ran = schema.run(&["doctor", "@"]);
    assert!(ran.out.contains("make it again with `CREATE INDEX tasks_updated_key ON"), "{ran:?}");
    // Rows that are gone, and a table that cannot be read.
    schema.psql("DELETE FROM {}.counts");
    assert_eq!(findings(&schema)[2], "damaged");
    schema.psql("DROP TABLE {}.counts");
    let found = findings(&schema);
    assert!(found.contains(&"tables_changed".to_owned()) && found.contains(&"unusable".to_owned()), "{found:?}");
}
