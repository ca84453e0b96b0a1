//! The pictures of the documentation: screens of the program beside an application at work.
//!
//! `TRACKER_SCREENS=docs/images cargo test -p tracker-cli --test cli screens` draws them anew.

use std::{env, fs, path::Path, thread, time::Duration};

use tracker_core::{Execution, StopHandle, Tracker};

use crate::{
    fixture::Scene,
    picture::picture,
    sample::{Download, Mail, download},
    terminal::Terminal,
};

const SIZE: (u16, u16) = (24, 90);

#[test]
fn status_and_top_beside_an_application_at_work() {
    let scene = Scene::new();
    let tracker = Tracker::open(scene.path("work.redb")).unwrap();
    let stop = StopHandle::new();
    let start = |arguments: &[&str]| Terminal::start(&scene.path("."), SIZE.0, SIZE.1, arguments);
    thread::scope(|scope| {
        scope.spawn(|| work(&tracker, &stop));
        let mut top = start(&["top", "work.redb", "--every", "100ms"]);
        top.shows(&["download", "mail", "at work", "left", "Exhausted", "of the body"]);
        if env::var_os("TRACKER_SCREENS").is_some() {
            // Some history for the picture.
            thread::sleep(Duration::from_secs(8));
            top.shows_without(&["at work", "of the body"], &["0.0/s  about"]);
        }
        keep("top.svg", &picture(top.screen()));
        top.press("q");
        assert_eq!(top.ends(), 0);
        let mut status = start(&["status", "work.redb"]);
        status.shows(&["download", "mail", "Exhausted"]);
        keep("status.svg", &picture(status.screen()));
        stop.stop();
    });
}

/// An application: downloads of which some fail, by four threads that tell how far they are.
fn work(tracker: &Tracker, stop: &StopHandle) {
    let downloads = tracker.tasks::<Download>().unwrap().named("downloader");
    let mails = tracker.tasks::<Mail>().unwrap();
    mails.submit_all((0..40).map(|number| Mail { number, text: "hello".to_owned() })).unwrap();
    let body = |download: &mut Execution<Download>| match download.url.as_bytes().last() {
        Some(b'3') if download.attempt() == 1 => Err("connection reset"),
        Some(b'7') if download.url.contains("77") => Err("404 not found"),
        _ => Ok(()),
    };
    downloads.submit_all((0..4_000).map(download)).unwrap();
    downloads.worker().threads(4).ahead(64).run(body).unwrap();
    downloads.submit_all((4_000..6_000).map(download)).unwrap();
    let slow = |download: &mut Execution<Download>| {
        download.progress(1, Some(2), "of the body");
        // The work itself, for the picture.
        thread::sleep(Duration::from_millis(if download.url.ends_with('5') { 80 } else { 20 }));
        body(download)
    };
    downloads.worker().threads(4).stopped_by(stop).run(slow).unwrap();
}

/// Keeps a picture where the environment says; in any case it must be one.
fn keep(name: &str, picture: &str) {
    assert!(picture.starts_with("<svg") && picture.contains("download"), "{picture}");
    if let Some(folder) = env::var_os("TRACKER_SCREENS") {
        // Tests run in the folder of their package; the path is the repository's.
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), picture).unwrap();
    }
}
