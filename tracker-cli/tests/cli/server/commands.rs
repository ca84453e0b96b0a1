//! The commands, one after the other, on a schema.

use super::{Schema, schema_or_skip};

#[test]
fn commands_that_read_work_on_a_schema() {
    let schema = schema_or_skip!().with_sample();
    let status = schema.fine(&["status", "@"]);
    assert!(status["file"].as_str().unwrap().ends_with(&format!("?schema={}", schema.name)), "{status}");
    assert_eq!((&status["bytes"], status["kinds"][0]["total"].as_u64()), (&serde_json::Value::Null, Some(60)));
    assert_eq!(schema.fine(&["counts", "@"])["kinds"][1]["total"], 4);
    let listed = schema.fine(&["list", "@", "--kind", "download", "--status", "Exhausted"]);
    assert_eq!((listed["total"].as_u64(), listed["tasks"].as_array().map(Vec::len)), (Some(6), Some(6)));
    assert_eq!(schema.fine(&["list", "@", "--kind", "download", "--index", "host=host1"])["total"], 20);
    assert_eq!(schema.fine(&["show", "@", "https://host0/030"])["status"], "Exhausted");
    assert_eq!(schema.fine(&["wait", "@", "https://host0/000"])["result"], "ended");
    assert_eq!(schema.fine(&["errors", "@", "--kind", "download"])["kinds"][0]["groups"][0]["count"], 6);
    assert_eq!(schema.fine(&["plan", "@", "--kind", "mail"])["kinds"][0]["ready"]["count"], 4);
    assert!(schema.fine(&["metrics", "@"])["text"].as_str().unwrap().contains("kind=\"mail\""));
    assert_eq!(schema.fine(&["verify", "@"])["sound"], true);
    assert_eq!(schema.fine(&["budget", "list", "@"])["budgets"].as_array().map(Vec::len), Some(0));
    assert_eq!(schema.fine(&["report", "@"])["tasks"], 64);
    let report = schema.fixture.read("report.html");
    assert!(report.contains(&schema.name) && !report.contains(super::PASSWORD));
    let exported = schema.run(&["export", "@"]);
    let sorted = |text: &str| {
        let mut lines: Vec<_> = text.lines().map(ToOwned::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&exported.out), sorted(&schema.fixture.read("lines.jsonl")), "{}", exported.err);
    let csv = schema.run(&["export", "@", "--csv", "--kind", "mail"]);
    assert_eq!((csv.code, csv.out.lines().count()), (Some(0), 5));
    // The URL is a plain argument, too.
    assert_eq!(schema.fine(&["counts", &schema.url])["kinds"][1]["total"], 4);
}

#[test]
fn commands_that_change_work_on_a_schema() {
    let schema = schema_or_skip!().with_sample();
    let total = |status: &str| schema.fine(&["list", "@", "--kind", "download", "--status", status])["total"].clone();
    assert_eq!(schema.fine(&["retry", "@", "--kind", "download", "--status", "Exhausted", "--yes"])["changed"], 6);
    assert_eq!(total("Exhausted"), 0);
    assert_eq!(schema.fine(&["cancel", "@", "https://host1/049"])["changed"], 1);
    assert_eq!(schema.fine(&["ignore", "@", "https://host2/050", "--reason", "not needed"])["changed"], 1);
    assert_eq!((total("Cancelled"), total("Ignored")), (2.into(), 2.into()));
    assert_eq!(schema.fine(&["requeue", "@", "https://host0/000", "--yes"])["changed"], 1);
    assert_eq!(schema.fine(&["set", "@", "https://host0/000", "--priority", "9"])["changed"], 1);
    assert_eq!(schema.fine(&["show", "@", "https://host0/000"])["priority"], 9);
    assert_eq!(schema.run(&["move", "@", "https://host1/058", "--front"]).code, Some(0));
    let next = schema.fine(&["plan", "@", "--kind", "download"])["kinds"][0]["next"].clone();
    let ids: Vec<_> = next.as_array().unwrap().iter().take(2).map(|task| task["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["https://host0/000", "https://host1/058"]);
    assert_eq!(schema.fine(&["pause", "@", "--kind", "mail"])["changed"], 1);
    assert_eq!(schema.fine(&["plan", "@", "--kind", "mail"])["kinds"][0]["paused"], true);
    assert_eq!(schema.fine(&["resume", "@", "--kind", "mail"])["changed"], 1);
    assert_eq!(schema.run(&["rescue", "@"]).code, Some(0));
    assert_eq!(schema.run(&["budget", "set", "@", "memory", "8"]).code, Some(0));
    assert_eq!(schema.fine(&["budget", "list", "@"])["budgets"].as_array().map(Vec::len), Some(1));
    let command = ["schedule", "add", "@", "nightly", "--cron", "0 3 * * *", "--", "echo", "{}"];
    assert_eq!(schema.run(&command).code, Some(0));
    assert_eq!(schema.fine(&["schedule", "list", "@"])["schedules"].as_array().map(Vec::len), Some(1));
    let mut edit = schema.command(&["edit", "@", "2", "--kind", "mail"]);
    let edited = edit.env("EDITOR", "sed -i s/hello/changed/").output().unwrap();
    assert!(edited.status.success(), "{}", String::from_utf8_lossy(&edited.stderr));
    assert_eq!(schema.fine(&["show", "@", "2", "--kind", "mail"])["task"]["text"], "changed");
    let pruned = schema.fine(&["prune", "@", "--kind", "download", "--older-than", "0s", "--yes"]);
    assert!(pruned["changed"].as_u64().unwrap() > 20, "{pruned}");
    assert_eq!(schema.fine(&["verify", "@"])["sound"], true);
}

#[test]
fn only_commands_that_store_make_a_schema() {
    let schema = schema_or_skip!();
    let count = "SELECT count(*) FROM pg_namespace WHERE nspname = '{}'";
    for arguments in [
        &["status", "@"][..],
        &["retry", "@", "a"],
        &["doctor", "@"],
        &["show", "@", "a"],
        &["prune", "@", "--older-than", "0s", "--yes"],
    ] {
        let ran = schema.run(arguments);
        assert_eq!(ran.code, Some(3), "{ran:?}");
        let expected = format!("no tracker in the schema {:?}: correct the schema, or `tracker run`", schema.name);
        assert!(ran.err.contains(&expected), "{ran:?}");
    }
    assert_eq!(schema.psql(count), "0");
    assert_eq!(schema.run(&["run", "@", "--", "true", ":::", "a"]).code, Some(0));
    assert_eq!(schema.psql(count), "1");
}

#[test]
fn schema_of_another_name_is_another_tracker() {
    let schema: Schema = schema_or_skip!().with_sample();
    let other = schema.url.replace(&schema.name, &format!("{}_b", schema.name));
    let count = |url: &str| {
        let ran = schema.fixture.run(&["run", url, "--json", "--", "true", ":::", "a"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        schema.fixture.fine(&["counts", url])["kinds"].as_array().unwrap().len()
    };
    assert_eq!((count(&schema.url), count(&other)), (3, 1));
}
