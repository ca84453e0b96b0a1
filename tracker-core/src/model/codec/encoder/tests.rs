//! Tests of the encoder: its bytes against those of `rmp-serde`, canonical bytes of sets and maps, and the limit of nesting.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::*;

fn bytes<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    Encoder::new(Form::Payload, None).encode(value).unwrap()
}

fn rmp<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = rmp_serde::Serializer::new(&mut bytes).with_struct_map().with_human_readable();
    value.serialize(&mut writer).unwrap();
    bytes
}

#[derive(Serialize, Deserialize, Clone, Debug)]
struct Unit;

#[derive(Serialize, Deserialize, Clone, Debug)]
struct Wrapped(u16);

#[derive(Serialize, Deserialize, Clone, Debug)]
struct Pair(i8, String);

#[derive(Serialize, Deserialize, Clone, Debug)]
enum Choice {
    Plain,
    One(f32),
    Two(u8, Option<bool>),
    Named { left: i64, right: Vec<u8> },
}

#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(tag = "type")]
enum Tagged {
    Empty,
    Full { value: u32 },
}

#[derive(Serialize, Deserialize, Clone, Debug)]
struct Flat {
    first: u8,
    #[serde(flatten)]
    rest: BTreeMap<String, u32>,
}

#[derive(Serialize, Clone, Debug)]
struct Everything {
    numbers: (i8, i16, i32, i64, u8, u16, u32, u64),
    wide: (i128, u128),
    floats: (f32, f64),
    letter: char,
    text: String,
    bytes: Bytes,
    nothing: Option<u8>,
    something: Option<Wrapped>,
    unit: (),
    units: Unit,
    pair: Pair,
    choices: Vec<Choice>,
    tagged: Vec<Tagged>,
    flat: Flat,
    map: BTreeMap<i32, BTreeSet<String>>,
    list: VecDeque<[u8; 3]>,
    id: uuid::Uuid,
    time: chrono::DateTime<chrono::Utc>,
    extension: Extension,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<u8>,
    value: serde_json::Value,
}

#[derive(Clone, Debug)]
struct Bytes(Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(&self.0)
    }
}

#[derive(Serialize, Clone, Debug)]
#[serde(rename = "_ExtStruct")]
struct Extension((i8, Bytes));

/// Of unknown length.
struct Odd(u32);

impl Serialize for Odd {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq((0..self.0).filter(|number| number % 2 == 1))
    }
}

prop_compose! {
    fn everything()(
        numbers in any::<(i8, i16, i32, i64, u8, u16, u32, u64)>(),
        wide in any::<(i128, u128)>(),
        floats in any::<(f32, f64)>(),
        letter in any::<char>(),
        text in ".{0,300}",
        raw in prop::collection::vec(any::<u8>(), 0..300),
        something in any::<Option<u16>>(),
        pair in any::<(i8, String)>(),
        choice in any::<(u8, Option<bool>, i64)>(),
        rest in prop::collection::btree_map("[a-z]{1,3}", any::<u32>(), 0..20),
        map in prop::collection::btree_map(any::<i32>(), prop::collection::btree_set("[a-z]{0,3}", 0..20), 0..20),
        list in prop::collection::vec_deque(any::<[u8; 3]>(), 0..20),
        seconds in 0_i64..4_000_000_000,
    ) -> Everything {
        Everything {
            numbers, wide, floats, letter, text,
            nothing: None,
            something: something.map(Wrapped),
            unit: (),
            units: Unit,
            pair: Pair(pair.0, pair.1),
            choices: vec![
                Choice::Plain,
                Choice::One(floats.0),
                Choice::Two(choice.0, choice.1),
                Choice::Named { left: choice.2, right: raw.clone() },
            ],
            tagged: vec![Tagged::Empty, Tagged::Full { value: numbers.6 }],
            flat: Flat { first: numbers.4, rest: rest.clone() },
            map, list,
            id: uuid::Uuid::from_u128(wide.1),
            time: chrono::DateTime::from_timestamp(seconds, 7_000).unwrap(),
            extension: Extension((7, Bytes(raw.iter().copied().take(5).collect()))),
            bytes: Bytes(raw),
            left_out: None,
            value: serde_json::json!({ "list": [1, -1, null, 0.5], "rest": rest }),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn payload_has_the_bytes_that_rmp_serde_writes(value in everything()) {
        prop_assert_eq!(bytes(&value), rmp(&value));
    }
}

#[test]
fn long_lists_of_unknown_length_have_their_header_in_front() {
    for count in [0, 8, 40, 400, 140_000] {
        assert_eq!(bytes(&Odd(count)), rmp(&Odd(count)));
    }
}

#[derive(Serialize, Clone, PartialEq, Debug)]
struct Hidden {
    words: HashSet<String>,
    places: HashMap<String, HashSet<u32>>,
    more: Vec<HashMap<u8, Option<HashSet<i64>>>>,
}

fn hidden(reversed: bool) -> Hidden {
    fn order<T>(values: impl DoubleEndedIterator<Item = T>, reversed: bool) -> Vec<T> {
        if reversed { values.rev().collect() } else { values.collect() }
    }
    let numbers = |most: u32| order(0..most, reversed).into_iter();
    Hidden {
        words: numbers(20).map(|number| number.to_string()).collect(),
        places: numbers(9).map(|number| (format!("place {number}"), numbers(number).collect())).collect(),
        more: vec![numbers(5).map(|key| (key.to_le_bytes()[0], Some(numbers(key).map(i64::from).collect()))).collect()],
    }
}

#[test]
fn equal_hash_sets_and_maps_have_equal_canonical_bytes() {
    let first = canonical(&hidden(false)).unwrap();
    for round in 0..20 {
        let again = hidden(round % 2 == 0);
        assert_eq!(again, hidden(false));
        assert_eq!(canonical(&again).unwrap(), first);
    }
    let mut changed = hidden(false);
    changed.more[0].insert(4, None);
    assert_ne!(canonical(&changed).unwrap(), first);
}

#[test]
fn order_of_a_list_counts_in_canonical_bytes() {
    let of = |values: &[&str]| canonical(&values.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
    assert_ne!(of(&["a", "b"]), of(&["b", "a"]));
    let sets = |values: [u8; 2]| canonical(&values.map(|value| HashSet::from([value])).to_vec()).unwrap();
    assert_ne!(sets([1, 2]), sets([2, 1]), "a list of sets is a list");
    let pairs = |values: [(u8, u8); 2]| canonical(&VecDeque::from(values)).unwrap();
    assert_ne!(pairs([(1, 2), (3, 4)]), pairs([(3, 4), (1, 2)]));
}

#[test]
fn compiler_names_sets_apart_from_lists() {
    assert!(is_unordered::<&HashSet<u8>>() && is_unordered::<HashSet<Vec<u8>>>());
    assert!(is_unordered::<std::collections::hash_map::Values<'_, u8, u8>>());
    assert!(is_unordered::<std::collections::hash_set::Iter<'_, u8>>());
    assert!(!is_unordered::<&Vec<HashSet<u8>>>() && !is_unordered::<&BTreeSet<u8>>());
    assert!(!is_unordered::<&[HashSet<u8>]>() && !is_unordered::<&VecDeque<u8>>());
}

#[test]
fn canonical_bytes_of_ordered_values_are_those_of_rmp_serde() {
    let value = (1_u8, "two", vec![Choice::Plain, Choice::Named { left: -3, right: vec![4] }], BTreeSet::from([9, 8]));
    assert_eq!(canonical(&value).unwrap(), rmp_serde::to_vec_named(&value).unwrap());
}

#[derive(Serialize)]
struct Chain(Option<Box<Chain>>);

#[test]
fn wrappers_without_bytes_are_limited_too() {
    let chain = |levels: usize| (0..levels).fold(Chain(None), |inner, _| Chain(Some(Box::new(inner))));
    assert_eq!(bytes(&chain(WRAPPERS / 2 - 1)), [0xc0]);
    let error = Encoder::new(Form::Payload, None).encode(&chain(WRAPPERS)).unwrap_err();
    assert!(matches!(error, EncodeError::TooDeep), "{error}");
}
