//! The page about a file.

use crate::{fixture::Fixture, sample};

#[test]
fn report_is_complete_and_self_contained() {
    let fixture = Fixture::new();
    sample::write(&fixture.path("work.redb"));
    let ran = fixture.run(&["report", "work.redb", "-o", "page.html"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert!(ran.out.contains("wrote page.html"), "{}", ran.out);
    let page = fixture.read("page.html");
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
fn report_escapes_content_of_tasks() {
    let fixture = Fixture::new();
    sample::write(&fixture.path("work.redb"));
    assert_eq!(fixture.run(&["report", "work.redb", "-o", "page.html"]).code, Some(0));
    let page = fixture.read("page.html");
    assert!(page.contains("&lt;b&gt;bold&lt;/b&gt; &amp; \\u{1b}[31mred"), "{page}");
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{page}");
    assert!(!page.contains('\u{1b}'));
}

#[test]
fn report_reads_at_most_the_limit_and_states_it() {
    let fixture = Fixture::new();
    sample::write(&fixture.path("work.redb"));
    let ran = fixture.run(&["report", "work.redb", "--limit", "5", "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(ran.out.trim(), r#"{"page":"report.html","kinds":2,"tasks":64,"examined":9}"#);
    assert!(fixture.read("report.html").contains("the latest 5 of 60 tasks"));
}

#[test]
fn report_never_replaces_a_tracker_file() {
    let fixture = Fixture::new();
    sample::write(&fixture.path("work.redb"));
    let ran = fixture.run(&["report", "work.redb", "-o", "./work.redb"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("./work.redb is a tracker file: name another file"), "{}", ran.err);
    assert_eq!(fixture.run(&["verify", "work.redb"]).code, Some(0));
}

#[test]
fn failed_report_leaves_no_file() {
    let fixture = Fixture::new();
    sample::write(&fixture.path("work.redb"));
    let ran = fixture.run(&["report", "work.redb", "-o", "nowhere/page.html"]);
    assert_eq!(ran.code, Some(3));
    assert!(ran.err.contains("cannot write nowhere/page.html: No such file or directory"), "{}", ran.err);
}
