//! Suggests the option that a misspelled one was meant to be. Called for error messages; pure.

use std::fmt::Display;

/// Returns the known option that is nearest to the written one, if any is close.
pub(crate) fn nearest<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    let written = written.to_lowercase();
    let allowed = (written.chars().count() / 3).max(1);
    let close = known.iter().map(|option| (distance(&written, option), *option)).filter(|(away, _)| *away <= allowed);
    close.min_by_key(|(away, _)| *away).map(|(_, option)| option).or_else(|| same_start(&written, known))
}

/// Returns the message for an unknown option.
pub(crate) fn unknown(written: impl Display, known: &[&str]) -> String {
    let written = written.to_string();
    match nearest(&written, known) {
        Some(option) => format!("unknown option `{written}`: write `{option}`"),
        None => format!("unknown option `{written}`: write {}", one_of(known)),
    }
}

/// Returns whether the written option is probably this one.
pub(crate) fn meant(written: &str, option: &str, known: &[&str]) -> bool {
    nearest(written, known) == Some(option)
}

/// Joins options to a choice: "`a`, `b` or `c`".
pub(crate) fn one_of(options: &[&str]) -> String {
    let quoted: Vec<_> = options.iter().map(|option| format!("`{option}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

/// Returns the only option with the same first four letters: `succeeded` for `success`, `timeout` for `time_limit`.
fn same_start<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    let start = written.get(..4)?;
    let mut matches = known.iter().filter(|option| option.starts_with(start));
    let found = matches.next()?;
    matches.next().is_none().then_some(*found)
}

/// Returns the number of letters to insert, delete, replace or swap with a neighbour (Damerau-Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<_>, Vec<_>) = (from.chars().collect(), to.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=to.len()).collect()];
    for i in 1..=from.len() {
        let mut row = vec![i];
        for j in 1..=to.len() {
            let replace = rows[i - 1][j - 1] + usize::from(from[i - 1] != to[j - 1]);
            let mut best = replace.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLES: [&str; 4] = ["pending", "in_progress", "succeeded", "cancelled"];

    #[test]
    fn near_option_is_found_and_far_one_is_not() {
        let cases = [
            ("pendng", Some("pending")),
            ("Pending", Some("pending")),
            ("pednign", Some("pending")),
            ("canceled", Some("cancelled")),
            ("inprogress", Some("in_progress")),
            ("success", Some("succeeded")),
            ("done", None),
            ("", None),
            ("écr", None),
        ];
        for (written, expected) in cases {
            assert_eq!(nearest(written, &ROLES), expected, "{written}");
        }
    }

    #[test]
    fn choice_is_joined_with_or() {
        assert_eq!(one_of(&["a"]), "`a`");
        assert_eq!(one_of(&["a", "b", "c"]), "`a`, `b` or `c`");
        assert_eq!(unknown("zzz", &["a", "b"]), "unknown option `zzz`: write `a` or `b`");
    }
}
