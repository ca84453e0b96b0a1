//! URLs and servers that cannot be used: the exit code, and what to do.

use super::{PASSWORD, schema_or_skip};

#[test]
fn unusable_url_or_server_is_named_without_the_password() {
    let schema = schema_or_skip!();
    schema.psql("CREATE SCHEMA {}; CREATE TABLE {}.meta (a int)");
    let role = "DO $$ BEGIN CREATE ROLE passworded LOGIN PASSWORD 'hunter2'; EXCEPTION WHEN others THEN NULL; END $$";
    schema.psql(role);
    let url = &schema.url;
    let login = format!("owner:{PASSWORD}");
    for (wrong, code, words) in [
        ("mysql://u:hunter2@h/d".to_owned(), 2, "must start with postgres://"),
        ("postgres://u:hunter2@h:x/d".into(), 2, "no number from 1 to 65535"),
        ("postgres://u:hunter2/2@h/d".into(), 2, "write / as %2F"),
        (format!("{url}&colour=red"), 2, "parameter \"colour\" is not known"),
        (format!("{url}&schema=pg_x"), 3, "cannot use the schema \"pg_x\""),
        (url.replace("?host=/", "?host=/nowhere/"), 3, "no server listens there"),
        (url.replace(&login, "passworded:hunter2-wrong"), 3, "correct user and password in the URL"),
        (url.replace(&login, "nobody:hunter2"), 3, "correct user and password in the URL"),
        (url.replace("/postgres?", "/missing?"), 3, "create the database"),
        (url.clone(), 3, "table meta of another program; choose another one with `schema=NAME` in the URL"),
    ] {
        // One that reads, one that changes, and one that may create.
        for arguments in [&["status", &wrong][..], &["retry", &wrong, "a"], &["run", &wrong, "--", "true", ":::", "a"]]
        {
            let ran = schema.fixture.run(arguments);
            assert_eq!((ran.code, ran.out.as_str()), (Some(code), ""), "{wrong}: {ran:?}");
            assert!(ran.err.contains(words) && !ran.err.contains(PASSWORD), "{wrong}: {ran:?}");
        }
    }
}

#[test]
fn tables_of_a_newer_version_are_refused() {
    let schema = schema_or_skip!().with_sample();
    schema.psql("UPDATE {}.meta SET layout = 99");
    for arguments in
        [&["status", "@"][..], &["retry", "@", "a"], &["doctor", "@"], &["run", "@", "--", "true", ":::", "a"]]
    {
        let ran = schema.run(arguments);
        assert!(ran.code == Some(3) && ran.err.contains("update this program"), "{ran:?}");
    }
}

#[test]
fn role_that_may_only_read_can_run_commands_that_read() {
    let schema = schema_or_skip!().with_sample();
    let role = format!("{}_reader", schema.name);
    schema.psql(&format!(
        "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA {{}} TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA {{}} TO {role}; \
         GRANT SELECT ON ALL SEQUENCES IN SCHEMA {{}} TO {role}"
    ));
    let url = schema.url.replace("owner:", &format!("{role}:"));
    assert_eq!(schema.fixture.fine(&["counts", &url])["kinds"][0]["total"], 60);
    assert_eq!(schema.fixture.fine(&["verify", &url])["sound"], true);
    let ran = schema.fixture.run(&["pause", &url, "--kind", "mail"]);
    assert!(ran.code == Some(3) && ran.err.contains("lacks a right"), "{ran:?}");
}
