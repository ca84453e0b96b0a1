//! Numbers, sizes, percentages and bars as text. Called by commands, `report` and `top`; pure.

/// Formats a number with a comma between groups of three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Sums counters. Saturates, because counters of a damaged file may have any value.
pub fn sum(counts: impl IntoIterator<Item = u64>) -> u64 {
    counts.into_iter().fold(0, u64::saturating_add)
}

/// Formats a number with its noun in the singular or the plural.
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// Formats the size of a file.
pub fn bytes(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
    let mut size = bytes as f64;
    let mut units = ["bytes", "kB", "MB", "GB", "TB"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    for next in units {
        if size < 1_000.0 {
            break;
        }
        size /= 1_000.0;
        unit = next;
    }
    if unit == "bytes" { format!("{bytes} bytes") } else { format!("{size:.1} {unit}") }
}

/// Formats a share in percent. Shows `0%` and `100%` only if they are exact.
pub fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "0%".to_owned();
    }
    let percent = u128::from(part) * 100 / u128::from(whole);
    match (percent, part) {
        (0, 1..) => "<1%".to_owned(),
        _ => format!("{percent}%"),
    }
}

/// Draws a bar in eighths of a column. A part above zero has at least one eighth.
pub fn bar(part: u64, whole: u64, columns: u64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let filled = u128::from(part) * u128::from(columns) * 8 / u128::from(whole.max(1));
    let filled = usize::try_from(filled).unwrap_or_default().max(usize::from(part > 0));
    let rest = EIGHTHS.get(filled % 8).copied().unwrap_or_default();
    format!("{}{rest}", "█".repeat(filled / 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_sizes_are_grouped() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!((counted(1, "task", "tasks"), counted(0, "task", "tasks")), ("1 task".into(), "0 tasks".into()));
        assert_eq!([999, 1_000, 12_345_678].map(bytes), ["999 bytes", "1.0 kB", "12.3 MB"]);
    }

    #[test]
    fn share_is_0_or_100_percent_only_if_exact() {
        assert_eq!(
            [(0, 0), (0, 9), (1, 1_000), (999, 1_000), (5, 5)].map(|(part, whole)| percent(part, whole)),
            ["0%", "0%", "<1%", "99%", "100%"]
        );
        assert_eq!(
            [(0, 9), (1, 1_000), (1, 2), (3, 3)].map(|(part, whole)| bar(part, whole, 4)),
            ["", "▏", "██", "████"]
        );
    }
}
