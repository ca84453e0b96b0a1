//! The numbers of lines, over several runs.

use crate::fixture::Fixture;

const SHOW: [&str; 5] = ["--shell", "--", "echo {}={#}=$TRACKER_NUMBER; [ {} != bad ] || test -e fixed", ":::", "b"];

fn run(fixture: &Fixture, options: &[&str], lines: &[&str]) -> String {
    fixture.run(&[&["run", "jobs.redb", "-j1"], options, &SHOW[..4], lines].concat()).out
}

#[test]
fn line_keeps_its_number_over_runs() {
    let fixture = Fixture::new();
    assert_eq!(run(&fixture, &[], &["b", "bad"]), "b=1=1\nbad=2=2\n");
    let plan = fixture.plan(&[&SHOW[..4], &["a", "bad", "c"]].concat());
    assert_eq!((plan["run"][0]["number"].as_u64(), plan["run"][1]["number"].as_u64()), (Some(3), Some(4)));
    assert_eq!(run(&fixture, &[], &["a", "b", "c"]), "a=3=3\nc=4=4\n");
    std::fs::write(fixture.path("fixed"), "").unwrap();
    assert_eq!(run(&fixture, &["--retry-failed"], &["d"]), "bad=2=2\nd=5=5\n");
}

#[test]
fn numbers_of_pruned_lines_stay_taken() {
    let fixture = Fixture::new();
    assert_eq!(run(&fixture, &[], &["a", "b"]), "a=1=1\nb=2=2\n");
    assert_eq!(fixture.run(&["prune", "jobs.redb", "--older-than", "0s", "--yes"]).code, Some(0));
    let plan = fixture.plan(&[&SHOW[..4], &["a"]].concat());
    assert_eq!(plan["run"][0]["number"], 3);
    assert_eq!(run(&fixture, &[], &["a"]), "a=3=3\n");
}
