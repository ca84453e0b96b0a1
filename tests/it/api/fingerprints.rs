//! Tests fingerprints: equal values have equal fingerprints, in any order of a map or a set.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::{Deserialize, Serialize};
use tracker_core::{Submission, TrackedTask, task::Fingerprint};

use crate::support::kinds::{Status, tracker};

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(name = "build", status = Status)]
struct Build {
    #[task(id)]
    name: String,
    #[task(fingerprint)]
    environment: HashMap<String, String>,
    #[task(fingerprint)]
    tags: HashSet<String>,
    #[task(fingerprint)]
    nested: Option<Nested>,
    #[task(fingerprint)]
    value: serde_json::Value,
    #[task(fingerprint)]
    steps: Vec<String>,
    #[task(fingerprint_with = sorted)]
    owners: Vec<String>,
}

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
struct Nested {
    sets: Vec<HashSet<u32>>,
    groups: HashMap<u32, HashMap<String, HashSet<u32>>>,
    #[serde(flatten)]
    rest: HashMap<String, u32>,
}

fn sorted(owners: &[String]) -> BTreeSet<&str> {
    owners.iter().map(String::as_str).collect()
}

/// Equal for every `turn`, though what is hashed is inserted in another order.
fn build(turn: u32) -> Build {
    let numbers = |most: u32| (0..most).map(move |number| (number + turn) % most);
    let texts = |most: u32| numbers(most).map(|number| number.to_string());
    Build {
        name: "a".to_owned(),
        environment: texts(30).map(|text| (text.clone(), text)).collect(),
        tags: texts(30).collect(),
        nested: Some(Nested {
            sets: (0..4).map(|most| numbers(most * 5).collect()).collect(),
            groups: numbers(7).map(|key| (key, [(key.to_string(), numbers(key).collect())].into())).collect(),
            rest: texts(9).map(|key| (key, 1)).collect(),
        }),
        value: serde_json::json!({"a": {"b": [1, 2]}, "c": null}),
        steps: ["one", "two"].map(String::from).to_vec(),
        owners: texts(5).collect(),
    }
}

#[test]
fn resubmit_of_equal_maps_and_sets_changes_nothing() {
    let (_, tracker) = tracker();
    let builds = tracker.tasks::<Build>().unwrap();
    builds.submit(&build(0)).unwrap();
    builds.start("a").unwrap().succeed().unwrap();
    for turn in 1..=19 {
        assert_eq!((build(turn).tags, build(turn).nested), (build(0).tags, build(0).nested));
        assert_eq!(builds.submit(&build(turn)).unwrap().submission, Submission::Existing, "{turn}");
    }
    assert_eq!(builds.counts().unwrap().get(Status::Succeeded), 1);
}

#[test]
fn change_within_a_map_or_set_changes_the_fingerprint() {
    let whole = build(0).fingerprint();
    let changes: [fn(&mut Build); 8] = [
        |build| drop(build.environment.insert("7".to_owned(), "8".to_owned())),
        |build| assert!(build.tags.insert("more".to_owned())),
        |build| assert!(build.nested.as_mut().unwrap().sets[3].remove(&3)),
        |build| build.nested.as_mut().unwrap().sets.swap(0, 1),
        |build| assert!(build.nested.as_mut().unwrap().groups.get_mut(&6).unwrap().get_mut("6").unwrap().insert(99)),
        |build| assert_eq!(build.nested.as_mut().unwrap().rest.insert("0".to_owned(), 2), Some(1)),
        |build| build.steps.reverse(),
        |build| build.owners.push("more".to_owned()),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut changed = build(0);
        change(&mut changed);
        assert_ne!(changed.fingerprint(), whole, "change {number}");
    }
    let mut reordered = build(0);
    reordered.owners.reverse();
    assert_eq!(reordered.fingerprint(), whole, "the function sorts them");
}

#[test]
fn map_and_its_sorted_form_have_one_fingerprint() {
    let hashed: HashMap<_, _> = (0..50_u32).map(|key| (key.to_string(), key)).collect();
    let ordered: BTreeMap<_, _> = hashed.clone().into_iter().collect();
    let of_hashed = Fingerprint::new().field("map", &hashed).finish();
    assert_eq!(of_hashed, Fingerprint::new().field("map", &ordered).finish());
}
