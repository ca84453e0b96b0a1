use std::{
    borrow::Cow,
    env,
    ffi::{OsStr, OsString},
    fmt,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::text::Text;

/// A command with places for the line, as GNU parallel has them.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pub words: Vec<Text>,
    /// Whether it is one command line for `/bin/sh`, and not a program with its arguments.
    pub shell: bool,
}

/// What a place stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
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

/// What is put into the places.
#[derive(Clone, Copy, Debug)]
pub struct Filling<'a> {
    pub line: &'a [u8],
    pub number: u64,
    /// From 1: no two commands that run at the same time have the same.
    pub slot: usize,
}

impl Template {
    /// Where no place is named, the line comes last. Without any words, the line is the command itself.
    pub fn new(words: &[OsString], shell: bool) -> Self {
        let mut words: Vec<_> = words.iter().map(|word| Text::from(word.as_os_str())).collect();
        if !words.iter().any(|word| has_place(&word.0)) {
            words.push(Text(b"{}".to_vec()));
        }
        Self { words, shell }
    }

    /// Whether the program is the same for all lines.
    pub fn has_fixed_program(&self) -> bool {
        self.shell || self.words.first().is_some_and(|word| !has_place(&word.0))
    }

    /// The program, if it is the same for all lines and nowhere to be found.
    pub fn missing_program(&self) -> Option<String> {
        let word = self.words.first().filter(|word| !self.shell && !has_place(&word.0))?;
        let program = Path::new(OsStr::from_bytes(&word.0));
        let is_there = if word.0.contains(&b'/') {
            program.exists()
        } else {
            env::split_paths(&env::var_os("PATH")?).any(|folder| folder.join(program).exists())
        };
        (!is_there).then(|| program.to_string_lossy().into_owned())
    }

    /// The program and its arguments.
    pub fn fill(&self, filling: Filling<'_>) -> Vec<OsString> {
        if self.shell {
            return vec!["/bin/sh".into(), "-c".into(), OsString::from_vec(self.command_line(filling))];
        }
        let words = self.words.iter().map(|word| replace(&word.0, |part| filling.value(part)));
        words.map(OsString::from_vec).collect()
    }

    /// For a shell, or for people: as GNU parallel's log has it.
    pub fn command_line(&self, filling: Filling<'_>) -> Vec<u8> {
        // The line as the command itself is meant to be read by the shell.
        let is_bare = self.shell && matches!(self.words.as_slice(), [word] if word.0 == b"{}");
        let words = self.words.iter().map(|word| match (self.shell, is_bare) {
            (true, true) => filling.line.to_vec(),
            (true, false) => replace(&word.0, |part| quoted(&filling.value(part)).into_owned().into()),
            (false, _) => quoted(&replace(&word.0, |part| filling.value(part))).into_owned(),
        });
        words.collect::<Vec<_>>().join(&b' ')
    }
}

/// As it was given.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.words.iter().map(|word| word.0.as_slice()).collect();
        f.write_str(&String::from_utf8_lossy(&words.join(&b' ')))?;
        f.write_str(if self.shell { ", with --shell" } else { "" })
    }
}

impl Filling<'_> {
    fn value(&self, part: Part) -> Cow<'_, [u8]> {
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

fn place_at(text: &[u8]) -> Option<(usize, Part)> {
    PLACES.iter().find(|(name, _)| text.starts_with(name)).map(|(name, part)| (name.len(), *part))
}

fn has_place(word: &[u8]) -> bool {
    (0..word.len()).any(|at| word.get(at..).is_some_and(|rest| place_at(rest).is_some()))
}

fn replace<'a>(word: &[u8], mut value: impl FnMut(Part) -> Cow<'a, [u8]>) -> Vec<u8> {
    let mut out = Vec::with_capacity(word.len());
    let mut rest = word;
    while let [first, after @ ..] = rest {
        if let Some((length, part)) = place_at(rest) {
            out.extend_from_slice(&value(part));
            rest = rest.get(length..).unwrap_or_default();
        } else {
            out.push(*first);
            rest = after;
        }
    }
    out
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

/// A word that a shell reads as it is.
fn quoted(word: &[u8]) -> Cow<'_, [u8]> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(byte);
    if !word.is_empty() && word.iter().all(is_plain) {
        return word.into();
    }
    let mut out = vec![b'\''];
    for byte in word {
        match byte {
            b'\'' => out.extend_from_slice(b"'\\''"),
            other => out.push(*other),
        }
    }
    out.push(b'\'');
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(words: &[&str], shell: bool, line: &str) -> Vec<String> {
        let words: Vec<OsString> = words.iter().map(Into::into).collect();
        let filled = Template::new(&words, shell).fill(Filling { line: line.as_bytes(), number: 7, slot: 2 });
        filled.iter().map(|word| word.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn places_are_those_of_gnu_parallel() {
        // As GNU parallel 20221122 prints them, but for a path that ends in a slash, where dirname is taken at its word.
        for (line, expected) in [
            ("foo/bar.tar.gz", "foo/bar.tar|bar.tar.gz|foo|bar.tar"),
            ("", "||.|"),
            ("/", "/||/|"),
            ("a/", "a/||.|"),
            ("/a", "/a|a|/|a"),
            ("./.x", "./|.x|.|"),
            (".x", "|.x|.|"),
            ("a.b.c/d", "a.b.c/d|d|a.b.c|d"),
            ("a.b.c/.d.e", "a.b.c/.d|.d.e|a.b.c|.d"),
            ("x.", "x|x.|.|x"),
            ("sp ace/a b.c d", "sp ace/a b|a b.c d|sp ace|a b"),
            ("a//b", "a//b|b|a|b"),
        ] {
            assert_eq!(fill(&["{.}|{/}|{//}|{/.}"], false, line), [expected], "{line:?}");
        }
        assert_eq!(fill(&["a{#}{%}", "{x}{", "{}{}"], false, "l"), ["a72", "{x}{", "ll"]);
    }

    #[test]
    fn without_a_place_the_line_comes_last() {
        assert_eq!(fill(&["gzip", "-9"], false, "a b"), ["gzip", "-9", "a b"]);
        assert_eq!(fill(&["gzip", "x{#}"], false, "a b"), ["gzip", "x7"]);
    }

    #[test]
    fn a_line_never_becomes_code_for_the_shell() {
        let line = "a'; rm -rf / #";
        assert_eq!(fill(&["echo", "{} | wc"], true, line)[2], "echo 'a'\\''; rm -rf / #' | wc");
        assert_eq!(fill(&["echo {}"], true, "plain.txt")[2], "echo plain.txt");
        // Unless it is the command.
        assert_eq!(fill(&[], true, "echo a | wc")[2], "echo a | wc");
    }

    #[test]
    fn what_is_in_the_line_is_no_place() {
        assert_eq!(fill(&["{}", "{}"], false, "{}{.}"), ["{}{.}", "{}{.}"]);
    }
}
