//! Files that commands write: what is there already, links, devices and modes.

use std::{
    fs::{self, File, Permissions},
    io::Read,
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink},
    thread,
};

use rustix::fs::{CWD, Mode, mkfifoat};
use tracker_core::Tracker;

use crate::{Scene, colour, fixture::Ran, sample::Mail};

/// The commands that write a file with payloads, and the beginning of what they write.
const WRITERS: [(&str, &str, &str); 3] =
    [("report", "", "<!"), ("export", "", "{\"define\""), ("export", "--csv", "id,status")];

/// A file of one mail with this text.
fn mailed(text: &str) -> Scene {
    let scene = Scene::new();
    let tracker = Tracker::open(scene.path("mails.redb")).unwrap();
    tracker.tasks::<Mail>().unwrap().submit(&Mail { number: 7, text: text.to_owned() }).unwrap();
    tracker.close().unwrap();
    scene
}

fn write(scene: &Scene, (command, option, _): (&str, &str, &str), path: &str) -> Ran {
    let out = if command == "report" { "--out" } else { "--output" };
    let mut arguments = vec![command, "mails.redb", out, path];
    arguments.extend(Some(option).filter(|option| !option.is_empty()));
    scene.run(&arguments)
}

#[track_caller]
fn fine(ran: &Ran) {
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
}

fn mode(scene: &Scene, name: &str) -> u32 {
    fs::metadata(scene.path(name)).unwrap().mode() & 0o7777
}

/// The names in the scene's folder.
fn names(scene: &Scene) -> Vec<String> {
    let entries = fs::read_dir(scene.path("")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn new_file_is_readable_by_its_owner_only() {
    let scene = mailed("secret");
    for (at, writer) in WRITERS.into_iter().enumerate() {
        let name = format!("out{at}");
        fine(&write(&scene, writer, &name));
        assert!(scene.read(&name).starts_with(writer.2), "{writer:?}");
        assert_eq!(mode(&scene, &name), 0o600, "{writer:?}");
    }
    assert_eq!(names(&scene), ["mails.redb", "out0", "out1", "out2"], "and nothing beside it");
}

#[test]
fn replaced_page_keeps_its_mode_and_owner() {
    let scene = mailed("secret");
    for wanted in [0o600, 0o640, 0o644, 0o666] {
        fs::write(scene.path("page"), "before").unwrap();
        fs::set_permissions(scene.path("page"), Permissions::from_mode(wanted)).unwrap();
        let before = fs::metadata(scene.path("page")).unwrap();
        fine(&write(&scene, WRITERS[0], "page"));
        let after = fs::metadata(scene.path("page")).unwrap();
        assert!(scene.read("page").starts_with("<!"));
        assert_eq!(mode(&scene, "page"), wanted);
        assert_eq!((after.uid(), after.gid()), (before.uid(), before.gid()));
        assert_ne!(after.ino(), before.ino(), "it appears whole");
    }
    assert_eq!(names(&scene), ["mails.redb", "page"]);
}

#[test]
fn export_refuses_a_file_that_is_there() {
    let scene = mailed("secret");
    fs::write(scene.path("lines"), "before").unwrap();
    symlink("lines", scene.path("link")).unwrap();
    for name in ["lines", "link", "mails.redb"] {
        let ran = write(&scene, WRITERS[1], name);
        assert!(ran.code == Some(3) && ran.err.contains("is not overwritten"), "{ran:?}");
    }
    assert_eq!(scene.read("lines"), "before");
}

#[test]
fn device_and_fifo_are_written_to_and_stay() {
    let scene = mailed("secret");
    mkfifoat(CWD, scene.path("fifo"), Mode::RUSR | Mode::WUSR).unwrap();
    symlink("fifo", scene.path("link")).unwrap();
    for writer in WRITERS {
        for name in ["fifo", "link"] {
            let path = scene.path("fifo");
            let reader = thread::spawn(move || {
                let mut text = String::new();
                File::open(path).unwrap().read_to_string(&mut text).unwrap();
                text
            });
            let ran = write(&scene, writer, name);
            assert!(fs::symlink_metadata(scene.path("fifo")).unwrap().file_type().is_fifo(), "{writer:?}");
            fine(&ran);
            assert!(reader.join().unwrap().starts_with(writer.2), "{writer:?}");
        }
        fine(&write(&scene, writer, "/dev/null"));
        let full = write(&scene, writer, "/dev/full");
        assert!(full.code == Some(3) && full.err.contains("/dev/full: No space left on device"), "{full:?}");
    }
    assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    assert!(fs::symlink_metadata(scene.path("link")).unwrap().is_symlink());
    assert_eq!(names(&scene), ["fifo", "link", "mails.redb"]);
}

#[test]
fn symlink_is_followed_and_kept() {
    let scene = mailed("secret");
    fs::write(scene.path("page"), "before".repeat(100_000)).unwrap();
    fs::set_permissions(scene.path("page"), Permissions::from_mode(0o640)).unwrap();
    symlink("page", scene.path("link")).unwrap();
    fine(&write(&scene, WRITERS[0], "link"));
    assert!(fs::symlink_metadata(scene.path("link")).unwrap().is_symlink());
    let page = scene.read("page");
    assert!(page.starts_with("<!") && page.trim_end().ends_with("</html>"), "all of it is new");
    assert_eq!(mode(&scene, "page"), 0o640);
    symlink("nowhere", scene.path("dangling")).unwrap();
    symlink("loop", scene.path("loop")).unwrap();
    symlink("mails.redb", scene.path("tracker")).unwrap();
    fs::hard_link(scene.path("mails.redb"), scene.path("hard")).unwrap();
    let before = names(&scene);
    for writer in WRITERS {
        for (name, says) in [
            ("dangling", "to a file that does not exist"),
            ("loop", "cannot write loop: "),
            ("tracker", "tracker"),
            ("hard", "hard"),
            (".", "is a folder"),
        ] {
            let ran = write(&scene, writer, name);
            assert!(matches!(ran.code, Some(2 | 3)) && ran.err.contains(says), "{writer:?} {name}: {ran:?}");
        }
    }
    assert_eq!(names(&scene), before);
    fine(&scene.run(&["verify", "mails.redb"]));
}

#[test]
fn guessable_name_beside_a_page_is_not_used() {
    let scene = mailed("secret");
    fs::write(scene.path("victim"), "mine").unwrap();
    let mut command = scene.command(&["report", "mails.redb", "--out", "page"]);
    // The program takes the place of the shell, and so has the id that the link was made with.
    let script = "ln -s victim page.$$ && exec \"$0\" \"$@\"";
    let program = command.get_program().to_owned();
    let mut shell = std::process::Command::new("sh");
    shell.arg("-c").arg(script).arg(program).args(command.get_args()).current_dir(scene.path(""));
    command = shell;
    fine(&command.output().unwrap().into());
    assert_eq!(scene.read("victim"), "mine");
    assert!(fs::symlink_metadata(scene.path("page")).unwrap().is_file(), "the page itself is no link");
    assert!(scene.read("page").starts_with("<!"));
}

#[test]
fn export_that_fails_leaves_no_file() {
    let scene = mailed("secret");
    let ran = scene.run(&["export", "mails.redb", "--csv", "--kind", "nothing", "-o", "lines"]);
    assert_ne!(ran.code, Some(0));
    assert_eq!(names(&scene), ["mails.redb"]);
}

#[test]
fn manual_pages_are_written_like_other_files() {
    let scene = Scene::new();
    fs::write(scene.path("target"), "").unwrap();
    symlink("target", scene.path("tracker.1")).unwrap();
    fs::write(scene.path("tracker-show.1"), "").unwrap();
    fs::set_permissions(scene.path("tracker-show.1"), Permissions::from_mode(0o604)).unwrap();
    let mut shell = std::process::Command::new("sh");
    let program = env!("CARGO_BIN_EXE_tracker");
    shell.args(["-c", "umask 027; exec \"$0\" man --out ."]).arg(program).current_dir(scene.path(""));
    fine(&shell.output().unwrap().into());
    assert!(scene.read("target").contains(".TH tracker 1"));
    assert_eq!(
        (mode(&scene, "tracker-show.1"), mode(&scene, "tracker-list.1")),
        (0o604, 0o640),
        "there is nothing to hide"
    );
}

#[test]
fn csv_cell_is_no_formula_unless_asked() {
    let scene = mailed("=1+1");
    let payload = "-1-1";
    let tracker = Tracker::open(scene.path("mails.redb")).unwrap();
    let mails = tracker.tasks::<Mail>().unwrap();
    mails.worker_name("@worker").start(7_u64).unwrap().give_up(format!("={payload}\u{1b}[2J")).unwrap();
    tracker.close().unwrap();
    let row = |options: &[&str]| {
        let ran = scene.run(&[&["export", "mails.redb", "--csv"], options].concat());
        fine(&ran);
        ran.out.split("\r\n").nth(1).unwrap().to_owned()
    };
    let (safe, raw) = (row(&[]), row(&["--raw"]));
    assert!(safe.starts_with("7,") && safe.contains(",'=-1-1\u{1b}[2J,"), "{safe}");
    assert!(raw.starts_with("7,") && raw.contains(",=-1-1\u{1b}[2J,"), "{raw}");
    assert_eq!(scene.run(&["export", "mails.redb", "--raw"]).code, Some(2), "lines of JSON have no formulas");
    let seen = colour::shown(&scene, 200, &[], &["export", "mails.redb", "--csv"]);
    assert!(seen.contains("'=-1-1\\u{1b}[2J") && !seen.contains('\u{1b}'), "a terminal obeys none: {seen:?}");
}

#[test]
fn json_escapes_what_steers_a_terminal() {
    let scene = mailed("a\u{85}\u{9b}2J\u{202e}\u{7f}é");
    let escaped = "a\\u0085\\u009b2J\\u202e\\u007fé";
    for arguments in
        [&["show", "mails.redb", "7", "--json"][..], &["list", "mails.redb", "--json"], &["export", "mails.redb"]]
    {
        let ran = scene.run(arguments);
        fine(&ran);
        assert!(ran.out.contains(escaped), "{arguments:?}: {}", ran.out);
        assert!(!ran.out.contains(['\u{85}', '\u{9b}', '\u{202e}', '\u{7f}']), "{arguments:?}");
    }
    let ran = scene.run(&["show", "mails.redb", "\u{202e}", "--json"]);
    assert!(ran.code == Some(1) && !ran.err.contains('\u{202e}'), "{}", ran.err);
    let ran = scene.run(&["show", "mails\u{9b}.redb", "7", "--json"]);
    assert!(ran.code == Some(3) && !ran.err.contains('\u{9b}'), "{}", ran.err);
}

#[test]
fn equal_looking_ids_are_told_apart_by_their_type() {
    let scene = mailed("a number");
    let line = r#"{"kind":"mail","id":"7","payload":{"number":7,"text":"a text"}}"#;
    fine(&scene.keep_running(line.as_bytes(), &["import", "mails.redb"]));
    let ran = scene.run(&["show", "mails.redb", "7"]);
    assert!(ran.code == Some(2) && ran.err.contains("int:7") && ran.err.contains("text:7"), "{ran:?}");
    for (id, text) in [("int:7", "a number"), ("text:7", "a text")] {
        assert_eq!(scene.fine(&["show", "mails.redb", id])["task"]["text"], text);
    }
    assert_eq!(scene.run(&["show", "mails.redb", "uuid:7"]).code, Some(1));
    assert_eq!(scene.fine(&["cancel", "mails.redb", "text:7"])["done"], 1);
    fine(&scene.keep_running(line.replace("\"7\"", "\"int:7\"").as_bytes(), &["import", "mails.redb"]));
    assert_eq!(scene.fine(&["show", "mails.redb", "int:7"])["id"], "int:7", "the id as it is comes first");
}

#[test]
fn import_of_a_folder_or_an_array_says_what_to_do() {
    let scene = mailed("x");
    let ran = scene.run(&["import", "new.redb", "."]);
    assert!(ran.code == Some(2) && ran.err.contains(". is a folder: name a file of lines"), "{ran:?}");
    assert_eq!(names(&scene), ["mails.redb"]);
    let ran = scene.keep_running(b"[\n{}\n]", &["import", "mails.redb"]);
    assert!(ran.code == Some(1) && ran.err.contains("jq -c '.[]'"), "{ran:?}");
    let ran = scene.run(&["import", "mails.redb", "/proc/self/mem"]);
    assert!(ran.code == Some(3) && ran.err.contains("cannot be read further: "), "{ran:?}");
}
