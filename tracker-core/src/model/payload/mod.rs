//! `Payload` is a payload without its type: bytes of MessagePack that serde reads and writes as JSON. Used by `model/codec`, `api/schema` for
//! untyped handles, `api/inspect/update`, `api/live`, `api/schedule` for templates, and `portable`; pure, except that `Payload::of` runs the
//! user's `Serialize` and `Payload::to` the user's `Deserialize`, unguarded.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

mod base64;
mod json;
mod node;
#[cfg(test)]
mod tests;
#[cfg(feature = "json")]
mod wide;

#[cfg(feature = "json")]
pub(crate) use base64::base64_serde;
use base64::{base64, from_base64};
pub(crate) use node::Node;
#[cfg(feature = "json")]
pub(crate) use wide::{too_wide, wide_integer};

use serde::{Serialize, de::DeserializeOwned};

use crate::model::{
    codec::{StoredPayload, with_version},
    error::{Error, ErrorKind, Result},
};

/// A task of any type as it is stored: bytes of MessagePack.
///
/// It is written and read by serde, to JSON for example, in a form that loses nothing. A value that MessagePack has and JSON has
/// not is an object with one key that begins with `$`:
///
/// | form | value |
/// |---|---|
/// | `{"$bytes": "AP8="}` | a byte string, in base64; `u128` and `i128` are 16 of them |
/// | `{"$f32": 0.5}` | a float of 32 bits |
/// | `{"$f64": "NaN"}` | a float that is no number; also `"Infinity"`, `"-Infinity"`, or its bits as `"0x7ff8000000000001"` |
/// | `{"$ext": [7, "AP8="]}` | an extension: its type, its bytes |
/// | `{"$map": [[1, "a"], [2, "b"]]}` | a map with keys that are not text, or come twice, or that would look like one of these forms |
/// | `{"$payload": [2, {"url": "a"}]}` | a payload of version 2, see [`OldPayload`](crate::task::OldPayload) |
/// | `{"$encoded": ["zstd", 1, "KLUv"]}` | a payload that a codec has encoded: its name, the version, the bytes, see [`PayloadCodec`](crate::file::PayloadCodec) |
/// | `{"$msgpack": "…"}` | the whole payload, if it is nested too deep for JSON or is no sound MessagePack |
///
/// ```
/// use tracker_core::untyped::Payload;
///
/// let payload = Payload::of(&std::collections::BTreeMap::from([(1, "one"), (2, "two")]))?;
/// let json = serde_json::to_string(&payload)?;
/// assert_eq!(json, r#"{"$map":[[1,"one"],[2,"two"]]}"#);
/// assert_eq!(serde_json::from_str::<Payload>(&json)?, payload);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Payload(Vec<u8>);

impl Payload {
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Encodes a value in its stored form.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if its serialization fails, or if it is too large or nested too deep.
    pub fn of(value: &impl Serialize) -> Result<Self> {
        crate::model::codec::encode(value).map(Self)
    }

    /// Decodes the value into a type of the caller's.
    ///
    /// # Errors
    /// [`ErrorKind::Unreadable`](crate::ErrorKind::Unreadable) if the payload does not fit the type.
    pub fn to<T: DeserializeOwned>(&self) -> Result<T> {
        let what = || format!("the payload cannot be read as {}", std::any::type_name::<T>());
        let Some(plain) = StoredPayload::plain(&self.0) else {
            let why = self.codec_name().map_or_else(
                || "the bytes before it are damaged".to_owned(),
                |name| format!("it is encoded with {name:?}"),
            );
            return Err(Error::new(ErrorKind::Unreadable, format!("{}: {why}", what())));
        };
        crate::model::codec::read(plain)
            .map_err(|error| Error::caused(ErrorKind::Unreadable, format!("{}: {error}", what()), error))
    }

    /// Returns the version of the type that stored it: 1 or more.
    #[must_use]
    pub fn version(&self) -> u16 {
        StoredPayload::read(&self.0).map_or(1, |stored| stored.version)
    }

    /// Returns the payload as one of this version, 1 or more, whose value stays.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the version is 0, or a codec has encoded the payload.
    pub fn with_version(self, version: u16) -> Result<Self> {
        match StoredPayload::plain(&self.0) {
            Some(plain) if version > 0 => Ok(Self(with_version(plain.to_vec(), version))),
            Some(_) => Err(Error::invalid("a payload has no version 0: give 1 or more")),
            None => Err(Error::invalid("an encoded payload keeps its version")),
        }
    }

    /// Returns the name of the codec that encoded it, if one did: its value is readable only with that codec.
    #[must_use]
    pub fn codec_name(&self) -> Option<&str> {
        StoredPayload::read(&self.0)?.codec
    }

    /// Reads a payload from JSON text, with the forms above. An integer that does not fit 64 bits is refused; a reader of JSON
    /// that deserializes a `Payload` by itself makes a float of it.
    ///
    /// ```
    /// use tracker_core::{ErrorKind, untyped::Payload};
    ///
    /// assert_eq!(Payload::from_json("[1, 2]")?, Payload::of(&[1, 2])?);
    /// let error = Payload::from_json("[18446744073709551616]").unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Invalid);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the text is not one value of JSON, if one of its forms is wrong, or if an integer does not fit
    /// 64 bits.
    #[cfg(feature = "json")]
    pub fn from_json(text: &str) -> Result<Self> {
        if let Some(integer) = wide_integer(text.as_bytes()) {
            return Err(Error::invalid(too_wide(integer)));
        }
        serde_json::from_str(text).map_err(|error| Error::invalid(error.to_string()))
    }

    /// Returns the stored bytes: MessagePack, after a prefix if it has another version than 1 or is encoded. See `docs/format.md`.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Its fields by name, if it is a map.
    pub(crate) fn node(&self) -> Option<Node> {
        Node::of_stored(&self.0)
    }
}

impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Payload({} bytes)", self.0.len())
    }
}
