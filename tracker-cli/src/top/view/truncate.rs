//! Shortens text to a number of columns. Called by `view`; pure.

use console::{measure_text_width, truncate_str};

/// Removes the middle of a text that is too long: ids differ at their ends.
pub fn middle(text: &str, columns: usize) -> String {
    if measure_text_width(text) <= columns {
        return text.to_owned();
    }
    let head = columns.saturating_sub(1) / 3;
    let tail = columns.saturating_sub(1) - head;
    let start = text.char_indices().rev().map(|(at, _)| at).take_while(|at| measure_text_width(&text[*at..]) <= tail);
    let start = start.last().unwrap_or(text.len());
    format!("{}…{}", truncate_str(text, head, ""), &text[start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_loses_its_middle() {
        assert_eq!(middle("short", 5), "short");
        assert_eq!(middle("/a/long/path/to/file-1", 13), "/a/l…o/file-1");
        assert_eq!(middle("漢字漢字漢字", 7), "漢…漢字");
        assert_eq!(middle("anything", 1), "…");
    }
}
