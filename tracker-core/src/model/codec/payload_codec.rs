//! `PayloadCodec` is the user's encoding of payloads, and `PayloadCodecs` holds those of an open tracker. Set in `api/options`, kept by
//! `Engine`, and run by `model/codec`, to which `api` passes them. Runs user code, whose panics it contains.

use std::{borrow::Cow, error::Error as StdError, fmt, sync::Arc};

use super::{
    migration::ReadError,
    stored::{StoredPayload, with_prefix},
};
use crate::model::{
    bounds::check_payload,
    error::{Error, ErrorKind, Result},
    panics::catch_panic,
};

/// Encodes payloads before they are stored, and decodes them when they are read: encryption, compression. Given to
/// [`Options::payload_codec`](crate::Options::payload_codec).
///
/// Ids, index values, unique keys, statuses, errors, notes and progress stay readable. Each stored payload carries the name of its codec, so
/// that a program without it reports the name and leaves the payload alone.
///
/// Its methods are called on the threads of callers and workers, several at a time, with no write transaction open, except in
/// [`Tracker::transaction`](crate::Tracker::transaction) and when a type opens its kind, which decodes some payloads. An error or a panic fails the
/// call or the attempt with its text.
pub trait PayloadCodec: Send + Sync + 'static {
    /// Returns the name that is stored with each payload: 1 to 64 bytes, always the same. A changed form or key needs another name.
    fn name(&self) -> &str;

    /// Encodes the bytes of a payload. The result may differ from call to call, for example by a random nonce.
    ///
    /// # Errors
    /// The payload is not stored, and the call or attempt fails with this text.
    fn encode(&self, payload: &[u8]) -> Result<Vec<u8>, Box<dyn StdError + Send + Sync>>;

    /// Returns the bytes that [`encode`](Self::encode) was given.
    ///
    /// # Errors
    /// The task cannot be read ([`ErrorKind::Unreadable`]) and stays as it is.
    fn decode(&self, encoded: &[u8]) -> Result<Vec<u8>, Box<dyn StdError + Send + Sync>>;
}

/// The longest name of a codec.
const NAME: usize = 64;

/// The codecs of an open tracker. The last one encodes; each decodes the payloads that carry its name.
#[derive(Clone, Default)]
pub struct PayloadCodecs(Vec<NamedCodec>);

#[derive(Clone)]
struct NamedCodec {
    name: Arc<str>,
    codec: Arc<dyn PayloadCodec>,
}

impl PayloadCodecs {
    /// The codecs under their names. Refuses a name that is empty or too long, and two codecs with one name.
    pub(crate) fn of(codecs: Vec<Arc<dyn PayloadCodec>>) -> Result<Self> {
        let mut named: Vec<NamedCodec> = Vec::with_capacity(codecs.len());
        for codec in codecs {
            let name = catch_panic(|| Arc::from(codec.name()))
                .map_err(|panic| Error::invalid(format!("PayloadCodec::name panicked: {panic}")))?;
            let name: Arc<str> = name;
            if name.is_empty() || name.len() > NAME {
                return Err(Error::invalid(format!(
                    "the name of a payload codec has 1 to {NAME} bytes, not {}",
                    name.len()
                )));
            }
            if named.iter().any(|other| other.name == name) {
                return Err(Error::invalid(format!("two payload codecs have the name {name:?}: give each its own")));
            }
            named.push(NamedCodec { name, codec });
        }
        Ok(Self(named))
    }

    /// Encodes a payload that has at most a version before it.
    pub(crate) fn seal(&self, payload: Vec<u8>) -> Result<Vec<u8>> {
        let Some(NamedCodec { name, codec }) = self.0.last() else { return Ok(payload) };
        let Some(StoredPayload { version, bytes, .. }) = StoredPayload::read(&payload) else { return Ok(payload) };
        let failed = |text: String| {
            Error::new(ErrorKind::Invalid, format!("the task cannot be stored, its encoding with {name:?} {text}"))
        };
        let encoded = catch_panic(|| codec.encode(bytes).map_err(|error| error.to_string()))
            .map_err(|panic| failed(format!("panicked: {panic}")))?
            .map_err(|text| failed(format!("failed: {text}")))?;
        let sealed = with_prefix(encoded, version, name);
        check_payload(&sealed)?;
        Ok(sealed)
    }

    /// Decodes stored bytes, down to those that have at most a version before them.
    pub(super) fn open<'p>(&self, stored: &'p [u8]) -> Result<Cow<'p, [u8]>, ReadError> {
        let StoredPayload { version, codec, bytes } = StoredPayload::read(stored).ok_or(ReadError::Prefix)?;
        let Some(name) = codec else { return Ok(Cow::Borrowed(stored)) };
        let Some(NamedCodec { codec, .. }) = self.0.iter().find(|codec| *codec.name == *name) else {
            return Err(ReadError::Encoded(name.to_owned()));
        };
        let failed = |text: String| ReadError::Codec { name: name.to_owned(), text };
        let plain = catch_panic(|| codec.decode(bytes).map_err(|error| error.to_string()))
            .map_err(|panic| failed(format!("panicked: {panic}")))?
            .map_err(|text| failed(format!("failed: {text}")))?;
        check_payload(&plain).map_err(|error| failed(format!("failed: {error}")))?;
        Ok(Cow::Owned(with_prefix(plain, version, "")))
    }

    /// Whether stored bytes have the form in which a payload would be stored now.
    pub(super) fn is_current(&self, stored: &[u8]) -> bool {
        let name = self.0.last().map(|codec| &*codec.name);
        StoredPayload::read(stored).is_some_and(|stored| stored.codec == name)
    }
}

impl fmt::Debug for PayloadCodecs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|codec| &codec.name)).finish()
    }
}
