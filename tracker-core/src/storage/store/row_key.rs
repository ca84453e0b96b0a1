//! `RowKey`: the bytes of a key. Used by stores and by `WorkingSet` for each row that is loaded or changed, and by `storage/read/expected_rows`
//! for ranges; pure.

use std::{borrow::Borrow, cmp::Ordering, fmt, hash, ops::Deref};

/// Number of bytes that need no allocation: those of a place in the order of claims, the longest key of a fixed length, fit.
const SHORT: usize = 38;

/// The bytes of a key. Short ones are stored in place.
///
/// ```
/// use tracker_core::store::RowKey;
///
/// let key = RowKey::from(&b"key"[..]);
/// assert_eq!(&*key, b"key");
/// assert!(key < RowKey::from(vec![0xff; 100]));
/// ```
#[derive(Clone)]
pub struct RowKey(Bytes);

#[derive(Clone)]
enum Bytes {
    Short { length: u8, bytes: [u8; SHORT] },
    Long(Box<[u8]>),
}

impl RowKey {
    /// The first key after this one.
    pub(crate) fn after(&self) -> Self {
        match &self.0 {
            Bytes::Short { length, bytes } if usize::from(*length) < SHORT => {
                // The bytes behind the end are zero.
                Self(Bytes::Short { length: length + 1, bytes: *bytes })
            }
            _ => Self(Bytes::Long([self, &[0][..]].concat().into())),
        }
    }
}

impl From<&[u8]> for RowKey {
    fn from(key: &[u8]) -> Self {
        let mut bytes = [0; SHORT];
        match (bytes.get_mut(..key.len()), u8::try_from(key.len())) {
            (Some(start), Ok(length)) => {
                start.copy_from_slice(key);
                Self(Bytes::Short { length, bytes })
            }
            _ => Self(Bytes::Long(key.into())),
        }
    }
}

impl From<Vec<u8>> for RowKey {
    fn from(key: Vec<u8>) -> Self {
        if key.len() > SHORT { Self(Bytes::Long(key.into())) } else { Self::from(key.as_slice()) }
    }
}

impl Deref for RowKey {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Bytes::Short { length, bytes } => bytes.get(..usize::from(*length)).unwrap_or(bytes),
            Bytes::Long(bytes) => bytes,
        }
    }
}

impl Borrow<[u8]> for RowKey {
    fn borrow(&self) -> &[u8] {
        self
    }
}

impl Ord for RowKey {
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl PartialOrd for RowKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for RowKey {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for RowKey {}

impl hash::Hash for RowKey {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl fmt::Debug for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_any_length_keep_their_bytes_and_order() {
        let bytes: Vec<u8> = (1..=255).collect();
        let mut slices: Vec<&[u8]> = (0..=2 * SHORT).map(|length| &bytes[..length]).collect();
        slices.extend([&[0][..], &[255; SHORT], &[255; SHORT + 1]]);
        for one in &slices {
            let key = RowKey::from(*one);
            assert_eq!((&*key, &key), (*one, &RowKey::from(one.to_vec())));
            assert_eq!(&*key.after(), [*one, &[0]].concat());
            for other in &slices {
                assert_eq!(key.cmp(&RowKey::from(*other)), one.cmp(other), "{one:?} and {other:?}");
            }
        }
    }
}
