//! Placeholders in commands: those of GNU parallel that are supported, their values, and the names of the others.

use std::borrow::Cow;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placeholder {
    Line,
    WithoutExtension,
    Name,
    Folder,
    NameWithoutExtension,
    Number,
    Slot,
}

const PLACEHOLDERS: [(&[u8], Placeholder); 7] = [
    (b"{}", Placeholder::Line),
    (b"{.}", Placeholder::WithoutExtension),
    (b"{/}", Placeholder::Name),
    (b"{//}", Placeholder::Folder),
    (b"{/.}", Placeholder::NameWithoutExtension),
    (b"{#}", Placeholder::Number),
    (b"{%}", Placeholder::Slot),
];

/// Placeholders of GNU parallel that are not supported, besides those that begin with the number of a source.
const UNSUPPORTED: [&[u8]; 10] =
    [b"{+}", b"{+/}", b"{+.}", b"{+..}", b"{+...}", b"{..}", b"{...}", b"{/..}", b"{/...}", b"{##}"];

/// The values of the placeholders.
#[derive(Clone, Copy, Debug)]
pub struct PlaceholderValues<'a> {
    pub line: &'a [u8],
    pub number: u64,
    /// From 1. Commands that run at the same time have different slots.
    pub slot: usize,
}

impl Placeholder {
    /// Returns whether the value is a number and not text of the line.
    pub fn is_number(self) -> bool {
        matches!(self, Self::Number | Self::Slot)
    }
}

impl PlaceholderValues<'_> {
    pub fn value(&self, part: Placeholder) -> Cow<'_, [u8]> {
        match part {
            Placeholder::Line => self.line.into(),
            Placeholder::WithoutExtension => without_extension(self.line).into(),
            Placeholder::Name => name(self.line).into(),
            Placeholder::Folder => folder(self.line).into(),
            Placeholder::NameWithoutExtension => without_extension(name(self.line)).into(),
            Placeholder::Number => self.number.to_string().into_bytes().into(),
            Placeholder::Slot => self.slot.to_string().into_bytes().into(),
        }
    }
}

/// Returns the placeholder at the beginning of the text, and its length in bytes.
pub fn placeholder_at(text: &[u8]) -> Option<(usize, Placeholder)> {
    PLACEHOLDERS.iter().find(|(name, _)| text.starts_with(name)).map(|(name, part)| (name.len(), *part))
}

pub fn has_placeholder(word: &[u8]) -> bool {
    (0..word.len()).any(|at| word.get(at..).is_some_and(|rest| placeholder_at(rest).is_some()))
}

/// Replaces the placeholders in a word.
pub fn replace(word: &[u8], values: PlaceholderValues<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(word.len());
    let mut rest = word;
    while let [first, after @ ..] = rest {
        if let Some((length, part)) = placeholder_at(rest) {
            out.extend_from_slice(&values.value(part));
            rest = rest.get(length..).unwrap_or_default();
        } else {
            out.push(*first);
            rest = after;
        }
    }
    out
}

/// Returns the first placeholder of GNU parallel that is not supported. `${1}` is a variable of a shell.
pub fn unsupported(word: &[u8]) -> Option<&[u8]> {
    (0..word.len()).find_map(|at| {
        let is_free = at.checked_sub(1).and_then(|before| word.get(before)) != Some(&b'$');
        word.get(at..).filter(|_| is_free).and_then(unsupported_at)
    })
}

fn unsupported_at(text: &[u8]) -> Option<&[u8]> {
    if let Some(name) = UNSUPPORTED.into_iter().find(|name| text.starts_with(name)) {
        return Some(name);
    }
    let inner = text.strip_prefix(b"{")?;
    if inner.starts_with(b"=") {
        // An expression: `{= … =}`.
        let end = inner.windows(2).skip(1).position(|pair| pair == b"=}")?;
        return text.get(..end + 4);
    }
    let end = inner.iter().position(|byte| *byte == b'}')?;
    let source = inner.get(..end)?;
    let source = source.strip_prefix(b"-").unwrap_or(source);
    let digits = source.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let is_source = digits > 0 && matches!(source.get(digits..), Some(b"" | b"." | b"/" | b"//" | b"/."));
    is_source.then(|| text.get(..end + 2)).flatten()
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
            ("a{1}b", "{1}"),
            ("{2/}", "{2/}"),
            ("{10//}", "{10//}"),
            ("{-1.}", "{-1.}"),
            ("{3/.}", "{3/.}"),
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
        for word in [
            "{}",
            "{.}",
            "{/}",
            "{//}",
            "{/.}",
            "{#}",
            "{%}",
            "${1}",
            "${##}",
            "{1..5}",
            "{1,1}",
            "{a}",
            "{",
            "{=}",
            "{-}",
            "{print $1}",
            "{1",
        ] {
            assert_eq!(found(word), None, "{word}");
        }
    }
}
