//! Serializes values as MessagePack: structs are maps with field names, and nesting is limited. Called by `model/codec` for payloads, and
//! by `model/task/fingerprint` for canonical bytes. Pure, except for the user's `Serialize`.

mod compound;
#[cfg(test)]
mod tests;

use std::fmt;

use rmp::encode;
use serde::{
    Serialize, Serializer,
    ser::{self, SerializeSeq},
};

use super::{depth::LEVELS, field_sets::FieldSets};
use compound::{Entries, Fields};

/// The most `Some` and newtype structs around each other. They take no bytes of the payload, but they take stack.
const WRAPPERS: usize = 4 * LEVELS;

/// Why a value cannot be encoded.
#[derive(Debug)]
pub(crate) enum EncodeError {
    /// It is nested deeper than [`LEVELS`].
    TooDeep,
    /// Its `Serialize` reports an error.
    Failed(String),
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooDeep => write!(f, "it is nested deeper than {LEVELS} levels"),
            Self::Failed(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for EncodeError {}

impl ser::Error for EncodeError {
    fn custom<T: fmt::Display>(what: T) -> Self {
        Self::Failed(what.to_string())
    }
}

/// Writing into memory does not fail.
impl From<encode::ValueWriteError> for EncodeError {
    fn from(error: encode::ValueWriteError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// In which form values are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As serde hands them over; times, uuids and addresses as text.
    Payload,
    /// Equal values as equal bytes: the entries of maps and sets are sorted by their bytes.
    Canonical,
}

/// The bytes of a payload. The field names of its structs are reported to `fields`.
pub(super) fn payload<T: Serialize>(value: &T, fields: Option<&mut FieldSets>) -> Result<Vec<u8>, EncodeError> {
    Encoder::new(Form::Payload, fields).encode(value)
}

/// The canonical bytes of a value: see [`Fingerprint`](crate::task::Fingerprint).
pub(crate) fn canonical<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, EncodeError> {
    Encoder::new(Form::Canonical, None).encode(value)
}

struct Encoder<'f> {
    out: Vec<u8>,
    form: Form,
    /// How many arrays and maps are open.
    levels: usize,
    /// How many `Some` and newtype structs are open.
    wrappers: usize,
    fields: Option<&'f mut FieldSets>,
}

type Encoded = Result<(), EncodeError>;

impl<'f> Encoder<'f> {
    fn new(form: Form, fields: Option<&'f mut FieldSets>) -> Self {
        Self { out: Vec::new(), form, levels: 0, wrappers: 0, fields }
    }

    fn encode<T: Serialize + ?Sized>(mut self, value: &T) -> Result<Vec<u8>, EncodeError> {
        value.serialize(&mut self)?;
        Ok(self.out)
    }

    fn open(&mut self) -> Encoded {
        self.levels += 1;
        if self.levels > LEVELS { Err(EncodeError::TooDeep) } else { Ok(()) }
    }

    fn open_array(&mut self, items: usize) -> Encoded {
        self.open()?;
        encode::write_array_len(&mut self.out, length(items)?)?;
        Ok(())
    }

    fn open_map(&mut self, entries: usize) -> Encoded {
        self.open()?;
        encode::write_map_len(&mut self.out, length(entries)?)?;
        Ok(())
    }

    /// Opens a map of one entry, the form of a variant with data.
    fn open_variant(&mut self, variant: &str) -> Encoded {
        self.open_map(1)?;
        encode::write_str(&mut self.out, variant)?;
        Ok(())
    }

    fn wrapped<T: Serialize + ?Sized>(&mut self, value: &T) -> Encoded {
        self.wrappers += 1;
        if self.wrappers > WRAPPERS {
            return Err(EncodeError::TooDeep);
        }
        value.serialize(&mut *self)?;
        self.wrappers -= 1;
        Ok(())
    }
}

/// A length as MessagePack has it.
fn length(length: usize) -> Result<u32, EncodeError> {
    u32::try_from(length).map_err(|_| EncodeError::Failed(format!("a list or map of {length} entries is too long")))
}

/// Whether an iterator goes through a set or map in an order that equal ones need not share. serde hands a set over as a
/// sequence, so that nothing but the name of its type tells it from a list.
fn is_unordered<I>() -> bool {
    let name = std::any::type_name::<I>();
    let name = name.trim_start_matches('&').trim_start_matches("mut ");
    // Of a slice, an array or a tuple the name begins with a bracket.
    let path = name.split(['<', '[', '(']).next().unwrap_or(name);
    let last = path.rsplit("::").next().unwrap_or(path);
    matches!(last, "HashSet" | "IndexSet")
        || path.starts_with("std::collections::hash::")
        || path.starts_with("hashbrown::")
}

impl<'e, 'f> Serializer for &'e mut Encoder<'f> {
    type Ok = ();
    type Error = EncodeError;
    type SerializeSeq = Entries<'e, 'f>;
    type SerializeTuple = Fields<'e, 'f>;
    type SerializeTupleStruct = Fields<'e, 'f>;
    type SerializeTupleVariant = Fields<'e, 'f>;
    type SerializeMap = Entries<'e, 'f>;
    type SerializeStruct = Fields<'e, 'f>;
    type SerializeStructVariant = Fields<'e, 'f>;

    fn is_human_readable(&self) -> bool {
        self.form == Form::Payload
    }

    fn serialize_bool(self, value: bool) -> Encoded {
        encode::write_bool(&mut self.out, value).map_err(encode::ValueWriteError::InvalidMarkerWrite)?;
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Encoded {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Encoded {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Encoded {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Encoded {
        encode::write_sint(&mut self.out, value)?;
        Ok(())
    }

    fn serialize_i128(self, value: i128) -> Encoded {
        self.serialize_bytes(&value.to_be_bytes())
    }

    fn serialize_u8(self, value: u8) -> Encoded {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Encoded {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Encoded {
        self.serialize_u64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Encoded {
        encode::write_uint(&mut self.out, value)?;
        Ok(())
    }

    fn serialize_u128(self, value: u128) -> Encoded {
        self.serialize_bytes(&value.to_be_bytes())
    }

    fn serialize_f32(self, value: f32) -> Encoded {
        encode::write_f32(&mut self.out, value)?;
        Ok(())
    }

    fn serialize_f64(self, value: f64) -> Encoded {
        encode::write_f64(&mut self.out, value)?;
        Ok(())
    }

    fn serialize_char(self, value: char) -> Encoded {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Encoded {
        encode::write_str(&mut self.out, value)?;
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Encoded {
        encode::write_bin(&mut self.out, value)?;
        Ok(())
    }

    fn serialize_none(self) -> Encoded {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Encoded {
        self.wrapped(value)
    }

    fn serialize_unit(self) -> Encoded {
        encode::write_nil(&mut self.out).map_err(encode::ValueWriteError::InvalidMarkerWrite)?;
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Encoded {
        self.open_array(0)?;
        self.levels -= 1;
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Encoded {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Encoded {
        if name == rmp_serde::MSGPACK_EXT_STRUCT_NAME {
            let mut extension = rmp_serde::Serializer::new(&mut self.out);
            let written = extension.serialize_newtype_struct(name, value);
            return written.map_err(|error| EncodeError::Failed(error.to_string()));
        }
        self.wrapped(value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Encoded {
        self.open_variant(variant)?;
        value.serialize(&mut *self)?;
        self.levels -= 1;
        Ok(())
    }

    fn serialize_seq(self, items: Option<usize>) -> Result<Entries<'e, 'f>, EncodeError> {
        Entries::list(self, items, false)
    }

    fn serialize_tuple(self, items: usize) -> Result<Fields<'e, 'f>, EncodeError> {
        self.open_array(items)?;
        Ok(Fields::unnamed(self, 1))
    }

    fn serialize_tuple_struct(self, _: &'static str, items: usize) -> Result<Fields<'e, 'f>, EncodeError> {
        self.serialize_tuple(items)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        items: usize,
    ) -> Result<Fields<'e, 'f>, EncodeError> {
        self.open_variant(variant)?;
        self.open_array(items)?;
        Ok(Fields::unnamed(self, 2))
    }

    fn serialize_map(self, entries: Option<usize>) -> Result<Entries<'e, 'f>, EncodeError> {
        Entries::map(self, entries)
    }

    fn serialize_struct(self, name: &'static str, fields: usize) -> Result<Fields<'e, 'f>, EncodeError> {
        self.open_map(fields)?;
        Ok(Fields::named(self, 1, name))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        fields: usize,
    ) -> Result<Fields<'e, 'f>, EncodeError> {
        self.open_variant(variant)?;
        self.open_map(fields)?;
        Ok(Fields::named(self, 2, variant))
    }

    fn collect_seq<I>(self, items: I) -> Encoded
    where
        I: IntoIterator<Item: Serialize>,
    {
        let sorted = self.form == Form::Canonical && is_unordered::<I>();
        let mut items = items.into_iter();
        let length = match items.size_hint() {
            (least, Some(most)) if least == most => Some(least),
            _ => None,
        };
        let mut list = Entries::list(self, length, sorted)?;
        items.try_for_each(|item| list.serialize_element(&item))?;
        SerializeSeq::end(list)
    }
}
