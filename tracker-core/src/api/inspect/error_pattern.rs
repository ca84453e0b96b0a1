//! Finds the common pattern of failures: the deepest cause, with placeholders for the parts that differ between tasks. Called by `errors`;
//! pure.

use std::net::{IpAddr, SocketAddr};

use uuid::Uuid;

use crate::model::{bounds::shorten, transition::Failure};

/// How many bytes of an error are read.
const READ: usize = 1_024;
/// How long a pattern may be before it is cut.
const LONGEST: usize = 300;

const PLACEHOLDERS: [&str; 8] = ["{id}", "{name}", "{number}", "{host}", "{path}", "{url}", "{time}", "{email}"];

/// The deepest cause of the failure with placeholders, for a task with this id.
pub(super) fn pattern_of(failure: &Failure, id: &str) -> String {
    let texts = failure.causes.iter().rev().chain([&failure.error]);
    let line = texts.map(|text| first_informative_line(text)).find(|line| !line.is_empty()).unwrap_or_default();
    shorten(pattern(&line, id), LONGEST)
}

/// The error and its causes on one line. A cause that the text before already ends with is not repeated.
pub(super) fn chain_of(failure: &Failure) -> String {
    let mut chain = first_informative_line(&failure.error);
    for cause in failure.causes.iter().map(|cause| first_informative_line(cause)) {
        if chain.len() < READ && !chain.ends_with(&cause) {
            if !chain.is_empty() {
                chain.push_str(": ");
            }
            chain.push_str(&cause);
        }
    }
    shorten(chain, LONGEST)
}

/// The longest part of a pattern that is no placeholder: text that all its errors contain.
pub(super) fn longest_literal(pattern: &str) -> &str {
    let (mut longest, mut start, mut at) = ("", 0, 0);
    while at < pattern.len() {
        let rest = &pattern[at..];
        let placeholder = PLACEHOLDERS.iter().find(|placeholder| rest.starts_with(**placeholder));
        let length = placeholder.map_or(0, |placeholder| placeholder.len());
        if length > 0 {
            longest = longer(longest, &pattern[start..at]);
            start = at + length;
        }
        at += length.max(rest.chars().next().map_or(1, char::len_utf8));
    }
    let cut = pattern[start..].find(" … [").map_or(pattern.len(), |cut| start + cut);
    longer(longest, &pattern[start..cut])
}

fn longer<'a>(one: &'a str, other: &'a str) -> &'a str {
    let other = other.trim();
    if other.len() > one.len() { other } else { one }
}

/// The first line, or the last one of a Python traceback, without terminal control sequences.
fn first_informative_line(text: &str) -> String {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let first = lines.next().unwrap_or_default();
    let line =
        if first.starts_with("Traceback (most recent call last)") { lines.next_back().unwrap_or(first) } else { first };
    let end = (0..=line.len().min(READ)).rev().find(|end| line.is_char_boundary(*end)).unwrap_or(0);
    without_controls(&line[..end]).trim().to_owned()
}

/// The text without sequences such as `ESC [31m` (colors) and `ESC ] … BEL` (titles, links), and without control characters.
fn without_controls(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter != '\u{1b}' {
            if !letter.is_control() || letter == '\t' {
                out.push(letter);
            }
            continue;
        }
        match letters.next() {
            Some('[') => drop(letters.find(|letter| matches!(letter, '@'..='~'))),
            Some(']') => {
                while let Some(letter) = letters.next() {
                    if letter == '\u{7}' || letter == '\u{1b}' && letters.next_if_eq(&'\\').is_some() {
                        break;
                    }
                }
            }
            _ => {}
        }
    }
    out
}

/// Replaces the parts of a line that differ between tasks.
fn pattern(line: &str, id: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut at = 0;
    while let Some(letter) = line[at..].chars().next() {
        let (before, rest) = line.split_at(at);
        let at_word = !before.ends_with(is_word);
        let found = if at_word {
            own_id(before, rest, id).or_else(|| quotation(rest)).or_else(|| bracketed_host(rest))
        } else {
            None
        };
        if let Some((placeholder, length)) = found {
            out.push_str(placeholder);
            at += length;
        } else if at_word && !is_delimiter(letter) {
            let word = word_of(rest);
            match class_of(word) {
                Some(placeholder) => out.push_str(placeholder),
                None => push_without_numbers(&mut out, line, at, word),
            }
            at += word.len();
        } else {
            out.push(letter);
            at += letter.len_utf8();
        }
    }
    out
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

fn is_delimiter(letter: char) -> bool {
    letter.is_whitespace() || "\"'`“”‘’()[]{}<>,;=|".contains(letter)
}

/// The task's own id, if it is a separate word and not a code: the task with the id 3 can fail with the exit code 3.
fn own_id(before: &str, rest: &str, id: &str) -> Option<(&'static str, usize)> {
    let after = rest.strip_prefix(id)?;
    if id.bytes().all(|byte| byte.is_ascii_digit()) && is_code(before, id, after) {
        return None;
    }
    (!(id.is_empty() || after.starts_with(is_word) && id.ends_with(is_word))).then_some(("{id}", id.len()))
}

/// Text in quotation marks. An apostrophe within a word neither begins nor ends one.
fn quotation(rest: &str) -> Option<(&'static str, usize)> {
    let open = rest.chars().next()?;
    let close = match open {
        '"' | '\'' | '`' => open,
        '“' => '”',
        '‘' => '’',
        _ => return None,
    };
    let inner = &rest[open.len_utf8()..];
    let ends = inner.match_indices(close).map(|(end, _)| (end, &inner[end + close.len_utf8()..]));
    let (end, _) = ends.into_iter().find(|(end, after)| {
        !inner[..*end].ends_with('\\') && !after.starts_with(|letter: char| is_word(letter) && close == '\'')
    })?;
    (end > 0).then(|| ("{name}", open.len_utf8() + end + close.len_utf8()))
}

/// `[::1]:8080`.
fn bracketed_host(rest: &str) -> Option<(&'static str, usize)> {
    let inner = rest.strip_prefix('[')?;
    let end = inner.find(']')?;
    let address = &inner[..end];
    let address = address.split('%').next().unwrap_or_default();
    address.parse::<std::net::Ipv6Addr>().ok()?;
    let after = &inner[end + 1..];
    let port = after
        .strip_prefix(':')
        .map_or(0, |port| port.len() - port.trim_start_matches(|letter: char| letter.is_ascii_digit()).len());
    Some(("{host}", end + 2 + if port > 0 { port + 1 } else { 0 }))
}

/// The word at the beginning, without punctuation after it.
fn word_of(rest: &str) -> &str {
    let plain =
        &rest[..rest.find(|letter: char| letter.is_whitespace() || "\"'`“”<>".contains(letter)).unwrap_or(rest.len())];
    let url = plain.split("://").next().is_some_and(|scheme| {
        scheme.len() < plain.len() && !scheme.is_empty() && scheme.chars().all(char::is_alphanumeric)
    });
    let end = if url { plain.len() } else { end_of_word(plain) };
    let trimmed = plain[..end].trim_end_matches(['.', ':', '!', '?', ')', ',', ';']);
    if trimmed.is_empty() { &plain[..plain.chars().next().map_or(0, char::len_utf8)] } else { trimmed }
}

/// Where a word ends: at a delimiter, but not at a comma between digits.
fn end_of_word(plain: &str) -> usize {
    let digit = |letter: Option<char>| letter.is_some_and(|letter| letter.is_ascii_digit());
    let mut ends = plain.char_indices().filter(|(_, letter)| is_delimiter(*letter));
    let end = ends.find(|(at, letter)| {
        !(*letter == ',' && digit(plain[..*at].chars().next_back()) && digit(plain[at + 1..].chars().next()))
    });
    end.map_or(plain.len(), |(at, _)| at)
}

/// The placeholder of a word that differs as a whole.
fn class_of(word: &str) -> Option<&'static str> {
    if word.contains("://") {
        return Some("{url}");
    }
    if Uuid::try_parse(word).is_ok() || is_random(word) {
        return Some("{id}");
    }
    if is_time(word) {
        return Some("{time}");
    }
    if is_path(word) {
        return Some("{path}");
    }
    if let Some((user, host)) = word.split_once('@')
        && !user.is_empty()
        && host.contains('.')
    {
        return Some("{email}");
    }
    is_host(word).then_some("{host}")
}

/// Hexadecimal digits of hashes and addresses, and long words with many digits.
fn is_random(word: &str) -> bool {
    let digits = word.chars().filter(char::is_ascii_digit).count();
    let hex = word.strip_prefix("0x").unwrap_or(word);
    let all_hex = !hex.is_empty() && hex.chars().all(|letter| letter.is_ascii_hexdigit());
    let letters = word.chars().all(|letter| letter.is_ascii_alphanumeric());
    all_hex && hex.len() < word.len()
        || all_hex && word.len() >= 7 && digits > 0 && digits < word.len()
        || letters && word.len() >= 16 && digits >= 3 && digits < word.len()
}

/// `2026-01-31`, also with a time after it, or `12:34:56.789`.
fn is_time(word: &str) -> bool {
    let shape: String = word.chars().map(|letter| if letter.is_ascii_digit() { '0' } else { letter }).collect();
    shape.starts_with("0000-00-00") || shape.starts_with("00:00:00") || shape.starts_with("0000/00/00")
}

fn is_path(word: &str) -> bool {
    let mut letters = word.chars();
    let drive = letters.next().is_some_and(|letter| letter.is_ascii_alphabetic()) && letters.next() == Some(':');
    if drive && matches!(letters.next(), Some('\\' | '/')) || word.contains('\\') {
        return true;
    }
    let begins =
        ["/", "./", "../", "~/"].iter().any(|begin| word.starts_with(begin)) && word.contains(char::is_alphanumeric);
    let (slashes, last) = (word.matches('/').count(), word.rsplit('/').next().unwrap_or_default());
    begins || slashes > 1 || slashes == 1 && has_file_extension(last) || slashes == 0 && has_file_extension(word)
}

/// Extensions of names without a folder; other words with a dot may be types or modules.
const EXTENSIONS: &str = " avi bin bmp c cfg conf cpp css csv dat db dll doc docx exe flac gif go gz h htm html ini java jpeg jpg js json lock log m4a \
    md mkv mov mp3 mp4 ogg old part pdf png ps1 py rb redb rs sh so sql sqlite svg tar tgz tif tiff tmp toml ts tsv txt wasm wav webm webp xls xlsx xml xz yaml \
    yml zip zst ";

/// `main.rs`, also with a line and a column: `main.rs:2:5`.
fn has_file_extension(name: &str) -> bool {
    let name = name.trim_end_matches(|letter: char| letter == ':' || letter.is_ascii_digit() && name.contains(':'));
    name.rsplit_once('.').is_some_and(|(stem, extension)| {
        !stem.is_empty() && EXTENSIONS.contains(&format!(" {} ", extension.to_lowercase()))
    })
}

const DOMAINS: &str = " app biz cloud com dev edu example gov info internal invalid io lan local net org test ";

/// An address, `localhost`, a domain, and any name with a port.
fn is_host(word: &str) -> bool {
    let digit = word.contains(|letter: char| letter.is_ascii_digit());
    if digit && (word.parse::<IpAddr>().is_ok() || word.parse::<SocketAddr>().is_ok()) {
        return true;
    }
    let (name, port) = word.rsplit_once(':').map_or((word, None), |(name, port)| (name, Some(port)));
    let port = port.map(|port| !port.is_empty() && port.chars().all(|letter| letter.is_ascii_digit()));
    let labels = name.starts_with(char::is_alphabetic)
        && name.split('.').all(|label| {
            !label.is_empty() && label.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-')
        });
    let Some((_, last)) = name.rsplit_once('.') else { return name == "localhost" && port != Some(false) };
    let lower = !name.contains(|letter: char| letter.is_ascii_uppercase());
    let domain =
        last.len() == 2 && lower && last.chars().all(char::is_alphabetic) || DOMAINS.contains(&format!(" {last} "));
    labels && (port == Some(true) || port.is_none() && domain)
}

/// Adds a word with its numbers replaced: those that begin the word or follow a sign. Digits after a letter belong to a name, as in `utf8`.
fn push_without_numbers(out: &mut String, line: &str, start: usize, word: &str) {
    if word.eq_ignore_ascii_case("utf-8") || word.eq_ignore_ascii_case("utf-16") {
        return out.push_str(word);
    }
    let mut at = 0;
    // Whether the digits before were replaced: the unit after them ends at the next digit, as in `1h30m`.
    let mut replaced = false;
    while let Some(letter) = word[at..].chars().next() {
        let (before, rest) = word.split_at(at);
        let free = replaced || !before.ends_with(|letter: char| letter.is_alphabetic());
        if !letter.is_ascii_digit() {
            out.push(letter);
            at += letter.len_utf8();
            continue;
        }
        let number = number_of(rest);
        replaced = free && !is_code(&line[..start + at], number, &line[start + at + number.len()..]);
        out.push_str(if replaced { "{number}" } else { number });
        at += number.len();
    }
}

/// Digits, with signs between digits: `1,234.5`, `1.2.3`, `1_000`.
fn number_of(rest: &str) -> &str {
    let letters: Vec<char> = rest.chars().take_while(char::is_ascii).collect();
    let digit = |at: usize| letters.get(at).is_some_and(char::is_ascii_digit);
    let sign = |at: usize| letters.get(at).is_some_and(|letter| matches!(letter, '.' | ',' | '_'));
    let end = (0..=letters.len()).find(|at| !(digit(*at) || sign(*at) && digit(at + 1))).unwrap_or_default();
    &rest[..end]
}

/// Whether a number is a code, which tells errors apart: `exit code 3`, `os error 2`, `status: 503`, `ORA-00942`, and a status of HTTP or SMTP that
/// begins a clause, such as `404 not found`.
fn is_code(before: &str, number: &str, after: &str) -> bool {
    let named = before.trim_end_matches([' ', ':', '=', '(', '#']);
    let last_word = named.rsplit(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default().to_lowercase();
    let joined = &before[named.len()..];
    match last_word.as_str() {
        "code" | "status" | "errno" | "signal" | "sqlstate" => return joined.len() <= 2,
        "error" | "http" | "err" if joined.len() == 1 && joined != ":" => return true,
        _ => {}
    }
    if before.strip_suffix('-').is_some_and(|name| {
        let name = name.rsplit(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default();
        !name.is_empty() && name.chars().all(|letter| letter.is_ascii_uppercase())
    }) {
        return true;
    }
    let next = after.trim_start().split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default();
    let unit = [
        "ms", "s", "us", "sec", "seconds", "bytes", "B", "kB", "KB", "KiB", "MB", "MiB", "times", "tasks", "files",
        "rows",
    ]
    .contains(&next);
    let begins_clause = before.is_empty() || before.ends_with(": ") || before.ends_with('(');
    let ends = !after.starts_with(|letter: char| is_word(letter) || letter == '%');
    begins_clause && ends && !unit && number.len() == 3 && number.starts_with(['4', '5'])
}

#[cfg(test)]
#[path = "error_pattern_tests.rs"]
mod tests;
