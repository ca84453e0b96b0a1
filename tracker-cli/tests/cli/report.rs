//! The page about a file.

use crate::{fixture::Scene, sample};

#[test]
fn it_tells_all_and_needs_nothing_from_outside() {
    let scene = Scene::new();
    sample::write(&scene.path("work.redb"));
    let ran = scene.run(&["report", "work.redb", "-o", "page.html"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert!(ran.out.contains("wrote page.html"), "{}", ran.out);
    let page = scene.read("page.html");
    for wanted in [
        "<h2>download</h2>",
        "<h2>mail</h2>",
        "<a href=\"#kind0\">download</a></td><td class=\"number\">60</td><td class=\"number\">63%</td>",
        "<td class=\"good\">succeeded</td><td class=\"number\">30</td>",
        "<td class=\"warn\">failed</td><td class=\"number\">9</td>",
        "404 not found",
        "https://host2/029",
        "<td>p50</td><td class=\"number\">1.5s</td></tr><tr><td>p95</td><td class=\"number\">2.9s</td></tr>",
        "<td>p99</td><td class=\"number\">3.0s</td></tr><tr><td>longest</td><td class=\"number\">3.0s</td></tr>",
        "sampler",
    ] {
        assert!(page.replace('\n', "").contains(wanted), "{wanted} is not in\n{page}");
    }
    for outside in ["http-equiv=\"refresh\"", "<link", "<img", "<script", "src=", "url(", "@import"] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn what_tasks_hold_is_text_and_nothing_else() {
    let scene = Scene::new();
    sample::write(&scene.path("work.redb"));
    assert_eq!(scene.run(&["report", "work.redb", "-o", "page.html"]).code, Some(0));
    let page = scene.read("page.html");
    assert!(page.contains("&lt;b&gt;bold&lt;/b&gt; &amp; \\u{1b}[31mred"), "{page}");
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{page}");
    assert!(!page.contains('\u{1b}'));
}

#[test]
fn it_looks_at_no_more_tasks_than_it_may_and_says_so() {
    let scene = Scene::new();
    sample::write(&scene.path("work.redb"));
    let ran = scene.run(&["report", "work.redb", "--most", "5", "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(ran.out.trim(), r#"{"page":"report.html","kinds":2,"tasks":64,"looked_at":9}"#);
    assert!(scene.read("report.html").contains("the latest 5 of 60 tasks"));
}

#[test]
fn it_never_takes_the_place_of_the_file_it_is_about() {
    let scene = Scene::new();
    sample::write(&scene.path("work.redb"));
    let ran = scene.run(&["report", "work.redb", "-o", "./work.redb"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("./work.redb is a tracker file: name another file"), "{}", ran.err);
    assert_eq!(scene.run(&["verify", "work.redb"]).code, Some(0));
}

#[test]
fn a_page_that_cannot_be_written_leaves_nothing_behind() {
    let scene = Scene::new();
    sample::write(&scene.path("work.redb"));
    let ran = scene.run(&["report", "work.redb", "-o", "nowhere/page.html"]);
    assert_eq!(ran.code, Some(3));
    assert!(ran.err.contains("cannot write nowhere/page.html: No such file or directory"), "{}", ran.err);
}
