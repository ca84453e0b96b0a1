//! The pictures of the documentation: screens of the program beside the example `crawl` at work.
//!
//! `TRACKER_SCREENS=docs/images cargo test -p tracker-cli --test cli screens` draws them anew.

use std::{env, fs, path::Path};

use crate::{
    examples::AtWork,
    fixture::{Fixture, until},
    screen_svg::screen_svg,
    terminal::Terminal,
};

const COLUMNS: u16 = 90;

#[test]
fn status_and_top_beside_a_running_application() {
    let fixture = Fixture::new();
    let start = |rows: u16, arguments: &[&str]| Terminal::start(&fixture.path(""), rows, COLUMNS, arguments);
    let mut crawl = fixture.example("crawl", &["crawl.redb", "4000"]);
    let _crawl = AtWork(crawl.spawn().unwrap());
    until("thumbnails wait", || fixture.run(&["counts", "crawl.redb"]).out.contains("thumbnail"));
    let mut top = start(24, &["top", "crawl.redb", "--every", "250ms"]);
    top.shows(&["download", "thumbnail", "running in download", "left", "bytes"]);
    if env::var_os("TRACKER_SCREENS").is_some() {
        // Some history for the picture.
        top.shows_what("half of the work done, and all of the threads at work", |text| {
            let half = (50..60).any(|share| text.contains(&format!("4,000 tasks  {share}% ended")));
            half && text.contains("6 running") && text.contains("bytes")
        });
    }
    keep("top.svg", &screen_svg(top.screen()));
    top.press("q");
    assert_eq!(top.ends(), 0);
    let mut status = start(33, &["status", "crawl.redb"]);
    status.shows(&["download", "thumbnail", "Succeeded", "per second"]);
    keep("status.svg", &screen_svg(status.screen()));
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
