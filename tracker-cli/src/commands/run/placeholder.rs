//! `Placeholder`: the placeholders of GNU parallel that commands may have, their values, and the names of those that are refused. Called by
//! `template` and `script`; pure.

use std::{
    borrow::Cow,
    ffi::{OsStr, OsString},
    mem,
    os::unix::ffi::{OsStrExt, OsStringExt},
    slice,
};

use super::byte_text::ByteText;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placeholder {
    Value(Position, Part),
    Number,
    Slot,
}

/// Which values of a line a placeholder stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    All,
    /// From 1.
    First(usize),
    /// From 1 at the last value.
    Last(usize),
}

/// The part of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Whole,
    WithoutExtension,
    Name,
    Folder,
    NameWithoutExtension,
}

const PARTS: [(&[u8], Part); 5] = [
    (b"", Part::Whole),
    (b".", Part::WithoutExtension),
    (b"/", Part::Name),
    (b"//", Part::Folder),
    (b"/.", Part::NameWithoutExtension),
];

/// Placeholders of GNU parallel that are not supported.
const UNSUPPORTED: [&[u8]; 10] =
    [b"{+}", b"{+/}", b"{+.}", b"{+..}", b"{+...}", b"{..}", b"{...}", b"{/..}", b"{/...}", b"{##}"];

/// The longest name of a placeholder between its braces, in bytes.
const NAME_MAX: usize = 10;

/// The values of the placeholders.
#[derive(Clone, Copy, Debug)]
pub struct PlaceholderValues<'a> {
    /// The values of the placeholders without a position.
    all: &'a [ByteText],
    /// The values of the placeholders with a position.
    values: &'a [ByteText],
    number: u64,
    slot: usize,
}

impl Placeholder {
    /// Returns whether the value is a number and not text of the line.
    pub fn is_number(self) -> bool {
        matches!(self, Self::Number | Self::Slot)
    }

    /// Returns the position, from the first or from the last value.
    pub fn position(self) -> Option<usize> {
        match self {
            Self::Value(Position::First(at) | Position::Last(at), _) => Some(at),
            _ => None,
        }
    }

    pub fn is_all(self) -> bool {
        matches!(self, Self::Value(Position::All, _))
    }
}

impl<'a> PlaceholderValues<'a> {
    /// The values of a line, its number, and the slot from 1. Commands that run at the same time have different slots.
    pub fn new(values: &'a [ByteText], number: u64, slot: usize) -> Self {
        Self { all: values, values, number, slot }
    }

    /// Returns one for each value, which placeholders without a position stand for.
    pub fn each(self) -> impl Iterator<Item = Self> {
        self.all.iter().map(move |value| Self { all: slice::from_ref(value), ..self })
    }

    /// Returns the values of a placeholder: of all lines of the command, or one. A missing one is empty.
    pub fn get(self, placeholder: Placeholder) -> Vec<Cow<'a, [u8]>> {
        match placeholder {
            Placeholder::Number => vec![self.number.to_string().into_bytes().into()],
            Placeholder::Slot => vec![self.slot.to_string().into_bytes().into()],
            Placeholder::Value(Position::All, part) => self.all.iter().map(|value| part.of(&value.0).into()).collect(),
            Placeholder::Value(Position::First(at), part) => vec![part.of(self.at(Some(at - 1))).into()],
            Placeholder::Value(Position::Last(at), part) => {
                vec![part.of(self.at(self.values.len().checked_sub(at))).into()]
            }
        }
    }

    fn at(self, index: Option<usize>) -> &'a [u8] {
        index.and_then(|index| self.values.get(index)).map_or(&[], |value| value.0.as_slice())
    }

    /// Returns all values, separated by spaces.
    pub fn joined(self) -> Cow<'a, [u8]> {
        match self.all {
            [only] => only.0.as_slice().into(),
            all => all.iter().map(|value| value.0.as_slice()).collect::<Vec<_>>().join(&b' ').into(),
        }
    }
}

impl Part {
    fn of(self, value: &[u8]) -> &[u8] {
        match self {
            Self::Whole => value,
            Self::WithoutExtension => without_extension(value),
            Self::Name => name(value),
            Self::Folder => folder(value),
            Self::NameWithoutExtension => without_extension(name(value)),
        }
    }
}

/// Returns the placeholder at this position of the text, and its length in bytes. `${1}` is a variable of a shell.
pub fn placeholder_at(text: &[u8], at: usize) -> Option<(usize, Placeholder)> {
    let inner = text.get(at..)?.strip_prefix(b"{")?;
    let end = inner.iter().take(NAME_MAX + 1).position(|byte| *byte == b'}')?;
    let placeholder = match inner.get(..end)? {
        b"#" => Placeholder::Number,
        b"%" => Placeholder::Slot,
        name => value_placeholder(name)?,
    };
    let is_variable = placeholder.position().is_some() && is_after_dollar(text, at);
    (!is_variable).then_some((end + 2, placeholder))
}

fn is_after_dollar(text: &[u8], at: usize) -> bool {
    at.checked_sub(1).and_then(|before| text.get(before)) == Some(&b'$')
}

/// Reads the name of a value: a position, and a part.
fn value_placeholder(name: &[u8]) -> Option<Placeholder> {
    let unsigned = name.strip_prefix(b"-");
    let rest = unsigned.unwrap_or(name);
    let (digits, part) = rest.split_at(rest.iter().take_while(|byte| byte.is_ascii_digit()).count());
    let part = PARTS.iter().find(|(name, _)| *name == part).map(|(_, part)| *part)?;
    let position = match (digits, unsigned) {
        (b"", None) => Position::All,
        (b"", Some(_)) => return None,
        (digits, unsigned) => {
            let at = str::from_utf8(digits).ok()?.parse().ok().filter(|at| *at > 0)?;
            if unsigned.is_some() { Position::Last(at) } else { Position::First(at) }
        }
    };
    Some(Placeholder::Value(position, part))
}

/// Returns the placeholders of a word.
pub fn placeholders(word: &[u8]) -> impl Iterator<Item = (usize, Placeholder)> {
    (0..word.len()).filter_map(|at| placeholder_at(word, at).map(|(_, placeholder)| (at, placeholder)))
}

pub fn has_placeholder(word: &[u8]) -> bool {
    placeholders(word).next().is_some()
}

/// Replaces the placeholders in a word. Each further value of a placeholder begins a word of its own.
pub fn replace(word: &[u8], values: PlaceholderValues<'_>) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let mut out = Vec::with_capacity(word.len());
    let mut at = 0;
    while let Some(byte) = word.get(at) {
        let Some((length, placeholder)) = placeholder_at(word, at) else {
            out.push(*byte);
            at += 1;
            continue;
        };
        for (index, value) in values.get(placeholder).iter().enumerate() {
            if index > 0 {
                words.push(mem::take(&mut out));
            }
            out.extend_from_slice(value);
        }
        at += length;
    }
    words.push(out);
    words
}

/// Replaces the names of values by their positions: `{name}` by `{1}`, and `{name/}` by `{1/}`.
pub fn with_positions(word: &OsStr, names: &[ByteText]) -> OsString {
    let word = word.as_bytes();
    let mut out = Vec::with_capacity(word.len());
    let mut at = 0;
    while let Some(byte) = word.get(at) {
        if let Some((length, position, part)) = name_at(word.get(at..).unwrap_or_default(), names) {
            out.extend_from_slice(format!("{{{position}").as_bytes());
            out.extend_from_slice(part);
            out.push(b'}');
            at += length;
        } else {
            out.push(*byte);
            at += 1;
        }
    }
    OsString::from_vec(out)
}

/// Returns the length of the placeholder at the beginning of the text, the position of its name, and the name of its part.
fn name_at<'a>(text: &'a [u8], names: &[ByteText]) -> Option<(usize, usize, &'a [u8])> {
    let inner = text.strip_prefix(b"{")?;
    names.iter().enumerate().filter(|(_, name)| !name.0.is_empty()).find_map(|(index, name)| {
        let rest = inner.strip_prefix(name.0.as_slice())?;
        let end = rest.iter().position(|byte| *byte == b'}')?;
        let part = rest.get(..end)?;
        let is_part = PARTS.iter().any(|(name, _)| *name == part);
        is_part.then_some((name.0.len() + end + 2, index + 1, part))
    })
}

/// Returns the first placeholder of GNU parallel that is not supported.
pub fn unsupported(word: &[u8]) -> Option<&[u8]> {
    (0..word.len()).filter(|at| !is_after_dollar(word, *at)).find_map(|at| word.get(at..).and_then(unsupported_at))
}

fn unsupported_at(text: &[u8]) -> Option<&[u8]> {
    if let Some(name) = UNSUPPORTED.into_iter().find(|name| text.starts_with(name)) {
        return Some(name);
    }
    // An expression: `{= … =}`.
    let inner = text.strip_prefix(b"{").filter(|inner| inner.starts_with(b"="))?;
    let end = inner.windows(2).skip(1).position(|pair| pair == b"=}")?;
    text.get(..end + 4)
}

fn name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

fn without_extension(path: &[u8]) -> &[u8] {
    let dot = path.iter().rposition(|byte| matches!(byte, b'.' | b'/'));
    dot.filter(|at| path.get(*at) == Some(&b'.')).and_then(|at| path.get(..at)).unwrap_or(path)
}

/// Returns the folder as dirname does: `.` if the path has none.
fn folder(path: &[u8]) -> &[u8] {
    let trimmed = without_slashes(path);
    match trimmed.iter().rposition(|byte| *byte == b'/') {
        Some(at) => match without_slashes(trimmed.get(..at).unwrap_or_default()) {
            [] => b"/",
            folder => folder,
        },
        None if trimmed.is_empty() && !path.is_empty() => b"/",
        None => b".",
    }
}

fn without_slashes(path: &[u8]) -> &[u8] {
    let slashes = path.iter().rev().take_while(|byte| **byte == b'/').count();
    path.get(..path.len() - slashes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_without_support_are_found_by_name() {
        let found =
            |word: &'static str| unsupported(word.as_bytes()).map(|name| String::from_utf8_lossy(name).into_owned());
        for (word, name) in [
            ("x{+}", "{+}"),
            ("{+/}", "{+/}"),
            ("{..}", "{..}"),
            ("{/...}", "{/...}"),
            ("{##}", "{##}"),
            ("{= s/a/b/ =}c", "{= s/a/b/ =}"),
            ("{==}", "{==}"),
        ] {
            assert_eq!(found(word).as_deref(), Some(name), "{word}");
        }
        for word in
            ["{}", "{.}", "{/}", "{//}", "{/.}", "{#}", "{%}", "{1}", "${##}", "{1..5}", "{", "{=}", "{print $1}"]
        {
            assert_eq!(found(word), None, "{word}");
        }
    }

    #[test]
    fn placeholder_has_a_position_and_a_part() {
        let at = |word: &str| placeholder_at(word.as_bytes(), 0);
        assert_eq!(at("{}x"), Some((2, Placeholder::Value(Position::All, Part::Whole))));
        assert_eq!(at("{2/.}"), Some((5, Placeholder::Value(Position::First(2), Part::NameWithoutExtension))));
        assert_eq!(at("{-10//}"), Some((7, Placeholder::Value(Position::Last(10), Part::Folder))));
        for word in ["{1..5}", "{1,1}", "{a}", "{-}", "{0}", "{1", "{-.}", "{99999999999999999999}", "x{}"] {
            assert_eq!(at(word), None, "{word}");
        }
        assert_eq!(placeholders(b"${1} ${#} {1}").map(|(at, _)| at).collect::<Vec<_>>(), [6, 10]);
    }

    #[test]
    fn values_are_found_by_their_position() {
        let values = ["a/b.c", "d", "e.f"].map(|value| ByteText(value.into()));
        let values = PlaceholderValues::new(&values, 7, 2);
        let replaced = |word: &str| {
            let words = replace(word.as_bytes(), values);
            words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(replaced("{2}{1/}{-1.}{4}{-4}"), ["db.ce"]);
        assert_eq!(replaced("x{.}y{#}"), ["xa/b", "d", "ey7"]);
        assert_eq!(
            values.each().map(|one| replace(b"<{}{3}>", one).concat()).collect::<Vec<_>>().join(&b' '),
            b"<a/b.ce.f> <de.f> <e.fe.f>"
        );
    }

    #[test]
    fn names_become_positions() {
        let names = ["name", "size", "", "a b"].map(|name| ByteText(name.into()));
        let replaced = |word: &str| with_positions(word.as_ref(), &names).to_string_lossy().into_owned();
        assert_eq!(
            replaced("{name/.}-{size}{a b//} {} {other} {name?} {name"),
            "{1/.}-{2}{4//} {} {other} {name?} {name"
        );
    }
}
