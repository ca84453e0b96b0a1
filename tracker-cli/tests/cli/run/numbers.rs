//! The numbers of lines, over several runs.

use crate::fixture::Scene;

const SHOW: [&str; 5] = ["--shell", "--", "echo {}={#}=$TRACKER_NUMBER; [ {} != bad ] || test -e fixed", ":::", "b"];

fn run(scene: &Scene, options: &[&str], lines: &[&str]) -> String {
    scene.run(&[&["run", "jobs.redb", "-j1"], options, &SHOW[..4], lines].concat()).out
}

#[test]
fn a_line_keeps_its_number_over_runs() {
    let scene = Scene::new();
    assert_eq!(run(&scene, &[], &["b", "bad"]), "b=1=1\nbad=2=2\n");
    let plan = scene.plan(&[&SHOW[..4], &["a", "bad", "c"]].concat());
    assert_eq!((plan["run"][0]["number"].as_u64(), plan["run"][1]["number"].as_u64()), (Some(3), Some(4)));
    assert_eq!(run(&scene, &[], &["a", "b", "c"]), "a=3=3\nc=4=4\n");
    std::fs::write(scene.path("fixed"), "").unwrap();
    assert_eq!(run(&scene, &["--retry-failed"], &["d"]), "bad=2=2\nd=5=5\n");
}

#[test]
fn numbers_of_pruned_lines_stay_taken() {
    let scene = Scene::new();
    assert_eq!(run(&scene, &[], &["a", "b"]), "a=1=1\nb=2=2\n");
    assert_eq!(scene.run(&["prune", "jobs.redb", "--older-than", "0s", "--yes"]).code, Some(0));
    assert_eq!(run(&scene, &[], &["a"]), "a=3=3\n");
}
