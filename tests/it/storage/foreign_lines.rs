//! Tests JSON lines that other programs wrote: what is converted, and what is refused.

use serde_json::{Value, json};
use tracker_core::{
    ErrorKind, Tracker,
    portable::{ImportOptions, Imported},
    untyped::Payload,
};

use crate::support::kinds::{Job, Status, jobs, mail, sound, tracker};

/// A line of a job with these fields beside its id and payload.
fn line(id: &Value, more: &Value) -> String {
    let mut line = json!({"kind": "job", "id": id, "payload": {"name": id, "host": "h", "result": null}});
    line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    format!("{line}\n")
}

/// The error of an import, and that nothing came in.
#[track_caller]
fn refusal(tracker: &Tracker, lines: impl AsRef<[u8]>) -> String {
    let before = tracker.tasks::<Job>().unwrap().counts().unwrap().total();
    let error = tracker.import(lines.as_ref()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert_eq!(tracker.tasks::<Job>().unwrap().counts().unwrap().total(), before);
    error.to_string()
}

fn going_on(tracker: &Tracker, lines: &str) -> Imported {
    tracker.import_with(lines.as_bytes(), &ImportOptions::new().go_on()).unwrap()
}

#[test]
fn time_in_seconds_or_milliseconds_is_refused() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &[]);
    for field in ["created", "updated", "due"] {
        for (time, says) in [(1_700_000_000_i64, "seconds"), (1_700_000_000_123, "milliseconds")] {
            let error = refusal(&tracker, line(&json!("a"), &json!({field: time, "status": "Succeeded"})));
            assert!(error.contains("looks like ") && error.contains(says), "{field}: {error}");
        }
    }
    let attempt = json!({"history": [{"ended": 1_700_000_000, "failure": {"error": "e"}}]});
    assert!(tracker.import(line(&json!("a"), &attempt).as_bytes()).is_err(), "in an attempt too");
    let fine = [
        json!("2023-11-14T22:13:20Z"),
        json!(1_700_000_000_000_000_i64),
        json!({"$micros": 1_700_000_000_000_000_i64}),
    ];
    for (id, time) in ["a", "b", "c"].into_iter().zip(fine) {
        tracker.import(line(&json!(id), &json!({"updated": time, "status": "Succeeded"})).as_bytes()).unwrap();
        assert_eq!(tasks.get(id).unwrap().unwrap().updated_at.timestamp(), 1_700_000_000);
    }
    sound(&tracker);
}

#[test]
fn time_after_the_next_day_is_refused() {
    let (_, tracker) = tracker();
    let _open = jobs(&tracker, &[]);
    let now = tracker.now();
    let at = |hours: i64| json!((now + chrono::TimeDelta::hours(hours)).to_rfc3339());
    let never = json!("never");
    let lease = |since: &Value| {
        let lease =
            json!({"worker": "w", "fence": 1, "since": since, "until": at(99), "from": "Pending", "due": at(0)});
        json!({"status": "InProgress", "lease": lease})
    };
    for ahead in [at(25), json!({"$micros": i64::MAX - 1}), never] {
        for (more, field) in [
            (json!({"updated": ahead}), "updated"),
            (json!({"updated": at(0), "created": ahead}), "created"),
            (json!({"history": [{"ended": ahead}]}), "ended"),
            (json!({"history": [{"ended": at(0), "started": ahead}]}), "started"),
            (lease(&ahead), "since"),
        ] {
            let error = refusal(&tracker, line(&json!("a"), &more));
            assert!(error.contains(&format!("{field:?}")) && error.contains("a day after now"), "{field}: {error}");
        }
        for (more, field) in [
            (json!({"created": ahead}), "created"),
            (json!({"finished": ahead}), "finished"),
            (json!({"pace": {"ends": 1, "each_us": 1.0, "last": ahead}}), "last"),
        ] {
            let mut batch = json!({"open_batch": "b"});
            batch.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let error = refusal(&tracker, batch.to_string());
            assert!(error.contains(&format!("{field:?}")) && error.contains("a day after now"), "{field}: {error}");
        }
    }
    let fine = [
        line(&json!("near"), &json!({"updated": at(23), "created": at(23), "history": [{"ended": at(23)}]})),
        line(&json!("later"), &json!({"due": at(9_999)})),
        line(&json!("leased"), &lease(&at(1))),
        json!({"open_batch": "b", "created": at(1)}).to_string(),
    ];
    assert_eq!(
        tracker.import(fine.concat().as_bytes()).unwrap().new,
        3,
        "a day for other clocks; what is due may lie ahead"
    );
    sound(&tracker);
}

#[test]
fn boolean_id_is_refused() {
    let (_, tracker) = tracker();
    let mails = tracker.tasks::<crate::support::kinds::Mail>().unwrap();
    mails.submit(&mail(1)).unwrap();
    let payload = serde_json::to_value(Payload::of(&mail(2)).unwrap()).unwrap();
    for id in [json!(true), json!(false)] {
        let task = json!({"kind": "mail", "id": id, "payload": payload});
        let dependencies = json!({"kind": "mail", "id": 2, "dependencies": [{"kind": "mail", "id": id, "on_failure": "wait"}], "payload": payload});
        let follow_up = json!({"open_batch": "b", "follow_up": {"kind": "mail", "id": id, "payload": payload}});
        for line in [task, dependencies, follow_up] {
            let error = tracker.import(line.to_string().as_bytes()).unwrap_err().to_string();
            assert!(error.contains("id") && error.contains("is none"), "{line}: {error}");
        }
    }
    assert_eq!(mails.counts().unwrap().total(), 1);
    sound(&tracker);
}

#[test]
fn id_of_another_type_than_the_open_type_has_is_refused() {
    let (_, tracker) = tracker();
    let payload = json!({"name": "a", "host": "h", "result": null});
    let uuid = json!({"$uuid": "00000000-0000-0000-0000-000000000001"});
    let lines = [
        json!({"kind": "job", "id": 7, "payload": payload}),
        json!({"kind": "job", "id": uuid, "payload": payload}),
        json!({"open_batch": "b", "follow_up": {"kind": "job", "id": 7, "payload": payload}}),
    ];
    let lines = lines.map(|line| line.to_string());
    let open = jobs(&tracker, &[]);
    for line in &lines {
        let error = refusal(&tracker, line);
        assert!(error.contains("line 1") && error.contains("the ids of this kind are texts"), "{error}");
    }
    assert_eq!(tracker.import(line(&json!("two"), &json!({})).as_bytes()).unwrap().new, 1);
    drop(open);
    // The kind opens again.
    assert_eq!(tracker.tasks::<Job>().unwrap().counts().unwrap().total(), 1);
    sound(&tracker);
}

#[test]
fn integer_beyond_64_bits_is_refused() {
    let (_, tracker) = tracker();
    let _open = jobs(&tracker, &[]);
    for integer in ["18446744073709551616", "-9223372036854775809", "340282366920938463463374607431768211455"] {
        for line in [
            format!(r#"{{"kind": "job", "id": "a", "payload": {{"name": "a", "host": "h", "result": [{integer}]}}}}"#),
            format!(r#"{{"kind": "job", "id": {integer}, "payload": {{"name": "a", "host": "h", "result": null}}}}"#),
        ] {
            let error = refusal(&tracker, &line);
            assert!(error.contains(&format!("the integer {integer} does not fit 64 bits")), "{error}");
        }
        assert!(Payload::from_json(&format!("[{integer}]")).is_err());
    }
    let float = Payload::from_json(r#"[{"$f64": 18446744073709551616}, 1e300]"#).unwrap();
    assert_eq!(float, Payload::of(&[18_446_744_073_709_551_616.0, 1e300]).unwrap(), "unless a float is asked for");
}

#[test]
fn text_of_another_format_is_named() {
    let (_, tracker) = tracker();
    let _open = jobs(&tracker, &[]);
    let good = line(&json!("a"), &json!({}));
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    let pretty = serde_json::to_string_pretty(&serde_json::from_str::<Value>(&good).unwrap()).unwrap();
    for (lines, says) in [
        (format!("[{}]", good.trim()).into_bytes(), "jq -c '.[]'"),
        (format!("[\n{good}]").into_bytes(), "jq -c '.[]'"),
        (pretty.into_bytes(), "jq -c ."),
        (b"\"id\": \"a\",\n".to_vec(), "jq -c ."),
        (format!("{}{good}", good.trim()).into_bytes(), "jq -c ."),
        (format!("{}\u{feff}{good}", good.trim()).into_bytes(), "byte order mark"),
        (b"\x1f\x8b\x08\0\0\0\0\0\0\x03".to_vec(), "gzip -dc"),
        (b"\x28\xb5\x2f\xfd\x04".to_vec(), "zstd -dc"),
        (utf16(&good), "UTF-16"),
        (utf16(&format!("\u{feff}{good}")), "UTF-16"),
        (b"redb\x1a\n\xa9\r\n".to_vec(), "tracker export"),
    ] {
        let error = refusal(&tracker, &lines);
        assert!(error.starts_with("line 1: ") && error.contains(says), "{says}: {error}");
    }
    let gzip = tracker.import_with(&b"\x1f\x8b\x08\n\n\n"[..], &ImportOptions::new().go_on());
    assert!(gzip.is_err(), "of a compressed file no line can be read");
    let joined = format!("\u{feff}{good}\u{feff}{}", line(&json!("b"), &json!({})));
    assert_eq!(tracker.import(joined.as_bytes()).unwrap().new, 2, "a mark at the start of a line is no part of it");
}

#[test]
fn dependency_cycle_between_lines_is_named() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["there"]);
    let dependencies = |id: &str, on: &str| {
        line(&json!(id), &json!({"dependencies": [{"kind": "job", "id": on, "on_failure": "wait"}]}))
    };
    let told = |lines: &[String]| -> Vec<String> {
        going_on(&tracker, &lines.concat()).errors.iter().map(ToString::to_string).collect()
    };
    let of = |line: u32, names: &[&str]| {
        let names: Vec<_> = names.iter().map(|name| format!("job \"{name}\"")).collect();
        format!(
            "line {line}: it waits for {}, so none of them comes first (dependency cycle): leave one of these dependencies out",
            names.join(", which waits for ")
        )
    };
    assert_eq!(
        told(&[dependencies("a", "b"), dependencies("b", "a")]),
        [of(1, &["b", "a", "b"]), of(2, &["a", "b", "a"])]
    );
    assert_eq!(told(&[dependencies("self", "self")]), [of(1, &["self", "self"])]);
    let beside =
        told(&[dependencies("c", "a"), dependencies("a", "b"), dependencies("b", "a"), dependencies("d", "there")]);
    assert_eq!(beside.len(), 3, "{beside:?}");
    assert!(beside[0].contains("dependency cycle"), "{beside:?}");
    assert_eq!(tasks.get("d").unwrap().unwrap().status, Status::Pending);
    let absent = told(&[dependencies("e", "f"), dependencies("f", "nowhere")]);
    assert!(
        absent[0].contains(
            "it waits for job \"f\", which waits for another; the last of these, job \"nowhere\", is neither"
        )
    );
    assert!(absent[1].contains("it waits for job \"nowhere\", which is neither in the file nor in the lines"));
    let batched = line(&json!("g"), &json!({"batch": "m", "dependencies": [{"batch": "m", "on_failure": "wait"}]}));
    assert!(told(&[batched])[0].contains("it waits for the batch \"m\", which waits for the batch \"m\""));
    sound(&tracker);
}

#[test]
fn long_chain_of_held_lines_is_reported_in_linear_time() {
    let (_, tracker) = tracker();
    let _open = jobs(&tracker, &[]);
    let dependencies = |id: u32, on: u32| {
        line(
            &json!(id.to_string()),
            &json!({"dependencies": [{"kind": "job", "id": on.to_string(), "on_failure": "wait"}]}),
        )
    };
    let lines: String = (0..20_000).map(|id| dependencies(id, (id + 1) % 20_000)).collect();
    let imported = going_on(&tracker, &lines);
    assert_eq!((imported.new, imported.refused), (0, 20_000));
    assert!(imported.errors.iter().all(|error| error.what.contains("dependency cycle")));
}
