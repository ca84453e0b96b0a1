//! Tests of payloads: each value, and any bytes, survive a conversion to JSON and back.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Node, Payload, base64, from_base64};

fn json(payload: &Payload) -> String {
    serde_json::to_string(payload).unwrap()
}

#[track_caller]
fn round(payload: &Payload) -> String {
    let text = json(payload);
    let back: Payload = serde_json::from_str(&text).unwrap();
    assert_eq!(back.as_bytes(), payload.as_bytes(), "{text}");
    text
}

fn node() -> impl Strategy<Value = Node> {
    let leaf = prop_oneof![
        Just(Node::Nil),
        any::<bool>().prop_map(Node::Bool),
        any::<u64>().prop_map(Node::Unsigned),
        any::<i64>().prop_map(Node::from),
        any::<u32>().prop_map(|bits| Node::F32(f32::from_bits(bits))),
        any::<u64>().prop_map(|bits| Node::F64(f64::from_bits(bits))),
        any::<f64>().prop_map(Node::F64),
        "\\$?(f32|f64|map|bytes|ext|msgpack|.{0,4})".prop_map(Node::Text),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Node::Bytes),
        (any::<i8>(), prop::collection::vec(any::<u8>(), 0..20)).prop_map(|(kind, bytes)| Node::Ext(kind, bytes)),
    ];
    leaf.prop_recursive(6, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Node::List),
            prop::collection::vec((inner.clone(), inner.clone()), 0..4).prop_map(Node::Map),
            prop::collection::vec(("\\$?[a-c]{0,2}".prop_map(Node::Text), inner), 0..4).prop_map(Node::Map),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn every_value_comes_back_from_json_to_the_byte(node in node()) {
        let payload = Payload::from_bytes(node.bytes());
        let text = json(&payload);
        prop_assert!(!text.contains("$msgpack\":\"") || text.contains("$map"), "a sound value needs no last resort: {text}");
        let back: Payload = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(back.as_bytes(), payload.as_bytes());
    }

    #[test]
    fn any_bytes_at_all_come_back_from_json(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let payload = Payload::from_bytes(bytes);
        let back: Payload = serde_json::from_str(&json(&payload)).unwrap();
        prop_assert_eq!(back.as_bytes(), payload.as_bytes());
    }

    #[test]
    fn bytes_come_back_from_base64(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        prop_assert_eq!(from_base64(&base64(&bytes)), Some(bytes));
    }
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
struct Everything {
    text: String,
    letter: char,
    large: u64,
    small: i64,
    huge: u128,
    single: f32,
    double: f64,
    nothing: Option<u8>,
    unit: (),
    numbers: BTreeMap<i16, String>,
    choice: Choice,
    id: uuid::Uuid,
    wide: (u8, bool),
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
enum Choice {
    Plain,
    With { depth: u32 },
}

#[test]
fn serde_values_round_trip_to_the_same_bytes() {
    for (double, choice) in
        [(f64::MIN_POSITIVE, Choice::Plain), (-0.0, Choice::With { depth: 3 }), (1.0, Choice::Plain)]
    {
        let value = Everything {
            text: "naïve \"quoted\" \u{0}".into(),
            letter: '∂',
            large: u64::MAX,
            small: i64::MIN,
            huge: u128::MAX - 5,
            single: 0.1,
            double,
            nothing: None,
            unit: (),
            numbers: [(-3, "a".to_owned()), (7, "b".to_owned())].into(),
            choice,
            id: uuid::Uuid::from_u128(77),
            wide: (255, true),
        };
        let payload = Payload::of(&value).unwrap();
        let text = round(&payload);
        assert_eq!(payload.to::<Everything>().unwrap(), value);
        assert!(
            text.starts_with(r#"{"text":"naïve \"quoted\" \u0000","letter":"∂","large":18446744073709551615,"#),
            "{text}"
        );
        assert!(text.contains(r#""single":{"$f32":0.10000000149011612}"#), "{text}");
        assert!(text.contains(r#""numbers":{"$map":[[-3,"a"],[7,"b"]]}"#), "{text}");
        assert!(text.contains(r#""id":"00000000-0000-0000-0000-00000000004d""#), "{text}");
    }
}

#[test]
fn floats_that_are_no_numbers_have_names() {
    for (value, name) in [(f64::NAN, "NaN"), (f64::INFINITY, "Infinity"), (f64::NEG_INFINITY, "-Infinity")] {
        assert_eq!(round(&Payload::of(&value).unwrap()), format!(r#"{{"$f64":"{name}"}}"#));
    }
    let odd = Payload::of(&f64::from_bits(0x7ff8_0000_0000_0001)).unwrap();
    assert_eq!(round(&odd), r#"{"$f64":"0x7ff8000000000001"}"#);
    round(&Payload::of(&f32::from_bits(0xffc0_0001)).unwrap());
}

#[test]
fn too_deep_payload_is_written_as_messagepack() {
    let mut node = Node::Nil;
    for _ in 0..150 {
        node = Node::List(vec![node]);
    }
    assert!(round(&Payload::from_bytes(node.bytes())).starts_with(r#"{"$msgpack":""#));
}

#[test]
fn invalid_escape_is_refused_with_the_valid_form() {
    for (text, says) in [
        (r#"{"a":{"$what":1}}"#, r#"write it as {"$map": [["$what""#),
        (r#"[{"$bytes":"A"}]"#, "base64"),
        (r#"{"$bytes":7}"#, "base64"),
        (r#"{"$ext":[300,"AA=="]}"#, "-128 to 127"),
        (r#"{"$ext":[1]}"#, "list of a type and bytes"),
        (r#"{"$map":[[1]]}"#, "list of pairs"),
        (r#"{"$f64":"lots"}"#, "a float needs"),
        (r#"[{"$msgpack":"wA=="}]"#, "is none that is known"),
    ] {
        let error = serde_json::from_str::<Payload>(text).unwrap_err().to_string();
        assert!(error.contains(says), "{text}: {error}");
    }
}
