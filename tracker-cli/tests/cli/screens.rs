//! The pictures of the documentation: screens of the program beside the example `crawl` at work.
//!
//! `TRACKER_SCREENS=docs/images cargo test -p tracker-cli --test cli screens` draws them anew.

use std::{env, fs, path::Path};

use crate::{
    examples::AtWork,
    fixture::{Scene, until},
    picture::picture,
    terminal::Terminal,
};

const COLUMNS: u16 = 90;

#[test]
fn status_and_top_beside_an_application_at_work() {
    let scene = Scene::new();
    let start = |rows: u16, arguments: &[&str]| Terminal::start(&scene.path(""), rows, COLUMNS, arguments);
    let mut crawl = scene.example("crawl", &["crawl.redb", "4000"]);
    let _crawl = AtWork(crawl.spawn().unwrap());
    until("thumbnails wait", || scene.run(&["counts", "crawl.redb"]).out.contains("thumbnail"));
    let mut top = start(24, &["top", "crawl.redb", "--every", "250ms"]);
    top.shows(&["download", "thumbnail", "at work in download", "left", "bytes"]);
    if env::var_os("TRACKER_SCREENS").is_some() {
        // Some history for the picture.
        top.shows_what("half of the work done, and all of the threads at work", |text| {
            let half = (50..60).any(|share| text.contains(&format!("4,000 tasks  {share}% ended")));
            half && text.contains("6 at work") && text.contains("bytes")
        });
    }
    keep("top.svg", &picture(top.screen()));
    top.press("q");
    assert_eq!(top.ends(), 0);
    let mut status = start(33, &["status", "crawl.redb"]);
    status.shows(&["download", "thumbnail", "Succeeded", "per second"]);
    keep("status.svg", &picture(status.screen()));
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
