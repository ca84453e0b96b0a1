//! `Node` is a MessagePack value without its type. Reading recurses at most `DEPTH` levels and accepts any bytes, since a file may be
//! damaged. Used by `model/payload`, `portable` and `api/inspect/update`; pure.

use rmp::{Marker, encode};

use crate::model::codec::StoredPayload;

/// A value of MessagePack.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    Nil,
    Bool(bool),
    Unsigned(u64),
    /// Below zero.
    Signed(i64),
    F32(f32),
    F64(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Node>),
    /// The entries in their order. A key may be any value, and may occur twice.
    Map(Vec<(Node, Node)>),
    Ext(i8, Vec<u8>),
}

/// How deep a value may be nested to be read.
const DEPTH: usize = 200;

impl Node {
    /// The value of bytes; `None` if they are not exactly one sound value, or nested too deep.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader { rest: bytes };
        let node = reader.node(DEPTH)?;
        reader.rest.is_empty().then_some(node)
    }

    /// The value of a stored payload of any version; `None` also if a codec has encoded it.
    pub(crate) fn of_stored(stored: &[u8]) -> Option<Self> {
        StoredPayload::plain(stored).and_then(Self::read)
    }

    /// The bytes of the value, each number and length in its shortest form.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        // Writing into memory cannot fail.
        drop(self.write(&mut out));
        out
    }

    /// The whole number, if it fits.
    #[cfg(feature = "json")]
    pub(crate) fn whole(&self) -> Option<i64> {
        match self {
            Self::Unsigned(value) => i64::try_from(*value).ok(),
            Self::Signed(value) => Some(*value),
            _ => None,
        }
    }

    /// The field of a map.
    pub(crate) fn field(&self, name: &str) -> Option<&Self> {
        let Self::Map(entries) = self else { return None };
        entries.iter().find(|(key, _)| matches!(key, Self::Text(key) if key == name)).map(|(_, value)| value)
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), encode::ValueWriteError> {
        match self {
            Self::Nil => out.push(Marker::Null.to_u8()),
            Self::Bool(value) => out.push(if *value { Marker::True } else { Marker::False }.to_u8()),
            Self::Unsigned(value) => drop(encode::write_uint(out, *value)?),
            Self::Signed(value) => drop(encode::write_sint(out, *value)?),
            Self::F32(value) => encode::write_f32(out, *value)?,
            Self::F64(value) => encode::write_f64(out, *value)?,
            Self::Text(text) => encode::write_str(out, text)?,
            Self::Bytes(bytes) => encode::write_bin(out, bytes)?,
            Self::List(items) => {
                encode::write_array_len(out, length(items.len()))?;
                items.iter().try_for_each(|item| item.write(out))?;
            }
            Self::Map(entries) => {
                encode::write_map_len(out, length(entries.len()))?;
                for (key, value) in entries {
                    key.write(out)?;
                    value.write(out)?;
                }
            }
            Self::Ext(kind, bytes) => {
                encode::write_ext_meta(out, length(bytes.len()), *kind)?;
                out.extend_from_slice(bytes);
            }
        }
        Ok(())
    }
}

/// A length as MessagePack has it. Payloads end long before.
fn length(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

struct Reader<'b> {
    rest: &'b [u8],
}

impl<'b> Reader<'b> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*taken)
    }

    fn slice(&mut self, length: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn len8(&mut self) -> Option<usize> {
        self.take().map(|bytes| usize::from(u8::from_be_bytes(bytes)))
    }

    fn len16(&mut self) -> Option<usize> {
        self.take().map(|bytes| usize::from(u16::from_be_bytes(bytes)))
    }

    fn len32(&mut self) -> Option<usize> {
        self.take().and_then(|bytes| usize::try_from(u32::from_be_bytes(bytes)).ok())
    }

    fn node(&mut self, depth: usize) -> Option<Node> {
        let depth = depth.checked_sub(1)?;
        let [marker] = self.take()?;
        Some(match Marker::from_u8(marker) {
            Marker::Null => Node::Nil,
            Marker::True => Node::Bool(true),
            Marker::False => Node::Bool(false),
            Marker::FixPos(value) => Node::Unsigned(value.into()),
            Marker::U8 => Node::Unsigned(u8::from_be_bytes(self.take()?).into()),
            Marker::U16 => Node::Unsigned(u16::from_be_bytes(self.take()?).into()),
            Marker::U32 => Node::Unsigned(u32::from_be_bytes(self.take()?).into()),
            Marker::U64 => Node::Unsigned(u64::from_be_bytes(self.take()?)),
            Marker::FixNeg(value) => Node::from(i64::from(value)),
            Marker::I8 => Node::from(i64::from(i8::from_be_bytes(self.take()?))),
            Marker::I16 => Node::from(i64::from(i16::from_be_bytes(self.take()?))),
            Marker::I32 => Node::from(i64::from(i32::from_be_bytes(self.take()?))),
            Marker::I64 => Node::from(i64::from_be_bytes(self.take()?)),
            Marker::F32 => Node::F32(f32::from_be_bytes(self.take()?)),
            Marker::F64 => Node::F64(f64::from_be_bytes(self.take()?)),
            Marker::FixStr(length) => self.text(length.into())?,
            Marker::Str8 => self.len8().and_then(|length| self.text(length))?,
            Marker::Str16 => self.len16().and_then(|length| self.text(length))?,
            Marker::Str32 => self.len32().and_then(|length| self.text(length))?,
            Marker::Bin8 => self.len8().and_then(|length| self.binary(length))?,
            Marker::Bin16 => self.len16().and_then(|length| self.binary(length))?,
            Marker::Bin32 => self.len32().and_then(|length| self.binary(length))?,
            Marker::FixArray(length) => self.list(length.into(), depth)?,
            Marker::Array16 => self.len16().and_then(|length| self.list(length, depth))?,
            Marker::Array32 => self.len32().and_then(|length| self.list(length, depth))?,
            Marker::FixMap(length) => self.map(length.into(), depth)?,
            Marker::Map16 => self.len16().and_then(|length| self.map(length, depth))?,
            Marker::Map32 => self.len32().and_then(|length| self.map(length, depth))?,
            Marker::FixExt1 => self.ext(1)?,
            Marker::FixExt2 => self.ext(2)?,
            Marker::FixExt4 => self.ext(4)?,
            Marker::FixExt8 => self.ext(8)?,
            Marker::FixExt16 => self.ext(16)?,
            Marker::Ext8 => self.len8().and_then(|length| self.ext(length))?,
            Marker::Ext16 => self.len16().and_then(|length| self.ext(length))?,
            Marker::Ext32 => self.len32().and_then(|length| self.ext(length))?,
            Marker::Reserved => return None,
        })
    }

    fn text(&mut self, length: usize) -> Option<Node> {
        let text = std::str::from_utf8(self.slice(length)?).ok()?;
        Some(Node::Text(text.to_owned()))
    }

    fn binary(&mut self, length: usize) -> Option<Node> {
        Some(Node::Bytes(self.slice(length)?.to_vec()))
    }

    fn ext(&mut self, length: usize) -> Option<Node> {
        let kind = i8::from_be_bytes(self.take()?);
        Some(Node::Ext(kind, self.slice(length)?.to_vec()))
    }

    /// Grows with the entries that are read, because a wrong length must not allocate memory.
    fn list(&mut self, length: usize, depth: usize) -> Option<Node> {
        let mut items = Vec::new();
        for _ in 0..length {
            items.push(self.node(depth)?);
        }
        Some(Node::List(items))
    }

    fn map(&mut self, length: usize, depth: usize) -> Option<Node> {
        let mut entries = Vec::new();
        for _ in 0..length {
            entries.push((self.node(depth)?, self.node(depth)?));
        }
        Some(Node::Map(entries))
    }
}

impl From<i64> for Node {
    fn from(value: i64) -> Self {
        u64::try_from(value).map_or(Self::Signed(value), Self::Unsigned)
    }
}
