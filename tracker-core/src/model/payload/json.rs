//! Writes a payload as JSON and reads it back. The documentation of [`Payload`] describes the forms of values that JSON lacks. Called
//! through serde by users, `api/live`, `api/schedule` and `portable`; pure.

use std::{collections::HashSet, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
    ser::{SerializeMap, SerializeSeq},
};

use super::{Node, Payload, base64, from_base64};
use crate::model::codec::{StoredPayload, with_prefix, with_version};

/// How deep JSON may be nested: readers refuse more than 128 levels, and an export puts some around the payload.
const DEPTH: usize = 100;

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let whole = |to: S| escape(to, "$msgpack", &base64(&self.0));
        let Some(StoredPayload { version, codec, bytes }) = StoredPayload::read(&self.0) else { return whole(to) };
        if let Some(name) = codec {
            return escape(to, "$encoded", &(name, version, base64(bytes)));
        }
        match Node::read(bytes) {
            // A node that JSON would not restore to the byte is escaped.
            Some(node) if node.depth() <= DEPTH && with_version(node.bytes(), version) == self.0 => match version {
                1 => node.serialize(to),
                _ => escape(to, "$payload", &(version, node)),
            },
            _ => whole(to),
        }
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let raw = Node::deserialize(from)?;
        if let Some(("$msgpack", value)) = raw.escaped() {
            return bytes_of("$msgpack", value).map(Self).map_err(D::Error::custom);
        }
        if let Some(("$payload", value)) = raw.escaped() {
            return versioned(value).map(Self).map_err(D::Error::custom);
        }
        if let Some(("$encoded", value)) = raw.escaped() {
            return encoded(value).map(Self).map_err(D::Error::custom);
        }
        raw.unescape().map(|node| Self(node.bytes())).map_err(D::Error::custom)
    }
}

/// The stored bytes of a payload with its version.
fn versioned(value: &Node) -> Result<Vec<u8>, String> {
    if let Node::List(items) = value
        && let [Node::Unsigned(version), payload] = items.as_slice()
        && let Ok(version @ 1..) = u16::try_from(*version)
    {
        return Ok(with_version(payload.clone().unescape()?.bytes(), version));
    }
    Err("$payload needs a list of a version from 1 to 65535 and the payload".to_owned())
}

/// The stored bytes of a payload that a codec has encoded.
fn encoded(value: &Node) -> Result<Vec<u8>, String> {
    if let Node::List(items) = value
        && let [Node::Text(name), Node::Unsigned(version), bytes] = items.as_slice()
        && (1..=usize::from(u8::MAX)).contains(&name.len())
        && let Ok(version @ 1..) = u16::try_from(*version)
    {
        return Ok(with_prefix(bytes_of("$encoded", bytes)?, version, name));
    }
    Err("$encoded needs a list of the name of a codec, a version from 1 to 65535 and bytes in base64".to_owned())
}

fn escape<S: Serializer>(to: S, key: &str, value: &(impl Serialize + ?Sized)) -> Result<S::Ok, S::Error> {
    let mut map = to.serialize_map(Some(1))?;
    map.serialize_entry(key, value)?;
    map.end()
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nil => to.serialize_unit(),
            Self::Bool(value) => to.serialize_bool(*value),
            Self::Unsigned(value) => to.serialize_u64(*value),
            Self::Signed(value) => to.serialize_i64(*value),
            Self::F32(value) => match float_name(f64::from(*value), || format!("0x{:08x}", value.to_bits())) {
                None => escape(to, "$f32", &f64::from(*value)),
                Some(name) => escape(to, "$f32", &name),
            },
            Self::F64(value) => match float_name(*value, || format!("0x{:016x}", value.to_bits())) {
                None => to.serialize_f64(*value),
                Some(name) => escape(to, "$f64", &name),
            },
            Self::Text(text) => to.serialize_str(text),
            Self::Bytes(bytes) => escape(to, "$bytes", &base64(bytes)),
            Self::Ext(kind, bytes) => escape(to, "$ext", &(kind, base64(bytes))),
            Self::List(items) => {
                let mut list = to.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| list.serialize_element(item))?;
                list.end()
            }
            Self::Map(entries) if self.is_object() => {
                let mut map = to.serialize_map(Some(entries.len()))?;
                entries.iter().try_for_each(|(key, value)| map.serialize_entry(key, value))?;
                map.end()
            }
            Self::Map(entries) => escape(to, "$map", entries),
        }
    }
}

/// The name of a float that JSON cannot represent; `None` for any other float.
fn float_name(value: f64, bits: impl FnOnce() -> String) -> Option<String> {
    if value.is_finite() {
        None
    } else if value.is_infinite() {
        Some(if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned())
    } else if value.to_bits() == f64::NAN.to_bits() {
        Some("NaN".to_owned())
    } else {
        Some(bits())
    }
}

impl Node {
    /// Whether a map can be a JSON object that does not look like an escape.
    fn is_object(&self) -> bool {
        let Self::Map(entries) = self else { return false };
        if let [(Self::Text(key), _)] = entries.as_slice() {
            return !key.starts_with('$');
        }
        let mut seen = HashSet::new();
        entries.iter().all(|(key, _)| matches!(key, Self::Text(key) if seen.insert(key)))
    }

    /// How many levels of JSON it needs.
    fn depth(&self) -> usize {
        let deepest = |nodes: &mut dyn Iterator<Item = &Self>| nodes.map(Self::depth).max().unwrap_or(0);
        match self {
            Self::List(items) => 1 + deepest(&mut items.iter()),
            Self::Map(entries) => {
                let levels = if self.is_object() { 1 } else { 3 };
                levels + deepest(&mut entries.iter().flat_map(|(key, value)| [key, value]))
            }
            Self::Ext(..) => 2,
            Self::Bytes(_) | Self::F32(_) | Self::F64(_) => 1,
            _ => 0,
        }
    }

    /// The key and the value of an object that is an escape.
    pub(crate) fn escaped(&self) -> Option<(&str, &Self)> {
        let Self::Map(entries) = self else { return None };
        match entries.as_slice() {
            [(Self::Text(key), value)] if key.starts_with('$') => Some((key, value)),
            _ => None,
        }
    }

    /// The value that JSON represents. An unknown escape is an error that names it.
    pub(crate) fn unescape(self) -> Result<Self, String> {
        if let Some((key, value)) = self.escaped() {
            return Self::of_escape(key, value);
        }
        Ok(match self {
            Self::List(items) => Self::List(items.into_iter().map(Self::unescape).collect::<Result<_, _>>()?),
            Self::Map(entries) => Self::Map(
                entries.into_iter().map(|(key, value)| Ok((key, value.unescape()?))).collect::<Result<_, String>>()?,
            ),
            other => other,
        })
    }

    fn of_escape(key: &str, value: &Self) -> Result<Self, String> {
        match (key, value) {
            ("$bytes", value) => bytes_of(key, value).map(Self::Bytes),
            ("$f32", value) => float32(value).map(Self::F32),
            ("$f64", value) => float64(value).map(Self::F64),
            ("$ext", Self::List(items)) => match items.as_slice() {
                [kind, bytes] => Ok(Self::Ext(ext_kind(kind)?, bytes_of(key, bytes)?)),
                _ => Err("$ext needs a list of a type and bytes in base64".to_owned()),
            },
            ("$map", Self::List(entries)) => {
                const NO_PAIR: &str = "$map needs a list of pairs, each a list of key and value";
                let pair = |entry: &Self| match entry {
                    Self::List(pair) => match pair.as_slice() {
                        [key, value] => Ok((key.clone().unescape()?, value.clone().unescape()?)),
                        _ => Err(NO_PAIR.to_owned()),
                    },
                    _ => Err(NO_PAIR.to_owned()),
                };
                Ok(Self::Map(entries.iter().map(pair).collect::<Result<_, _>>()?))
            }
            _ => Err(format!(
                "an object whose only key is {key:?} would be an escape, and is none that is known; write it as {{\"$map\": [[{key:?}, …]]}}"
            )),
        }
    }
}

fn ext_kind(kind: &Node) -> Result<i8, String> {
    let number = match kind {
        Node::Unsigned(value) => i8::try_from(*value).ok(),
        Node::Signed(value) => i8::try_from(*value).ok(),
        _ => None,
    };
    number.ok_or_else(|| "the type of an $ext is a number from -128 to 127".to_owned())
}

fn bytes_of(key: &str, value: &Node) -> Result<Vec<u8>, String> {
    let bytes = if let Node::Text(text) = value { from_base64(text) } else { None };
    bytes.ok_or_else(|| format!("{key} needs text in base64, with padding"))
}

fn float32(value: &Node) -> Result<f32, String> {
    #[expect(clippy::cast_possible_truncation, reason = "an f32 was written as the f64 that is equal to it")]
    match value {
        Node::Text(name) if name.starts_with("0x") => {
            let bits = name.strip_prefix("0x").and_then(|digits| u32::from_str_radix(digits, 16).ok());
            bits.map(f32::from_bits).ok_or_else(|| "$f32 needs 8 hexadecimal digits after 0x".to_owned())
        }
        value => float64(value).map(|value| value as f32),
    }
}

fn float64(value: &Node) -> Result<f64, String> {
    #[expect(clippy::cast_precision_loss, reason = "an integer is read as the nearest float")]
    match value {
        Node::F64(value) => Ok(*value),
        Node::Unsigned(value) => Ok(*value as f64),
        Node::Signed(value) => Ok(*value as f64),
        Node::Text(name) => match name.as_str() {
            "NaN" => Ok(f64::NAN),
            "Infinity" => Ok(f64::INFINITY),
            "-Infinity" => Ok(f64::NEG_INFINITY),
            bits => bits
                .strip_prefix("0x")
                .and_then(|digits| u64::from_str_radix(digits, 16).ok())
                .map(f64::from_bits)
                .ok_or_else(|| "a float needs a number, NaN, Infinity, -Infinity, or its bits after 0x".to_owned()),
        },
        _ => Err("a float needs a number, NaN, Infinity, -Infinity, or its bits after 0x".to_owned()),
    }
}

/// Any JSON, with its escapes unchanged.
impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Plain)
    }
}

struct Plain;

impl<'de> Visitor<'de> for Plain {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of JSON")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Nil)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Unsigned(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::F64(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Node, E> {
        Ok(Node::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, value)) = map.next_entry::<String, Node>()? {
            entries.push((Node::Text(key), value));
        }
        Ok(Node::Map(entries))
    }
}
