//! `StoredPayload` splits stored payload bytes into the version of their type, the name of their codec, and the payload itself. Used by
//! `model/codec` and `model/payload`; pure.

/// A payload as it is stored. Without a prefix the bytes are plain MessagePack of version 1. The prefix is a byte that no MessagePack begins
/// with, the version (`u16`, big-endian), the length of the codec's name, and the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StoredPayload<'p> {
    /// The version of the type that wrote it, from 1.
    pub version: u16,
    /// The name of the codec that encoded `bytes`, if one did.
    pub codec: Option<&'p str>,
    /// MessagePack, or what the codec made of it.
    pub bytes: &'p [u8],
}

/// The byte that MessagePack never uses.
const PREFIX: u8 = 0xc1;

impl<'p> StoredPayload<'p> {
    /// The parts of stored bytes. `None` if the prefix is damaged.
    pub(crate) fn read(stored: &'p [u8]) -> Option<Self> {
        let Some(rest) = stored.strip_prefix(&[PREFIX]) else {
            return Some(Self { version: 1, codec: None, bytes: stored });
        };
        let (version, rest) = rest.split_first_chunk()?;
        let (length, rest) = rest.split_first()?;
        let (name, bytes) = rest.split_at_checked(usize::from(*length))?;
        let version = u16::from_be_bytes(*version);
        let codec = std::str::from_utf8(name).ok()?;
        (version > 0).then_some(Self { version, codec: (!codec.is_empty()).then_some(codec), bytes })
    }

    /// The MessagePack of stored bytes. `None` if a codec has encoded it, or the prefix is damaged.
    pub(crate) fn plain(stored: &'p [u8]) -> Option<&'p [u8]> {
        Self::read(stored).filter(|stored| stored.codec.is_none()).map(|stored| stored.bytes)
    }
}

/// Stored bytes of a payload that no codec encodes.
pub(crate) fn with_version(payload: Vec<u8>, version: u16) -> Vec<u8> {
    with_prefix(payload, version, "")
}

/// Stored bytes of a payload that the codec of this name has encoded; of a plain one if the name is empty. A plain payload of version 1 has
/// no prefix.
pub(crate) fn with_prefix(mut bytes: Vec<u8>, version: u16, codec: &str) -> Vec<u8> {
    if version == 1 && codec.is_empty() {
        return bytes;
    }
    let [high, low] = version.to_be_bytes();
    // A codec's name has at most 64 bytes if it was given, and 255 if it was read.
    let length = u8::try_from(codec.len()).unwrap_or(u8::MAX);
    let prefix = [PREFIX, high, low, length].into_iter().chain(codec.bytes().take(usize::from(length)));
    bytes.splice(0..0, prefix);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_is_read_back_and_version_1_costs_no_byte() {
        assert_eq!(with_version(vec![1, 2], 1), [1, 2]);
        for version in [1, 2, 255, 256, u16::MAX] {
            let stored = with_version(vec![0x81, 2], version);
            let read = StoredPayload { version, codec: None, bytes: &[0x81, 2] };
            assert_eq!(StoredPayload::read(&stored), Some(read));
            assert_eq!(StoredPayload::plain(&stored), Some(&[0x81, 2][..]));
        }
    }

    #[test]
    fn name_of_a_codec_is_read_and_its_bytes_are_not_plain() {
        let stored = with_prefix(vec![9, 8], 3, "xz");
        assert_eq!(stored, [PREFIX, 0, 3, 2, b'x', b'z', 9, 8]);
        let read = StoredPayload { version: 3, codec: Some("xz"), bytes: &[9, 8] };
        assert_eq!((StoredPayload::read(&stored), StoredPayload::plain(&stored)), (Some(read), None));
    }

    #[test]
    fn damaged_prefix_is_no_payload() {
        for stored in
            [&[PREFIX][..], &[PREFIX, 0, 1], &[PREFIX, 0, 0, 0, 1], &[PREFIX, 0, 1, 2, b'x'], &[PREFIX, 0, 1, 1, 0xff]]
        {
            assert_eq!((StoredPayload::read(stored), StoredPayload::plain(stored)), (None, None), "{stored:?}");
        }
    }
}
