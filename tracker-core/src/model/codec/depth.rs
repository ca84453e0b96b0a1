//! Decides whether a payload is nested less deep than the limit (`is_shallow`). Called by `model/codec` before it decodes; `encoder` uses
//! the limit. Pure.

use rmp::Marker;

/// The most levels of arrays and maps in each other that a payload may have: as many as `serde_json` reads.
pub(crate) const LEVELS: usize = 128;

/// Whether arrays and maps are at most [`LEVELS`] deep in each other. Bytes that are not valid MessagePack
/// count as shallow: the decoder reports them.
///
/// It does not recurse, because the bytes may come from a hostile file.
pub(crate) fn is_shallow(bytes: &[u8]) -> bool {
    // Each level takes at least one byte.
    bytes.len() <= LEVELS || Scan { rest: bytes }.is_shallow() != Some(false)
}

/// The part of a value that was read.
enum Value {
    /// All of it.
    Complete,
    /// The header of an array or a map, and the number of its values.
    Open(u64),
}

struct Scan<'b> {
    rest: &'b [u8],
}

impl Scan<'_> {
    /// `None` if the bytes end within the value.
    fn is_shallow(&mut self) -> Option<bool> {
        // How many values each open array or map still lacks.
        let (mut missing, mut levels) = ([0_u64; LEVELS], 0_usize);
        loop {
            if let Value::Open(values) = self.value()? {
                let Some(slot) = missing.get_mut(levels) else { return Some(false) };
                *slot = values;
                levels += 1;
            }
            while let Some(open) = levels.checked_sub(1) {
                let slot = missing.get_mut(open)?;
                if *slot > 0 {
                    *slot -= 1;
                    break;
                }
                levels = open;
            }
            if levels == 0 {
                return Some(true);
            }
        }
    }

    /// Skips a value. Of an array or a map, skips only the beginning and returns the number of its values.
    fn value(&mut self) -> Option<Value> {
        let [marker] = self.take()?;
        let skip = match Marker::from_u8(marker) {
            Marker::FixArray(items) => return Some(Value::Open(items.into())),
            Marker::Array16 => return self.take().map(|items| Value::Open(u16::from_be_bytes(items).into())),
            Marker::Array32 => return self.take().map(|items| Value::Open(u32::from_be_bytes(items).into())),
            Marker::FixMap(entries) => return Some(Value::Open(2 * u64::from(entries))),
            Marker::Map16 => return self.take().map(|entries| Value::Open(2 * u64::from(u16::from_be_bytes(entries)))),
            Marker::Map32 => return self.take().map(|entries| Value::Open(2 * u64::from(u32::from_be_bytes(entries)))),
            Marker::FixPos(_) | Marker::FixNeg(_) | Marker::Null | Marker::True | Marker::False | Marker::Reserved => 0,
            Marker::U8 | Marker::I8 => 1,
            Marker::U16 | Marker::I16 | Marker::FixExt1 => 2,
            Marker::FixExt2 => 3,
            Marker::U32 | Marker::I32 | Marker::F32 => 4,
            Marker::FixExt4 => 5,
            Marker::U64 | Marker::I64 | Marker::F64 => 8,
            Marker::FixExt8 => 9,
            Marker::FixExt16 => 17,
            Marker::FixStr(length) => length.into(),
            Marker::Str8 | Marker::Bin8 => self.take().map(|length| u8::from_be_bytes(length).into())?,
            Marker::Str16 | Marker::Bin16 => self.take().map(|length| u16::from_be_bytes(length).into())?,
            Marker::Str32 | Marker::Bin32 => self.long(0)?,
            Marker::Ext8 => self.take().map(|length| usize::from(u8::from_be_bytes(length)) + 1)?,
            Marker::Ext16 => self.take().map(|length| usize::from(u16::from_be_bytes(length)) + 1)?,
            Marker::Ext32 => self.long(1)?,
        };
        self.rest = self.rest.get(skip..)?;
        Some(Value::Complete)
    }

    fn long(&mut self, more: usize) -> Option<usize> {
        usize::try_from(u32::from_be_bytes(self.take()?)).ok()?.checked_add(more)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrays(levels: usize, inside: &[u8]) -> Vec<u8> {
        [&vec![0x91; levels], inside].concat()
    }

    #[test]
    fn nesting_up_to_the_limit_is_shallow() {
        assert!(is_shallow(&arrays(LEVELS, &[0xc0])));
        assert!(!is_shallow(&arrays(LEVELS + 1, &[0xc0])));
        assert!(is_shallow(&arrays(LEVELS - 1, &[0x90])));
        assert!(!is_shallow(&arrays(LEVELS, &[0x80])));
        assert!(!is_shallow(&arrays(1 << 20, &[])));
    }

    #[test]
    fn siblings_do_not_add_up() {
        let mut bytes = vec![0xdc, 0x01, 0x00];
        for _ in 0..256 {
            bytes.extend(arrays(LEVELS - 1, &[0xc0]));
        }
        assert!(is_shallow(&bytes));
        let at = bytes.len() - 1;
        bytes[at] = 0x81;
        bytes.extend([0x01, 0x02]);
        assert!(!is_shallow(&bytes), "a map in the last of them");
    }

    #[test]
    fn every_kind_of_value_is_skipped_by_its_length() {
        for value in [
            &[0x7f][..],
            &[0xff],
            &[0xc2],
            &[0xcc, 0x91],
            &[0xcd, 0x91, 0x91],
            &[0xce, 0x91, 0x91, 0x91, 0x91],
            &[&[0xcf][..], &[0x91; 8]].concat(),
            &[&[0xca][..], &[0x91; 4]].concat(),
            &[&[0xcb][..], &[0x91; 8]].concat(),
            &[0xa2, 0x91, 0x91],
            &[&[0xd9, 200][..], &[0x91; 200]].concat(),
            &[&[0xda, 1, 0][..], &[0x91; 256]].concat(),
            &[&[0xdb, 0, 0, 1, 0][..], &[0x91; 256]].concat(),
            &[&[0xc4, 200][..], &[0x91; 200]].concat(),
            &[&[0xc5, 1, 0][..], &[0x91; 256]].concat(),
            &[&[0xc6, 0, 0, 1, 0][..], &[0x91; 256]].concat(),
            &[&[0xd4][..], &[0x91; 2]].concat(),
            &[&[0xd5][..], &[0x91; 3]].concat(),
            &[&[0xd6][..], &[0x91; 5]].concat(),
            &[&[0xd7][..], &[0x91; 9]].concat(),
            &[&[0xd8][..], &[0x91; 17]].concat(),
            &[&[0xc7, 200][..], &[0x91; 201]].concat(),
            &[&[0xc8, 1, 0][..], &[0x91; 257]].concat(),
            &[&[0xc9, 0, 0, 1, 0][..], &[0x91; 257]].concat(),
        ] {
            let pair = |second: &[u8]| [&[0x92][..], value, second].concat();
            let deep = pair(&arrays(LEVELS, &[0xc0]));
            assert!(!is_shallow(&deep), "{:02x}", value[0]);
            let fits = pair(&arrays(LEVELS - 1, &[0xc0]));
            assert!(is_shallow(&fits), "{:02x}", value[0]);
            assert_eq!(Scan { rest: &fits }.is_shallow(), Some(true), "{:02x}", value[0]);
        }
    }
}
