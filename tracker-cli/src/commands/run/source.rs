//! The sources of lines on the command line, with the words of GNU parallel: `:::`, `:::+`, `::::` and `::::+`. Called by `parse_command` and
//! `input`; pure.

use std::{ffi::OsString, path::PathBuf};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Arguments(Vec<OsString>),
    File(PathBuf),
    Stdin,
}

/// Sources that are read in step: the first lines of all are one record, then the second lines.
pub type LinkedSources = Vec<Source>;

/// Splits the arguments into the command and its sources. Without sources, the standard input is the only one.
///
/// # Errors
/// A linked source comes first, a list of files is empty, or the standard input is read twice.
pub fn split(arguments: &[OsString]) -> Result<(&[OsString], Vec<LinkedSources>), String> {
    let begin = arguments.iter().position(|word| separator(word).is_some()).unwrap_or(arguments.len());
    let (command, mut rest) = arguments.split_at(begin);
    let mut groups: Vec<LinkedSources> = Vec::new();
    while let Some((first, after)) = rest.split_first() {
        let Some((has_files, is_linked)) = separator(first) else { break };
        let end = after.iter().position(|word| separator(word).is_some()).unwrap_or(after.len());
        let (words, after) = after.split_at(end);
        rest = after;
        let name = first.to_string_lossy();
        let sources =
            if has_files { words.iter().map(file).collect() } else { vec![Source::Arguments(words.to_vec())] };
        match groups.last_mut() {
            _ if sources.is_empty() => {
                return Err(format!("{name} names no file: give one after it, or - for the standard input"));
            }
            Some(group) if is_linked => group.extend(sources),
            None if is_linked => {
                return Err(format!("{name} is linked to the source before it: give ::: or :::: first"));
            }
            _ => groups.extend(sources.into_iter().map(|source| vec![source])),
        }
    }
    if groups.iter().flatten().filter(|source| **source == Source::Stdin).count() > 1 {
        return Err(":::: names the standard input (-) twice: one source can read it".to_owned());
    }
    if groups.is_empty() {
        groups.push(vec![Source::Stdin]);
    }
    Ok((command, groups))
}

/// Returns whether the source consists of files, and whether it is linked.
fn separator(word: &OsString) -> Option<(bool, bool)> {
    match word.to_str()? {
        ":::" => Some((false, false)),
        ":::+" => Some((false, true)),
        "::::" => Some((true, false)),
        "::::+" => Some((true, true)),
        _ => None,
    }
}

fn file(word: &OsString) -> Source {
    if word == "-" { Source::Stdin } else { Source::File(word.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(words: &str) -> Result<(usize, Vec<LinkedSources>), String> {
        let words: Vec<OsString> = words.split(' ').map(Into::into).collect();
        split(&words).map(|(command, groups)| (command.len(), groups))
    }

    fn arguments(words: &[&str]) -> Source {
        Source::Arguments(words.iter().map(Into::into).collect())
    }

    #[test]
    fn sources_follow_the_command() {
        assert_eq!(groups("echo {}"), Ok((2, vec![vec![Source::Stdin]])));
        assert_eq!(
            groups("echo ::: a b :::+ c ::: d"),
            Ok((1, vec![vec![arguments(&["a", "b"]), arguments(&["c"])], vec![arguments(&["d"])],]))
        );
        assert_eq!(
            groups("echo :::: f - ::::+ g h :::"),
            Ok((
                1,
                vec![
                    vec![Source::File("f".into())],
                    vec![Source::Stdin, Source::File("g".into()), Source::File("h".into())],
                    vec![arguments(&[])],
                ]
            ))
        );
    }

    #[test]
    fn sources_without_a_meaning_are_refused() {
        for (words, error) in [
            ("echo :::+ a", ":::+ is linked to the source before it"),
            ("echo ::::", ":::: names no file"),
            ("echo :::: - ::: a :::: -", "the standard input (-) twice"),
        ] {
            assert!(groups(words).is_err_and(|refused| refused.contains(error)), "{words}");
        }
    }
}
