use std::fmt::Display;

/// The known word that the written one was probably meant to be.
pub(crate) fn nearest<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    let written = written.to_lowercase();
    let allowed = (written.chars().count() / 3).max(1);
    let close = known.iter().map(|word| (distance(&written, word), *word)).filter(|(away, _)| *away <= allowed);
    close.min_by_key(|(away, _)| *away).map(|(_, word)| word).or_else(|| same_start(&written, known))
}

/// The message on a word that is not known here.
pub(crate) fn unknown(written: impl Display, known: &[&str]) -> String {
    let written = written.to_string();
    match nearest(&written, known) {
        Some(word) => format!("unknown word `{written}`: write `{word}`"),
        None => format!("unknown word `{written}`: write {}", one_of(known)),
    }
}

/// Whether the written word was probably meant to be this one of the known.
pub(crate) fn meant(written: &str, word: &str, known: &[&str]) -> bool {
    nearest(written, known) == Some(word)
}

/// The words as a choice: "`a`, `b` or `c`".
pub(crate) fn one_of(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

/// `success` for `succeeded`, `time_limit` for `timeout`: four letters in common at the start, and the only such word.
fn same_start<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    let start = written.get(..4)?;
    let mut matches = known.iter().filter(|word| word.starts_with(start));
    let found = matches.next()?;
    matches.next().is_none().then_some(*found)
}

/// The number of letters to insert, delete, replace or swap with their neighbour.
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
    fn the_nearest_word_is_found_and_a_far_one_is_not() {
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
    fn a_choice_reads_as_a_sentence() {
        assert_eq!(one_of(&["a"]), "`a`");
        assert_eq!(one_of(&["a", "b", "c"]), "`a`, `b` or `c`");
        assert_eq!(unknown("zzz", &["a", "b"]), "unknown word `zzz`: write `a` or `b`");
    }
}
