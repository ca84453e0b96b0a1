//! Numbers, durations, times and foreign text as people read them. Pure; called by `html`.

use std::{fmt, time::Duration};

use maud::{Markup, Render, html};
use tracker_core::chrono::{DateTime, SecondsFormat, Utc};

/// Formats a number with its thousands apart: `1 234 567`, with narrow spaces that do not break.
pub fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 2);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// Formats a number with its noun: `1 task`, `2 tasks`.
pub fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(count), if count == 1 { one } else { many })
}

/// Formats a size in bytes: `12.3 KiB`.
pub fn bytes(count: usize) -> String {
    let sizes = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match sizes.iter().find(|(_, shift)| count >> shift > 0) {
        Some((unit, shift)) => {
            let tenths = count.saturating_mul(10) >> shift;
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
        None => format!("{count} bytes"),
    }
}

/// A duration in at most two units: `1 h 30 min`, `5 min`, `12.3 s`, `250 ms`, `40 µs`.
pub struct Span(pub Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, millis) = (self.0.as_secs(), self.0.as_millis());
        let mut two = |(great, unit): (u64, &str), (small, sub): (u64, &str)| match small {
            0 => write!(f, "{great} {unit}"),
            _ => write!(f, "{great} {unit} {small} {sub}"),
        };
        match seconds {
            60..3_600 => two((seconds / 60, "min"), (seconds % 60, "s")),
            3_600..86_400 => two((seconds / 3_600, "h"), (seconds / 60 % 60, "min")),
            86_400.. => two((seconds / 86_400, "d"), (seconds / 3_600 % 24, "h")),
            0 if millis < 1 => write!(f, "{} µs", self.0.as_micros()),
            0 => write!(f, "{millis} ms"),
            1..60 => write!(f, "{:.1} s", self.0.as_secs_f64()),
        }
    }
}

/// Returns the time between two instants, or zero.
pub fn between(earlier: DateTime<Utc>, later: DateTime<Utc>) -> Duration {
    (later - earlier).to_std().unwrap_or_default()
}

/// Formats a time relative to now: `3 min 2 s ago`, `in 5 min`. The exact time is in the title of the element.
pub fn time(at: DateTime<Utc>, now: DateTime<Utc>) -> Markup {
    let exact = exact(at);
    let relative = match (now - at).to_std() {
        Ok(ago) if ago < Duration::from_secs(1) => "just now".to_owned(),
        Ok(ago) => format!("{} ago", Span(ago)),
        Err(_) => format!("in {}", Span(between(now, at))),
    };
    html! { time datetime=(exact) title=(exact) { (relative) } }
}

/// Formats a time in UTC to the second.
pub fn exact(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Text of the file, which may hold anything: control characters and marks of text direction are made visible.
pub struct Text<'t>(pub &'t str);

impl Render for Text<'_> {
    fn render_to(&self, buffer: &mut String) {
        let mut rest = self.0;
        while let Some(at) = rest.find(|char| is_hidden(char) && !matches!(char, '\n' | '\t')) {
            let (before, after) = rest.split_at(at);
            before.render_to(buffer);
            let mut chars = after.chars();
            if let Some(hidden) = chars.next() {
                hidden.escape_default().to_string().render_to(buffer);
            }
            rest = chars.as_str();
        }
        rest.render_to(buffer);
    }
}

/// Returns whether a character cannot be seen: control characters, marks of text direction, characters without a width.
pub fn is_hidden(char: char) -> bool {
    let marks =
        matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}'..='\u{200f}' | '\u{feff}');
    marks || char.is_control()
}

/// Returns the first line of a text, at most so many characters.
pub fn first_line(text: &str, most: usize) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_sizes_and_durations_are_readable() {
        assert_eq!(number(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!((number(999), number(1_000)), ("999".to_owned(), "1\u{202f}000".to_owned()));
        assert_eq!((bytes(12), bytes(10 << 20)), ("12 bytes".to_owned(), "10.0 MiB".to_owned()));
        for (micros, text) in [
            (40, "40 µs"),
            (250_000, "250 ms"),
            (12_340_000, "12.3 s"),
            (61_000_000, "1 min 1 s"),
            (5_400_000_000, "1 h 30 min"),
            (180_000_000_000, "2 d 2 h"),
        ] {
            assert_eq!(Span(Duration::from_micros(micros)).to_string(), text);
        }
    }

    #[test]
    fn hidden_characters_of_foreign_text_are_made_visible() {
        let shown = html! { (Text("<b>\u{202e}\u{1b}[2J & \"x\"\n")) }.into_string();
        assert_eq!(shown, "&lt;b&gt;\\u{202e}\\u{1b}[2J &amp; &quot;x&quot;\n");
    }

    #[test]
    fn long_lines_are_cut_between_characters() {
        assert_eq!(first_line("äöü\nrest", 2), "äö…");
        assert_eq!(first_line("ab", 2), "ab");
    }
}
