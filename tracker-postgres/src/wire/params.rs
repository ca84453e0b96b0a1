//! `Params`: the parameters of a statement in the binary form of the server. Made by every module that runs a statement; pure.

use uuid::Uuid;

/// Numbers of types, as the server's catalog has them.
pub(crate) mod oid {
    pub(crate) const BYTEA: u32 = 17;
    pub(crate) const INT8: u32 = 20;
    pub(crate) const INT2: u32 = 21;
    pub(crate) const INT4: u32 = 23;
    pub(crate) const TEXT: u32 = 25;
    pub(crate) const INT2S: u32 = 1005;
    pub(crate) const INT4S: u32 = 1007;
    pub(crate) const TEXTS: u32 = 1009;
    pub(crate) const BYTEAS: u32 = 1001;
    pub(crate) const INT8S: u32 = 1016;
    pub(crate) const TIMESTAMPTZ: u32 = 1184;
    pub(crate) const TIMESTAMPTZS: u32 = 1185;
    pub(crate) const UUID: u32 = 2950;

    /// The type of the elements of an array type.
    pub(crate) fn of_element(array: u32) -> u32 {
        match array {
            INT2S => INT2,
            INT4S => INT4,
            INT8S => INT8,
            TEXTS => TEXT,
            TIMESTAMPTZS => TIMESTAMPTZ,
            _ => BYTEA,
        }
    }
}

/// Parameters of one statement, in its order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Params {
    pub(super) bytes: Vec<u8>,
    pub(super) count: usize,
    /// Whether lists are not arrays: each of their values is a parameter.
    lists_values: bool,
}

/// A value with a binary form of its own.
pub(crate) trait Value {
    const OID: u32;

    fn append(&self, out: &mut Vec<u8>);
}

macro_rules! integers {
    ($($integer:ty = $oid:ident,)*) => {
        $(impl Value for $integer {
            const OID: u32 = oid::$oid;

            fn append(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }
        })*
    };
}

integers! { i16 = INT2, i32 = INT4, i64 = INT8, }

impl Value for &[u8] {
    const OID: u32 = oid::BYTEA;

    fn append(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}

impl Value for &str {
    const OID: u32 = oid::TEXT;

    fn append(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }
}

impl Value for Uuid {
    const OID: u32 = oid::UUID;

    fn append(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }
}

/// A `timestamptz`: microseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timestamp(pub i64);

impl Timestamp {
    /// The year 2000, from which the server counts.
    const EPOCH: i64 = 946_684_800_000_000;
    /// The first time of the server, as it counts.
    const FIRST: i64 = -211_813_488_000_000_000;
    /// Times from here on are infinity, as in the function `time_of` of the schema.
    const INFINITY: i64 = 9_000_000_000_000_000_000;
}

impl Value for Timestamp {
    const OID: u32 = oid::TIMESTAMPTZ;

    fn append(&self, out: &mut Vec<u8>) {
        let time = match self.0.saturating_sub(Self::EPOCH) {
            _ if self.0 >= Self::INFINITY => i64::MAX,
            time if time < Self::FIRST => i64::MIN,
            time => time,
        };
        time.append(out);
    }
}

/// Appends a value after its length.
fn append(out: &mut Vec<u8>, value: Option<impl FnOnce(&mut Vec<u8>)>) {
    let Some(write) = value else { return out.extend_from_slice(&(-1_i32).to_be_bytes()) };
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out);
    let length = u32::try_from(out.len() - start - 4).unwrap_or(u32::MAX);
    if let Some(field) = out.get_mut(start..start + 4) {
        field.copy_from_slice(&length.to_be_bytes());
    }
}

impl Params {
    /// Parameters in which each value of a list is a parameter of its own.
    pub(crate) fn of_single_values() -> Self {
        Self { lists_values: true, ..Self::default() }
    }

    #[expect(clippy::needless_pass_by_value, reason = "values are numbers and references")]
    pub(crate) fn value<V: Value>(mut self, value: V) -> Self {
        append(&mut self.bytes, Some(|out: &mut Vec<u8>| value.append(out)));
        self.count += 1;
        self
    }

    /// The values, each without its length; `None` for NULL.
    pub(crate) fn values(&self) -> Vec<Option<&[u8]>> {
        let (mut rest, mut values) = (self.bytes.as_slice(), Vec::with_capacity(self.count));
        while let Some((length, behind)) = rest.split_first_chunk() {
            let value = usize::try_from(i32::from_be_bytes(*length)).ok();
            let (value, behind) = value.map_or((None, Some(behind)), |length| {
                behind.split_at_checked(length).map_or((None, None), |(value, behind)| (Some(value), Some(behind)))
            });
            values.push(value);
            rest = behind.unwrap_or_default();
        }
        values
    }

    /// The last parameter if it is an `int8`.
    pub(crate) fn last_int8(&self) -> u64 {
        self.bytes.last_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
    }

    /// An array, or a column of rows.
    pub(crate) fn list<V: Value>(self, values: impl IntoIterator<Item = V>) -> Self {
        self.optional_list(values.into_iter().map(Some))
    }

    /// [`Self::list`], in which values may be missing.
    pub(crate) fn optional_list<V: Value>(mut self, values: impl IntoIterator<Item = Option<V>>) -> Self {
        if self.lists_values {
            for value in values {
                append(&mut self.bytes, value.map(|value| move |out: &mut Vec<u8>| value.append(out)));
                self.count += 1;
            }
            return self;
        }
        let write = |out: &mut Vec<u8>| {
            let start = out.len();
            // One dimension, with missing values, of a type, of a length, from 1.
            for field in [1, 1, V::OID, 0, 1] {
                out.extend_from_slice(&field.to_be_bytes());
            }
            let mut length = 0_u32;
            for value in values {
                append(out, value.map(|value| move |out: &mut Vec<u8>| value.append(out)));
                length += 1;
            }
            if let Some(field) = out.get_mut(start + 12..start + 16) {
                field.copy_from_slice(&length.to_be_bytes());
            }
        };
        append(&mut self.bytes, Some(write));
        self.count += 1;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_behind_their_length() {
        let params = Params::default().value(1_i16).value(&b"ab"[..]);
        assert_eq!((params.count, params.bytes.as_slice()), (2, &b"\0\0\0\x02\0\x01\0\0\0\x02ab"[..]));
    }

    #[test]
    fn values_are_split_at_their_lengths() {
        let mut params = Params::default().value(1_i16).value(&b""[..]).value("ab");
        append(&mut params.bytes, None::<fn(&mut Vec<u8>)>);
        let expected = [Some(&[0, 1][..]), Some(&[][..]), Some(&b"ab"[..]), None];
        assert_eq!(params.values(), expected);
    }

    #[test]
    fn lists_of_few_rows_are_single_parameters() {
        let params = Params::of_single_values().list([1_i16, 2]).optional_list([Some(&b"a"[..]), None]).value(3_i16);
        let expected = [Some(&[0, 1][..]), Some(&[0, 2][..]), Some(&b"a"[..]), None, Some(&[0, 3][..])];
        assert_eq!((params.count, params.values()), (5, expected.to_vec()));
    }

    #[test]
    fn times_outside_of_the_server_are_infinite() {
        let bytes = |micros| Params::default().value(Timestamp(micros)).last_int8().cast_signed();
        assert_eq!([0, 946_684_800_000_001].map(bytes), [-946_684_800_000_000, 1]);
        assert_eq!([i64::MIN, i64::MAX].map(bytes), [i64::MIN, i64::MAX]);
        assert_eq!(bytes(Timestamp::INFINITY - 1), Timestamp::INFINITY - 1 - Timestamp::EPOCH);
        let first = Timestamp::FIRST + Timestamp::EPOCH;
        assert_eq!([first - 1, first].map(bytes), [i64::MIN, Timestamp::FIRST]);
    }

    #[test]
    fn array_names_its_type_and_length() {
        let params = Params::default().optional_list([Some(&b"a"[..]), None]);
        let expected = b"\0\0\0\x1d\0\0\0\x01\0\0\0\x01\0\0\0\x11\0\0\0\x02\0\0\0\x01\0\0\0\x01a\xff\xff\xff\xff";
        assert_eq!(params.bytes, expected);
    }
}
