//! A command line for `/bin/sh`, split at its placeholders. Called by `template` for `--shell`; pure.

use std::{borrow::Cow, ops::Range};

use super::placeholder::{Placeholder, PlaceholderValues, placeholder_at};

/// The text of a line is never part of the script: it is passed as an argument, and the script has a quoted reference to it.
pub struct Script<'a>(Vec<Piece<'a>>);

enum Piece<'a> {
    Text(&'a [u8]),
    Placeholder(Placeholder, &'a [u8], Quotes),
}

/// How the shell reads the text around a placeholder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quotes {
    None,
    Double,
    /// A value cannot be inserted safely.
    Refused(&'static str),
}

/// An open construct of the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    Single,
    Double,
    Comment,
    Backtick,
    /// `( )` and `$( )`.
    Paren,
    /// `${ }`; true inside double quotes.
    Brace(bool),
    /// `$(( ))`.
    Arithmetic,
}

impl<'a> Script<'a> {
    pub fn new(command: &'a [u8]) -> Self {
        Self(Scanner::default().scan(command))
    }

    /// Returns the placeholders with their names.
    pub fn placeholders(&self) -> impl Iterator<Item = (&'a [u8], Placeholder)> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Placeholder(placeholder, name, _) => Some((*name, *placeholder)),
            Piece::Text(_) => None,
        })
    }

    /// Returns the first placeholder that cannot be filled safely, and where it is.
    pub fn refused(&self) -> Option<(&'a [u8], &'static str)> {
        self.0.iter().find_map(|piece| match piece {
            Piece::Placeholder(_, name, Quotes::Refused(place)) => Some((*name, *place)),
            _ => None,
        })
    }

    /// Returns the script for `sh -c`, and its arguments.
    pub fn fill<'f>(&self, values: PlaceholderValues<'f>) -> (Vec<u8>, Vec<Cow<'f, [u8]>>) {
        let (mut placed, mut arguments) = (Vec::<(Placeholder, Range<usize>)>::new(), Vec::new());
        let mut body = Vec::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => body.extend_from_slice(text),
                Piece::Placeholder(part, ..) if part.is_number() => body.extend_from_slice(&values.get(*part).concat()),
                Piece::Placeholder(part, _, quotes) => {
                    let known = placed.iter().find(|(known, _)| known == part).map(|(_, places)| places.clone());
                    let range = known.unwrap_or_else(|| {
                        let first = arguments.len() + 1;
                        arguments.extend(values.get(*part));
                        placed.push((*part, first..arguments.len() + 1));
                        first..arguments.len() + 1
                    });
                    let references = range.map(|place| match quotes {
                        Quotes::Double => format!("${{tracker_place_{place}}}"),
                        Quotes::None | Quotes::Refused(_) => format!("\"${{tracker_place_{place}}}\""),
                    });
                    body.extend_from_slice(references.collect::<Vec<_>>().join(" ").as_bytes());
                }
            }
        }
        // Variables and not the arguments themselves: those are others inside a function and after `set --`.
        let mut script = Vec::new();
        for place in 1..=arguments.len() {
            // `$10` is `$1` followed by a zero.
            let argument = if place < 10 { place.to_string() } else { format!("{{{place}}}") };
            script.extend_from_slice(format!("tracker_place_{place}=${argument}; ").as_bytes());
        }
        if !arguments.is_empty() {
            script.extend_from_slice(format!("shift {}; ", arguments.len()).as_bytes());
        }
        script.extend_from_slice(&body);
        (script, arguments)
    }

    /// One command line that does the same, for people.
    pub fn command_line(&self, values: PlaceholderValues<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text),
                Piece::Placeholder(part, _, quotes) => {
                    let values = values.get(*part);
                    let words = values.iter().map(|value| match quotes {
                        Quotes::Double => quoted_in_double(value),
                        Quotes::None | Quotes::Refused(_) => quoted(value),
                    });
                    out.extend_from_slice(&words.collect::<Vec<_>>().join(&b' '));
                }
            }
        }
        out
    }
}

/// Tracks the quotes of a command line.
#[derive(Default)]
struct Scanner {
    frames: Vec<Frame>,
    /// A here-document has begun: its text follows other rules.
    here_document: bool,
    /// A `case` inside quotes: the end of the enclosing `$( )` is unknown.
    unclear: bool,
}

impl Scanner {
    fn scan(mut self, command: &[u8]) -> Vec<Piece<'_>> {
        let (mut pieces, mut begin, mut at) = (Vec::new(), 0, 0);
        while let Some(rest) = command.get(at..).filter(|rest| !rest.is_empty()) {
            // `${#}` is ambiguous: a variable of the shell, or a `$` before a placeholder.
            let dollar = usize::from(rest.starts_with(b"$") && !self.is_literal());
            let Some((length, part)) = placeholder_at(command, at + dollar) else {
                at += self.step(command, at);
                continue;
            };
            let quotes = if dollar > 0 { Quotes::Refused("after a $") } else { self.quotes(part) };
            let (start, end) = (at + dollar, at + dollar + length);
            pieces.push(Piece::Text(command.get(begin..start).unwrap_or_default()));
            pieces.push(Piece::Placeholder(part, command.get(start..end).unwrap_or_default(), quotes));
            (begin, at) = (end, end);
        }
        pieces.push(Piece::Text(command.get(begin..).unwrap_or_default()));
        pieces
    }

    /// Returns whether a `$` is an ordinary character here.
    fn is_literal(&self) -> bool {
        matches!(self.frames.last(), Some(Frame::Single | Frame::Comment))
    }

    fn has(&self, frame: impl Fn(&Frame) -> bool) -> bool {
        self.frames.iter().any(frame)
    }

    fn quotes(&self, part: Placeholder) -> Quotes {
        let has_double = self.has(|frame| *frame == Frame::Double);
        match self.frames.last() {
            // Digits are the same in all quotes.
            _ if part.is_number() => Quotes::None,
            _ if self.here_document => Quotes::Refused("after <<"),
            _ if self.unclear => Quotes::Refused("after a case inside quotes"),
            Some(Frame::Single) => Quotes::Refused("inside single quotes"),
            _ if self.has(|frame| matches!(frame, Frame::Brace(_))) => Quotes::Refused("inside ${ }"),
            _ if self.has(|frame| *frame == Frame::Arithmetic) => Quotes::Refused("inside $(( ))"),
            _ if has_double && self.has(|frame| *frame == Frame::Backtick) => {
                Quotes::Refused("inside double quotes and backticks")
            }
            Some(Frame::Double) => Quotes::Double,
            _ => Quotes::None,
        }
    }

    /// Reads the token at this position, and returns its length in bytes.
    #[expect(clippy::match_same_arms, reason = "the arms are tried in this order, as the shell reads")]
    fn step(&mut self, command: &[u8], at: usize) -> usize {
        let rest = command.get(at..).unwrap_or_default();
        let before = at.checked_sub(1).and_then(|before| command.get(before));
        let begins_word = before.is_none_or(|byte| byte.is_ascii_whitespace() || b";&|()`".contains(byte));
        let top = self.frames.last().copied();
        let is_bare = matches!(top, None | Some(Frame::Paren | Frame::Backtick));
        match (top, rest) {
            (Some(Frame::Single), [b'\'', ..]) | (Some(Frame::Comment), [b'\n', ..]) => self.pop(),
            (Some(Frame::Comment), [b'`', ..]) => self.end_backtick(),
            (Some(Frame::Single | Frame::Comment), _) => 1,
            (Some(Frame::Double), [b'\\', next, ..]) if !b"$`\"\\\n".contains(next) => 1,
            (_, [b'\\', _, ..]) => 2,
            (Some(Frame::Double), [b'"', ..]) | (Some(Frame::Brace(_)), [b'}', ..]) => self.pop(),
            (_, [b'"', ..]) => self.push(Frame::Double, 1),
            (Some(Frame::Double | Frame::Brace(true) | Frame::Arithmetic), [b'\'', ..]) => 1,
            (_, [b'\'', ..]) => self.push(Frame::Single, 1),
            (_, [b'`', ..]) if self.has(|frame| *frame == Frame::Backtick) => self.end_backtick(),
            (_, [b'`', ..]) => self.push(Frame::Backtick, 1),
            (_, [b'$', b'(', b'(', ..]) => self.push(Frame::Arithmetic, 3),
            (_, [b'$', b'(', ..]) => self.push(Frame::Paren, 2),
            (_, [b'$', b'{', ..]) => self.push(Frame::Brace(top == Some(Frame::Double)), 2),
            (Some(Frame::Arithmetic), [b')', b')', ..]) => self.pop() + 1,
            // A subshell at the beginning of `$( )`, not arithmetic.
            (Some(Frame::Arithmetic), [b')', ..]) => self.pop() + self.push(Frame::Paren, 0),
            (Some(Frame::Paren), [b')', ..]) => self.pop(),
            (None | Some(Frame::Paren | Frame::Backtick | Frame::Arithmetic), [b'(', ..]) => self.push(Frame::Paren, 1),
            (_, [b'#', ..]) if is_bare && begins_word => self.push(Frame::Comment, 1),
            (_, [b'<', b'<', b'<', ..]) if is_bare => 3,
            (_, [b'<', b'<', ..]) if is_bare => {
                self.here_document = true;
                2
            }
            (Some(Frame::Paren), [b'c', b'a', b's', b'e', ..]) if begins_word => {
                self.unclear |= self.has(|frame| !matches!(frame, Frame::Paren));
                4
            }
            _ => 1,
        }
    }

    fn push(&mut self, frame: Frame, length: usize) -> usize {
        self.frames.push(frame);
        length
    }

    fn pop(&mut self) -> usize {
        self.frames.pop();
        1
    }

    /// Closes everything back to the last backtick.
    fn end_backtick(&mut self) -> usize {
        if let Some(begin) = self.frames.iter().rposition(|frame| *frame == Frame::Backtick) {
            self.frames.truncate(begin);
        }
        1
    }
}

/// Quotes a text inside double quotes.
fn quoted_in_double(text: &[u8]) -> Cow<'_, [u8]> {
    let quoted = text.iter().flat_map(|byte| {
        let is_special = b"\\\"$`".contains(byte);
        is_special.then_some(b'\\').into_iter().chain([*byte])
    });
    quoted.collect::<Vec<_>>().into()
}

/// Quotes a word for a shell.
pub fn quoted(word: &[u8]) -> Cow<'_, [u8]> {
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
    use crate::commands::run::byte_text::ByteText;

    fn script(command: &str) -> Script<'_> {
        Script::new(command.as_bytes())
    }

    #[test]
    fn placeholders_become_quoted_references() {
        let line = [ByteText(b"a/b.c".to_vec())];
        let values = PlaceholderValues::new(&line, 7, 2);
        for (command, expected) in [
            ("echo {}", r#"echo "${tracker_place_1}""#),
            (r#"echo "<{}>" '"' x"#, r#"echo "<${tracker_place_1}>" '"' x"#),
            (r#"echo \" {} "\" {}""#, r#"echo \" "${tracker_place_1}" "\" ${tracker_place_1}""#),
            (r#"echo "$(wc {})" {}"#, r#"echo "$(wc "${tracker_place_1}")" "${tracker_place_1}""#),
            (r#"echo "$( (wc) <{} )""#, r#"echo "$( (wc) <"${tracker_place_1}" )""#),
            (r#"echo "$((wc) <{})""#, r#"echo "$((wc) <"${tracker_place_1}")""#),
            ("echo `wc {}`", r#"echo `wc "${tracker_place_1}"`"#),
            ("a # it's\nb {}", "a # it's\nb \"${tracker_place_1}\""),
            ("a#'{#}' {}", r#"a#'7' "${tracker_place_1}""#),
            ("case {} in a) b;; esac; c {}", r#"case "${tracker_place_1}" in a) b;; esac; c "${tracker_place_1}""#),
            ("echo ${x#'}'} {}", r#"echo ${x#'}'} "${tracker_place_1}""#),
            (r#"echo "${x#'}" {}"#, r#"echo "${x#'}" "${tracker_place_1}""#),
            ("echo $((1<<2)) $x {}", r#"echo $((1<<2)) $x "${tracker_place_1}""#),
            ("cat <<<{}", r#"cat <<<"${tracker_place_1}""#),
            (r"echo \{}", r"echo \{}"),
            ("f() { echo ${1}; }; f {1}", r#"f() { echo ${1}; }; f "${tracker_place_1}""#),
        ] {
            let found = script(command);
            assert_eq!(found.refused(), None, "{command}");
            let (text, values) = found.fill(values);
            let text = String::from_utf8(text).unwrap_or_default();
            let begin = if values.is_empty() { "" } else { "tracker_place_1=$1; shift 1; " };
            assert_eq!(text, format!("{begin}{expected}"), "{command}");
        }
        let (text, values) = script("mv {} {//}/{#}-{}").fill(values);
        assert_eq!(
            String::from_utf8_lossy(&text),
            "tracker_place_1=$1; tracker_place_2=$2; shift 2; mv \"${tracker_place_1}\" \
             \"${tracker_place_2}\"/7-\"${tracker_place_1}\""
        );
        assert_eq!(values, [&b"a/b.c"[..], b"a"]);
    }

    #[test]
    fn each_value_has_a_reference() {
        let line: Vec<_> = (1..=11).map(|value| ByteText(format!("v{value}").into_bytes())).collect();
        let (text, values) = script("echo \"{}\" {-1}").fill(PlaceholderValues::new(&line, 7, 2));
        let text = String::from_utf8_lossy(&text).into_owned();
        assert!(
            text.contains("tracker_place_10=${10}; tracker_place_11=${11}; tracker_place_12=${12}; shift 12; "),
            "{text}"
        );
        assert!(text.contains("echo \"${tracker_place_1} ${tracker_place_2} "), "{text}");
        assert!(text.ends_with(" ${tracker_place_11}\" \"${tracker_place_12}\""), "{text}");
        assert_eq!((values.len(), values[11].as_ref()), (12, &b"v11"[..]));
    }

    #[test]
    fn placeholders_without_a_safe_reference_are_refused() {
        for (command, expected) in [
            ("echo '{}'", "inside single quotes"),
            ("sh -c 'echo {.}'", "inside single quotes"),
            ("echo \"$(sh -c '{}')\"", "inside single quotes"),
            ("echo ${x:-{}}", "inside ${ }"),
            ("echo $(( {} + 1 ))", "inside $(( ))"),
            ("cat <<EOF\n{}\nEOF", "after <<"),
            ("echo \"`cat {}`\"", "inside double quotes and backticks"),
            ("echo \"$(case x in a) b;; esac) {}\"", "after a case inside quotes"),
            ("echo ${#}", "after a $"),
            ("echo \"${}\"", "after a $"),
        ] {
            assert_eq!(script(command).refused().map(|(_, place)| place), Some(expected), "{command}");
        }
    }

    #[test]
    fn shown_command_lines_do_the_same() {
        let line = ["a'$b\"", "c"].map(|value| ByteText(value.into()));
        let values = PlaceholderValues::new(&line, 7, 2);
        let shown = |command| String::from_utf8(script(command).command_line(values)).unwrap_or_default();
        assert_eq!(shown("echo {1} \"{}\" {#} {}"), r#"echo 'a'\''$b"' "a'\$b\" c" 7 'a'\''$b"' c"#);
    }
}
