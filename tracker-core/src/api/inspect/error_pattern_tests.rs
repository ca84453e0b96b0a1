//! Patterns of real error texts.

use super::*;

fn failure(texts: &[&str]) -> Failure {
    let mut texts = texts.iter().map(|text| (*text).to_owned());
    Failure { error: texts.next().unwrap_or_default(), causes: texts.collect(), ..Failure::default() }
}

/// Error texts of the standard library, of crates, of other languages, and of commands.
#[rustfmt::skip]
const PATTERNS: [(&str, &str); 56] = [
    // io
    ("No such file or directory (os error 2)", "No such file or directory (os error 2)"),
    ("cannot open /var/lib/app/7/in.csv: Permission denied (os error 13)", "cannot open {path}: Permission denied (os error 13)"),
    ("open C:\\Users\\Ann\\Music\\a.flac: Access is denied. (os error 5)", "open {path}: Access is denied. (os error 5)"),
    ("copy \\\\nas\\share\\a.bin failed", "copy {path} failed"),
    ("failed to fill whole buffer", "failed to fill whole buffer"),
    ("Connection refused (os error 111): 127.0.0.1:5432", "Connection refused (os error 111): {host}"),
    ("failed to lookup address information: Name or service not known", "failed to lookup address information: Name or service not known"),
    ("read 512 of 4096 bytes from ./cache/part.tmp", "read {number} of {number} bytes from {path}"),
    // reqwest, hyper
    ("error sending request for url (https://api.example.com/v1/users/42?page=3)", "error sending request for url ({url})"),
    ("HTTP status client error (404 Not Found) for url (http://h/x)", "HTTP status client error (404 Not Found) for url ({url})"),
    ("tcp connect error: [::1]:8080 refused", "tcp connect error: {host} refused"),
    ("connect to fe80::1ff:fe23:4567:890a timed out", "connect to {host} timed out"),
    ("connect to [fe80::1%eth0] timed out after 30s", "connect to {host} timed out after {number}s"),
    ("operation timed out after 1h30m", "operation timed out after {number}h{number}m"),
    ("dns error: no record for db-3.internal", "dns error: no record for {host}"),
    ("cannot reach localhost:9000", "cannot reach {host}"),
    ("invalid certificate for mail.example.org", "invalid certificate for {host}"),
    ("404 not found", "404 not found"),
    ("smtp: 550 no such user ann@example.com", "smtp: 550 no such user {email}"),
    ("HTTP 503 from 10.0.0.7", "HTTP 503 from {host}"),
    ("server returned status: 502", "server returned status: 502"),
    ("took: 450 ms", "took: {number} ms"),
    // sqlx, databases
    ("error returned from database: duplicate key value violates unique constraint \"users_email_key\"",
     "error returned from database: duplicate key value violates unique constraint {name}"),
    ("error returned from database: (code: 5) database is locked", "error returned from database: (code: 5) database is locked"),
    ("ORA-00942: table or view does not exist", "ORA-00942: table or view does not exist"),
    ("ERROR 1045 (28000): Access denied for user 'root'@'localhost'", "ERROR 1045 ({number}): Access denied for user {name}@{name}"),
    ("Key (id)=(42) already exists.", "Key (id)=({number}) already exists."),
    ("pool timed out while waiting for an open connection", "pool timed out while waiting for an open connection"),
    // serde
    ("missing field `name` at line 3 column 14", "missing field {name} at line {number} column {number}"),
    ("invalid type: string \"abc\", expected u32 at line 1 column 5", "invalid type: string {name}, expected u32 at line {number} column {number}"),
    ("stream did not contain valid UTF-8", "stream did not contain valid UTF-8"),
    // Python
    ("Traceback (most recent call last):\n  File \"/app/job.py\", line 12, in <module>\n    run()\nValueError: invalid literal for int() with base 10: 'x7'",
     "ValueError: invalid literal for int() with base {number}: {name}"),
    ("requests.exceptions.ConnectionError: HTTPSConnectionPool(host='a.org', port=443): Max retries exceeded",
     "requests.exceptions.ConnectionError: HTTPSConnectionPool(host={name}, port={number}): Max retries exceeded"),
    ("KeyError: 'user_17'", "KeyError: {name}"),
    ("<Job object at 0x7f3a2c0d1e50> is closed", "<Job object at {id}> is closed"),
    // Rust panics, Java, Go
    ("thread 'main' panicked at src/main.rs:2:5:", "thread {name} panicked at {path}:"),
    ("index out of bounds: the len is 3 but the index is 7", "index out of bounds: the len is {number} but the index is {number}"),
    ("called `Option::unwrap()` on a `None` value", "called {name} on a {name} value"),
    ("java.lang.NullPointerException: can't read the user's name", "java.lang.NullPointerException: can't read the user's name"),
    ("dial tcp 192.168.1.20:443: i/o timeout", "dial tcp {host}: i/o timeout"),
    // commands
    ("exit code 3", "exit code 3"),
    ("killed by signal 9", "killed by signal 9"),
    ("boom 7", "boom {number}"),
    ("worker3 lost lease 81", "worker3 lost lease {number}"),
    ("ffmpeg: main.flac:12: bad frame -17 at 00:01:02.5", "ffmpeg: {path}: bad frame -{number} at {time}"),
    ("\u{1b}[31merror:\u{1b}[0m disk full on \u{1b}[1m/dev/sda1\u{1b}[0m", "error: disk full on {path}"),
    ("\u{1b}]8;;https://x\u{7}link\u{1b}]8;;\u{1b}\\ is dead", "link is dead"),
    ("commit 3f2a9c1d is not in v1.2.3", "commit {id} is not in v1.2.3"),
    ("object 018f2a3b-4c5d-7e6f-8a9b-0c1d2e3f4a5b is gone", "object {id} is gone"),
    ("token 01HZX3Q4R5S6T7V8W9XYZ expired at 2026-01-31T12:34:56Z", "token {id} expired at {time}"),
    ("only 1,234,567 of 2.5e6 rows", "only {number} of {number}e{number} rows"),
    ("unsupported content type application/json", "unsupported content type application/json"),
    ("no field a.b in config.toml", "no field a.b in {path}"),
    ("“Müller” ist 5 € schuldig", "{name} ist {number} € schuldig"),
    ("unbalanced \" and ' quotes", "unbalanced \" and ' quotes"),
    ("", ""),
];

#[test]
fn real_errors_have_patterns_without_their_particulars() {
    for (text, expected) in PATTERNS {
        assert_eq!(pattern_of(&failure(&[text]), "the id"), expected, "{text:?}");
    }
}

#[test]
fn every_part_of_an_error_has_a_pattern() {
    for (text, expected) in PATTERNS {
        for cut in (0..text.len()).filter(|cut| text.is_char_boundary(*cut)) {
            assert!(pattern_of(&failure(&[&text[cut..]]), "7").len() <= expected.len() + 8 * text.len());
        }
    }
}

#[test]
fn own_id_is_replaced_where_it_is_a_word() {
    for (message, id, expected) in [
        ("cannot fetch https://a/b: 404", "https://a/b", "cannot fetch {id}: 404"),
        ("7 of 77 failed, 7", "7", "{id} of {number} failed, {id}"),
        ("nothing", "x", "nothing"),
        ("exit code 3 of 3", "3", "exit code 3 of {id}"),
        ("aaa", "a", "aaa"),
        ("naïve é", "é", "naïve {id}"),
        ("a/b (c): bad", "a/b (c)", "{id}: bad"),
    ] {
        assert_eq!(pattern_of(&failure(&[message]), id), expected);
    }
}

#[test]
fn deepest_cause_with_text_gives_the_pattern() {
    let boom = failure(&["exit code 3", "boom 7"]);
    assert_eq!((pattern_of(&boom, "a").as_str(), chain_of(&boom).as_str()), ("boom {number}", "exit code 3: boom 7"));
    let blank = failure(&["cannot send", "refused", " \n"]);
    assert_eq!(pattern_of(&blank, "a"), "refused");
    let repeated = failure(&["cannot send: refused", "refused"]);
    assert_eq!(chain_of(&repeated), "cannot send: refused");
    assert_eq!((pattern_of(&failure(&[]), "a").as_str(), chain_of(&failure(&[])).as_str()), ("", ""));
}

#[test]
fn long_errors_are_cut_and_still_end() {
    let long = "é".repeat(20_000);
    for text in [long.clone(), format!("\"{long}"), "1.".repeat(20_000), "[".repeat(20_000), "\u{1b}".repeat(20_000)] {
        assert!(pattern_of(&failure(&[&text, &text]), "a").len() < 400);
        assert!(chain_of(&failure(&[&text, &text])).len() < 400);
    }
}

#[test]
fn longest_literal_is_part_of_every_error_of_the_group() {
    for (pattern, literal) in [
        ("cannot open {path}: Permission denied", ": Permission denied"),
        ("{number}", ""),
        ("{id}: connection reset", ": connection reset"),
        ("use {braces} here", "use {braces} here"),
    ] {
        assert_eq!(longest_literal(pattern), literal);
    }
}
