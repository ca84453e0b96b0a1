//! `StoreKey` converts a key of redb into bytes that sort as the keys do, and back. Called by `StoredTable`, `RowRange`, `storage/tables`,
//! `storage/raw_rows` and `storage/write/bulk`; pure.

use redb::{Key, Value};

use super::RowKey;

/// A type of keys that a store can hold.
pub(crate) trait StoreKey: Key + 'static {
    /// The bytes of a key, in the order of `memcmp`.
    fn to_store(key: &Self::SelfType<'_>) -> RowKey;

    /// The bytes of a key as redb has them. `None` if the bytes have another length, or are no text.
    fn to_redb(bytes: &[u8]) -> Option<RowKey>;
}

impl<const N: usize> StoreKey for &'static [u8; N] {
    fn to_store(key: &Self::SelfType<'_>) -> RowKey {
        RowKey::from(&key[..])
    }

    fn to_redb(bytes: &[u8]) -> Option<RowKey> {
        (bytes.len() == N).then(|| bytes.into())
    }
}

impl StoreKey for &'static [u8] {
    fn to_store(key: &Self::SelfType<'_>) -> RowKey {
        RowKey::from(&key[..])
    }

    fn to_redb(bytes: &[u8]) -> Option<RowKey> {
        Some(bytes.into())
    }
}

impl StoreKey for &'static str {
    fn to_store(key: &Self::SelfType<'_>) -> RowKey {
        key.as_bytes().into()
    }

    fn to_redb(bytes: &[u8]) -> Option<RowKey> {
        std::str::from_utf8(bytes).ok().map(|text| text.as_bytes().into())
    }
}

impl StoreKey for u32 {
    fn to_store(key: &Self::SelfType<'_>) -> RowKey {
        RowKey::from(&key.to_be_bytes()[..])
    }

    fn to_redb(bytes: &[u8]) -> Option<RowKey> {
        bytes.try_into().ok().map(|bytes| RowKey::from(&Self::from_be_bytes(bytes).to_le_bytes()[..]))
    }
}

impl StoreKey for u64 {
    fn to_store(key: &Self::SelfType<'_>) -> RowKey {
        RowKey::from(&key.to_be_bytes()[..])
    }

    fn to_redb(bytes: &[u8]) -> Option<RowKey> {
        bytes.try_into().ok().map(|bytes| RowKey::from(&Self::from_be_bytes(bytes).to_le_bytes()[..]))
    }
}

impl StoreKey for (u32, u16) {
    fn to_store((first, second): &Self::SelfType<'_>) -> RowKey {
        [&first.to_be_bytes()[..], &second.to_be_bytes()].concat().into()
    }

    fn to_redb(bytes: &[u8]) -> Option<RowKey> {
        let (first, second) = bytes.split_first_chunk()?;
        let key = (u32::from_be_bytes(*first), u16::from_be_bytes(second.try_into().ok()?));
        Some(<Self as Value>::as_bytes(&key).into())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::fmt::Debug;

    use super::*;

    /// Checks that the keys keep their order and return from the store as they were.
    fn check<'k, K: StoreKey>(sorted: &[K::SelfType<'k>])
    where
        K::SelfType<'k>: Debug,
    {
        let stored: Vec<_> = sorted.iter().map(|key| K::to_store(key)).collect();
        assert!(stored.is_sorted(), "{sorted:?}");
        for (key, bytes) in sorted.iter().zip(&stored) {
            assert_eq!(&*K::to_redb(bytes).unwrap(), K::as_bytes(key).as_ref(), "{key:?}");
        }
    }

    #[test]
    fn store_keys_sort_as_keys_and_return() {
        check::<&[u8; 3]>(&[&[0, 0, 1], &[0, 255, 0], &[1, 0, 0]]);
        check::<&[u8]>(&[&[], &[0], &[0, 1], &[1]]);
        check::<&str>(&["", "a", "aa", "b", "ä"]);
        check::<u32>(&[0, 1, 255, 256, 65_536, u32::MAX]);
        check::<u64>(&[0, 1, 255, 256, u64::MAX]);
        check::<(u32, u16)>(&[(0, 0), (0, 256), (1, 1), (256, 0), (u32::MAX, u16::MAX)]);
    }

    #[test]
    fn bytes_of_another_length_are_no_key() {
        assert_eq!(<&[u8; 3]>::to_redb(&[1, 2]), None);
        assert_eq!(u32::to_redb(&[1, 2, 3]), None);
        assert_eq!(u64::to_redb(&[0; 9]), None);
        assert_eq!(<(u32, u16)>::to_redb(&[0; 7]), None);
        assert_eq!(<&str>::to_redb(&[0xff]), None);
    }
}
