//! Files that commands write: what is there already, links, devices and modes.

use std::{
    fs::{self, File, Permissions},
    io::Read,
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink},
    thread,
};

use rustix::fs::{CWD, Mode, mkfifoat};
use tracker_core::Tracker;

use crate::{Fixture, color, fixture::Ran, sample::Mail};

/// The commands that write a file with payloads, and the beginning of what they write.
const WRITERS: [(&str, &str, &str); 3] =
    [("report", "", "<!"), ("export", "", "{\"define\""), ("export", "--csv", "id,status")];

/// A file of one mail with this text.
fn mailed(text: &str) -> Fixture {
    let fixture = Fixture::new();
    let tracker = Tracker::open(fixture.path("mails.redb")).unwrap();
    tracker.tasks::<Mail>().unwrap().submit(&Mail { number: 7, text: text.to_owned() }).unwrap();
    tracker.close().unwrap();
    fixture
}

fn write(fixture: &Fixture, (command, option, _): (&str, &str, &str), path: &str) -> Ran {
    let out = if command == "report" { "--out" } else { "--output" };
    let mut arguments = vec![command, "mails.redb", out, path];
    arguments.extend(Some(option).filter(|option| !option.is_empty()));
    fixture.run(&arguments)
}

#[track_caller]
fn fine(ran: &Ran) {
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
}

fn mode(fixture: &Fixture, name: &str) -> u32 {
    fs::metadata(fixture.path(name)).unwrap().mode() & 0o7777
}

/// The names in the fixture's folder.
fn names(fixture: &Fixture) -> Vec<String> {
    let entries = fs::read_dir(fixture.path("")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn new_file_is_readable_by_its_owner_only() {
    let fixture = mailed("secret");
    for (at, writer) in WRITERS.into_iter().enumerate() {
        let name = format!("out{at}");
        fine(&write(&fixture, writer, &name));
        assert!(fixture.read(&name).starts_with(writer.2), "{writer:?}");
        assert_eq!(mode(&fixture, &name), 0o600, "{writer:?}");
    }
    assert_eq!(names(&fixture), ["mails.redb", "out0", "out1", "out2"], "and nothing beside it");
}

#[test]
fn replaced_page_keeps_its_mode_and_owner() {
    let fixture = mailed("secret");
    for wanted in [0o600, 0o640, 0o644, 0o666] {
        fs::write(fixture.path("page"), "before").unwrap();
        fs::set_permissions(fixture.path("page"), Permissions::from_mode(wanted)).unwrap();
        let before = fs::metadata(fixture.path("page")).unwrap();
        fine(&write(&fixture, WRITERS[0], "page"));
        let after = fs::metadata(fixture.path("page")).unwrap();
        assert!(fixture.read("page").starts_with("<!"));
        assert_eq!(mode(&fixture, "page"), wanted);
        assert_eq!((after.uid(), after.gid()), (before.uid(), before.gid()));
        assert_ne!(after.ino(), before.ino(), "it appears whole");
    }
    assert_eq!(names(&fixture), ["mails.redb", "page"]);
}

#[test]
fn export_refuses_a_file_that_is_there() {
    let fixture = mailed("secret");
    fs::write(fixture.path("lines"), "before").unwrap();
    symlink("lines", fixture.path("link")).unwrap();
    for name in ["lines", "link", "mails.redb"] {
        let ran = write(&fixture, WRITERS[1], name);
        assert!(ran.code == Some(3) && ran.err.contains("is not overwritten"), "{ran:?}");
    }
    assert_eq!(fixture.read("lines"), "before");
}

#[test]
fn device_and_fifo_are_written_to_and_stay() {
    let fixture = mailed("secret");
    mkfifoat(CWD, fixture.path("fifo"), Mode::RUSR | Mode::WUSR).unwrap();
    symlink("fifo", fixture.path("link")).unwrap();
    for writer in WRITERS {
        for name in ["fifo", "link"] {
            let path = fixture.path("fifo");
            let reader = thread::spawn(move || {
                let mut text = String::new();
                File::open(path).unwrap().read_to_string(&mut text).unwrap();
                text
            });
            let ran = write(&fixture, writer, name);
            assert!(fs::symlink_metadata(fixture.path("fifo")).unwrap().file_type().is_fifo(), "{writer:?}");
            fine(&ran);
            assert!(reader.join().unwrap().starts_with(writer.2), "{writer:?}");
        }
        fine(&write(&fixture, writer, "/dev/null"));
        let full = write(&fixture, writer, "/dev/full");
        assert!(full.code == Some(3) && full.err.contains("/dev/full: No space left on device"), "{full:?}");
    }
    assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    assert!(fs::symlink_metadata(fixture.path("link")).unwrap().is_symlink());
    assert_eq!(names(&fixture), ["fifo", "link", "mails.redb"]);
}

#[test]
fn symlink_is_followed_and_kept() {
    let fixture = mailed("secret");
    fs::write(fixture.path("page"), "before".repeat(100_000)).unwrap();
    fs::set_permissions(fixture.path("page"), Permissions::from_mode(0o640)).unwrap();
    symlink("page", fixture.path("link")).unwrap();
    fine(&write(&fixture, WRITERS[0], "link"));
    assert!(fs::symlink_metadata(fixture.path("link")).unwrap().is_symlink());
    let page = fixture.read("page");
    assert!(page.starts_with("<!") && page.trim_end().ends_with("</html>"), "all of it is new");
    assert_eq!(mode(&fixture, "page"), 0o640);
    symlink("nowhere", fixture.path("dangling")).unwrap();
    symlink("loop", fixture.path("loop")).unwrap();
    symlink("mails.redb", fixture.path("tracker")).unwrap();
    fs::hard_link(fixture.path("mails.redb"), fixture.path("hard")).unwrap();
    let before = names(&fixture);
    for writer in WRITERS {
        for (name, says) in [
            ("dangling", "to a file that does not exist"),
            ("loop", "cannot write loop: "),
            ("tracker", "tracker"),
            ("hard", "hard"),
            (".", "is a folder"),
        ] {
            let ran = write(&fixture, writer, name);
            assert!(matches!(ran.code, Some(2 | 3)) && ran.err.contains(says), "{writer:?} {name}: {ran:?}");
        }
    }
    assert_eq!(names(&fixture), before);
    fine(&fixture.run(&["verify", "mails.redb"]));
}

#[test]
fn guessable_name_beside_a_page_is_not_used() {
    let fixture = mailed("secret");
    fs::write(fixture.path("victim"), "mine").unwrap();
    let mut command = fixture.command(&["report", "mails.redb", "--out", "page"]);
    // The program takes the place of the shell, and so has the id that the link was made with.
    let script = "ln -s victim page.$$ && exec \"$0\" \"$@\"";
    let program = command.get_program().to_owned();
    let mut shell = std::process::Command::new("sh");
    shell.arg("-c").arg(script).arg(program).args(command.get_args()).current_dir(fixture.path(""));
    command = shell;
    fine(&command.output().unwrap().into());
    assert_eq!(fixture.read("victim"), "mine");
    assert!(fs::symlink_metadata(fixture.path("page")).unwrap().is_file(), "the page itself is no link");
    assert!(fixture.read("page").starts_with("<!"));
}

#[test]
fn export_that_fails_leaves_no_file() {
    let fixture = mailed("secret");
    let ran = fixture.run(&["export", "mails.redb", "--csv", "--kind", "nothing", "-o", "lines"]);
    assert_ne!(ran.code, Some(0));
    assert_eq!(names(&fixture), ["mails.redb"]);
}

#[test]
fn manual_pages_are_written_like_other_files() {
    let fixture = Fixture::new();
    fs::write(fixture.path("target"), "").unwrap();
    symlink("target", fixture.path("tracker.1")).unwrap();
    fs::write(fixture.path("tracker-show.1"), "").unwrap();
    fs::set_permissions(fixture.path("tracker-show.1"), Permissions::from_mode(0o604)).unwrap();
    let mut shell = std::process::Command::new("sh");
    let program = env!("CARGO_BIN_EXE_tracker");
    shell.args(["-c", "umask 027; exec \"$0\" man --out ."]).arg(program).current_dir(fixture.path(""));
    fine(&shell.output().unwrap().into());
    assert!(fixture.read("target").contains(".TH tracker 1"));
    assert_eq!(
        (mode(&fixture, "tracker-show.1"), mode(&fixture, "tracker-list.1")),
        (0o604, 0o640),
        "there is nothing to hide"
    );
}

#[test]
fn csv_formula_is_neutralised_unless_raw() {
    let fixture = mailed("=1+1");
    let payload = "-1-1";
    let tracker = Tracker::open(fixture.path("mails.redb")).unwrap();
    let mails = tracker.tasks::<Mail>().unwrap();
    mails.worker_name("@worker").start(7_u64).unwrap().give_up(format!("={payload}\u{1b}[2J")).unwrap();
    tracker.close().unwrap();
    let row = |options: &[&str]| {
        let ran = fixture.run(&[&["export", "mails.redb", "--csv"], options].concat());
        fine(&ran);
        ran.out.split("\r\n").nth(1).unwrap().to_owned()
    };
    let (safe, raw) = (row(&[]), row(&["--raw"]));
    assert!(safe.starts_with("7,") && safe.contains(",'=-1-1\u{1b}[2J,"), "{safe}");
    assert!(raw.starts_with("7,") && raw.contains(",=-1-1\u{1b}[2J,"), "{raw}");
    assert_eq!(fixture.run(&["export", "mails.redb", "--raw"]).code, Some(2), "lines of JSON have no formulas");
    let seen = color::shown(&fixture, 200, &[], &["export", "mails.redb", "--csv"]);
    assert!(seen.contains("'=-1-1\\u{1b}[2J") && !seen.contains('\u{1b}'), "a terminal obeys none: {seen:?}");
}

#[test]
fn json_escapes_control_characters() {
    let fixture = mailed("a\u{85}\u{9b}2J\u{202e}\u{7f}é");
    let escaped = "a\\u0085\\u009b2J\\u202e\\u007fé";
    for arguments in
        [&["show", "mails.redb", "7", "--json"][..], &["list", "mails.redb", "--json"], &["export", "mails.redb"]]
    {
        let ran = fixture.run(arguments);
        fine(&ran);
        assert!(ran.out.contains(escaped), "{arguments:?}: {}", ran.out);
        assert!(!ran.out.contains(['\u{85}', '\u{9b}', '\u{202e}', '\u{7f}']), "{arguments:?}");
    }
    let ran = fixture.run(&["show", "mails.redb", "\u{202e}", "--json"]);
    assert!(ran.code == Some(1) && !ran.err.contains('\u{202e}'), "{}", ran.err);
    let ran = fixture.run(&["show", "mails\u{9b}.redb", "7", "--json"]);
    assert!(ran.code == Some(3) && !ran.err.contains('\u{9b}'), "{}", ran.err);
}

#[test]
fn equal_looking_ids_are_told_apart_by_their_type() {
    let fixture = mailed("a number");
    let line = r#"{"kind":"mail","id":"7","payload":{"number":7,"text":"a text"}}"#;
    fine(&fixture.run_with_input(line.as_bytes(), &["import", "mails.redb"]));
    let ran = fixture.run(&["show", "mails.redb", "7"]);
    assert!(ran.code == Some(2) && ran.err.contains("int:7") && ran.err.contains("text:7"), "{ran:?}");
    for (id, text) in [("int:7", "a number"), ("text:7", "a text")] {
        assert_eq!(fixture.fine(&["show", "mails.redb", id])["task"]["text"], text);
    }
    assert_eq!(fixture.run(&["show", "mails.redb", "uuid:7"]).code, Some(1));
    assert_eq!(fixture.fine(&["cancel", "mails.redb", "text:7"])["changed"], 1);
    fine(&fixture.run_with_input(line.replace("\"7\"", "\"int:7\"").as_bytes(), &["import", "mails.redb"]));
    assert_eq!(fixture.fine(&["show", "mails.redb", "int:7"])["id"], "int:7", "the id as it is comes first");
}

#[test]
fn import_of_a_folder_or_an_array_names_the_way_out() {
    let fixture = mailed("x");
    let ran = fixture.run(&["import", "new.redb", "."]);
    assert!(ran.code == Some(2) && ran.err.contains(". is a folder: give a file of lines"), "{ran:?}");
    assert_eq!(names(&fixture), ["mails.redb"]);
    let ran = fixture.run_with_input(b"[\n{}\n]", &["import", "mails.redb"]);
    assert!(ran.code == Some(1) && ran.err.contains("jq -c '.[]'"), "{ran:?}");
    let ran = fixture.run(&["import", "mails.redb", "/proc/self/mem"]);
    assert!(ran.code == Some(3) && ran.err.contains("cannot be read further: "), "{ran:?}");
}
