use std::borrow::Cow;

/// What a placeholder stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Line,
    WithoutExtension,
    Name,
    Folder,
    NameWithoutExtension,
    Number,
    Slot,
}

const PLACES: [(&[u8], Part); 7] = [
    (b"{}", Part::Line),
    (b"{.}", Part::WithoutExtension),
    (b"{/}", Part::Name),
    (b"{//}", Part::Folder),
    (b"{/.}", Part::NameWithoutExtension),
    (b"{#}", Part::Number),
    (b"{%}", Part::Slot),
];

/// Placeholders of GNU parallel without a counterpart here, besides those with the number of a source in front.
const UNSUPPORTED: [&[u8]; 10] =
    [b"{+}", b"{+/}", b"{+.}", b"{+..}", b"{+...}", b"{..}", b"{...}", b"{/..}", b"{/...}", b"{##}"];

/// The values of the placeholders.
#[derive(Clone, Copy, Debug)]
pub struct Filling<'a> {
    pub line: &'a [u8],
    pub number: u64,
    /// From 1: no two commands that run at the same time have the same.
    pub slot: usize,
}

impl Part {
    /// Whether the value is a number that this program chose, and not text of the line.
    pub fn is_number(self) -> bool {
        matches!(self, Self::Number | Self::Slot)
    }
}

impl Filling<'_> {
    pub fn value(&self, part: Part) -> Cow<'_, [u8]> {
        match part {
            Part::Line => self.line.into(),
            Part::WithoutExtension => without_extension(self.line).into(),
            Part::Name => name(self.line).into(),
            Part::Folder => folder(self.line).into(),
            Part::NameWithoutExtension => without_extension(name(self.line)).into(),
            Part::Number => self.number.to_string().into_bytes().into(),
            Part::Slot => self.slot.to_string().into_bytes().into(),
        }
    }
}

/// The placeholder at the beginning of the text, and its length in bytes.
pub fn place_at(text: &[u8]) -> Option<(usize, Part)> {
    PLACES.iter().find(|(name, _)| text.starts_with(name)).map(|(name, part)| (name.len(), *part))
}

pub fn has_place(word: &[u8]) -> bool {
    (0..word.len()).any(|at| word.get(at..).is_some_and(|rest| place_at(rest).is_some()))
}

/// The word with the values of its placeholders.
pub fn replace(word: &[u8], filling: Filling<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(word.len());
    let mut rest = word;
    while let [first, after @ ..] = rest {
        if let Some((length, part)) = place_at(rest) {
            out.extend_from_slice(&filling.value(part));
            rest = rest.get(length..).unwrap_or_default();
        } else {
            out.push(*first);
            rest = after;
        }
    }
    out
}

/// The first placeholder of GNU parallel that is not supported. `${1}` belongs to a shell and is none.
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

/// As dirname gives it: `.` where there is none.
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
