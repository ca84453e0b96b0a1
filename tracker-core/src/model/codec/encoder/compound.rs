//! Collects the entries of an array or a map while `encoder` writes it, and puts their number in front. Used by `encoder`; pure, except for
//! the user's `Serialize`.

use rmp::encode;
use serde::{
    Serialize,
    ser::{
        SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple, SerializeTupleStruct,
        SerializeTupleVariant,
    },
};

use super::{EncodeError, Encoded, Encoder, Form, length};

/// A tuple or a struct: its length is known, and its order is that of its declaration.
pub(super) struct Fields<'e, 'f> {
    encoder: &'e mut Encoder<'f>,
    /// How many levels it has opened.
    levels: usize,
    /// The set of its field names so far.
    names: u64,
}

impl<'e, 'f> Fields<'e, 'f> {
    pub(super) fn unnamed(encoder: &'e mut Encoder<'f>, levels: usize) -> Self {
        Self { encoder, levels, names: 0 }
    }

    pub(super) fn named(encoder: &'e mut Encoder<'f>, levels: usize, name: &'static str) -> Self {
        let names = encoder.fields.as_ref().map_or(0, |fields| fields.begin(name));
        Self { encoder, levels, names }
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Encoded {
        value.serialize(&mut *self.encoder)
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Encoded {
        if let Some(fields) = &self.encoder.fields {
            self.names = fields.with_name(self.names, name);
        }
        encode::write_str(&mut self.encoder.out, name)?;
        self.item(value)
    }

    fn close(self) {
        self.encoder.levels -= self.levels;
    }

    fn close_named(self) {
        if let Some(fields) = &mut self.encoder.fields {
            fields.end(self.names);
        }
        self.close();
    }
}

/// A sequence or a map.
pub(super) struct Entries<'e, 'f> {
    encoder: &'e mut Encoder<'f>,
    /// Where the first entry begins.
    start: usize,
    /// Whether serde gave the length. If not, it is written in front of the entries when they are complete.
    has_known_length: bool,
    is_map: bool,
    count: usize,
    /// Where each entry begins, if they are sorted at the end.
    begins: Option<Vec<usize>>,
    /// The set of keys so far, if the map is a struct with flattened fields.
    names: Option<u64>,
}

impl<'e, 'f> Entries<'e, 'f> {
    pub(super) fn list(encoder: &'e mut Encoder<'f>, items: Option<usize>, sorted: bool) -> Result<Self, EncodeError> {
        match items {
            Some(items) => encoder.open_array(items)?,
            None => encoder.open()?,
        }
        Ok(Self::new(encoder, items, false, sorted))
    }

    pub(super) fn map(encoder: &'e mut Encoder<'f>, entries: Option<usize>) -> Result<Self, EncodeError> {
        match entries {
            Some(entries) => encoder.open_map(entries)?,
            None => encoder.open()?,
        }
        let sorted = encoder.form == Form::Canonical;
        let mut map = Self::new(encoder, entries, true, sorted);
        // A struct with flattened fields is a map of unknown length to serde; a map as such tells its length.
        if entries.is_none() {
            map.names = map.encoder.fields.as_ref().map(|fields| fields.begin(""));
        }
        Ok(map)
    }

    fn new(encoder: &'e mut Encoder<'f>, length: Option<usize>, is_map: bool, sorted: bool) -> Self {
        let start = encoder.out.len();
        let begins = sorted.then(Vec::new);
        Self { encoder, start, has_known_length: length.is_some(), is_map, count: 0, begins, names: None }
    }

    fn begin(&mut self) {
        self.count += 1;
        if let Some(begins) = &mut self.begins {
            begins.push(self.encoder.out.len());
        }
    }

    fn close(self) -> Encoded {
        let Encoder { out, fields, levels, .. } = self.encoder;
        if let (Some(names), Some(fields)) = (self.names, fields) {
            fields.end_flattened(names);
        }
        if let Some(begins) = &self.begins {
            sort(out, self.start, begins);
        }
        if !self.has_known_length {
            let (mut header, count) = (Vec::with_capacity(5), length(self.count)?);
            if self.is_map {
                encode::write_map_len(&mut header, count)?;
            } else {
                encode::write_array_len(&mut header, count)?;
            }
            out.splice(self.start..self.start, header);
        }
        *levels -= 1;
        Ok(())
    }
}

/// Sorts entries by their bytes. A map's entry begins with its key, and no key's bytes begin with those of another, so
/// that maps are sorted by their keys.
fn sort(out: &mut Vec<u8>, start: usize, begins: &[usize]) {
    let ends = begins.iter().skip(1).copied().chain([out.len()]);
    let mut entries: Vec<&[u8]> = begins.iter().zip(ends).filter_map(|(begin, end)| out.get(*begin..end)).collect();
    entries.sort_unstable();
    let sorted = entries.concat();
    out.truncate(start);
    out.extend_from_slice(&sorted);
}

impl SerializeSeq for Entries<'_, '_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Encoded {
        self.begin();
        value.serialize(&mut *self.encoder)
    }

    fn end(self) -> Encoded {
        self.close()
    }
}

impl SerializeMap for Entries<'_, '_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Encoded {
        self.begin();
        let begin = self.encoder.out.len();
        key.serialize(&mut *self.encoder)?;
        if let (Some(names), Some(fields)) = (self.names, &self.encoder.fields) {
            let key = self.encoder.out.get(begin..).unwrap_or_default();
            self.names = Some(fields.with_key(names, key));
        }
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Encoded {
        value.serialize(&mut *self.encoder)
    }

    fn end(self) -> Encoded {
        self.close()
    }
}

impl SerializeTuple for Fields<'_, '_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Encoded {
        self.item(value)
    }

    fn end(self) -> Encoded {
        self.close();
        Ok(())
    }
}

impl SerializeTupleStruct for Fields<'_, '_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Encoded {
        self.item(value)
    }

    fn end(self) -> Encoded {
        self.close();
        Ok(())
    }
}

impl SerializeTupleVariant for Fields<'_, '_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Encoded {
        self.item(value)
    }

    fn end(self) -> Encoded {
        self.close();
        Ok(())
    }
}

impl SerializeStruct for Fields<'_, '_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Encoded {
        self.field(name, value)
    }

    fn end(self) -> Encoded {
        self.close_named();
        Ok(())
    }
}

impl SerializeStructVariant for Fields<'_, '_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Encoded {
        self.field(name, value)
    }

    fn end(self) -> Encoded {
        self.close_named();
        Ok(())
    }
}
