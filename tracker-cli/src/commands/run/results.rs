//! `--results DIR`: the output of each command in files, in the layout of GNU parallel. Used by `runner`; writes below the folder only.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Read, Seek},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use xxhash_rust::xxh3::xxh3_128;

use super::{byte_text::ByteText, command::FinishedCommand, line::Line};
use crate::{error::CliError, output::escape_line};

/// The names of values, which are folders of the layout.
#[derive(Debug, Default)]
pub struct ValueNames {
    /// From `--header`; a value without one has its position as its name.
    pub names: Vec<ByteText>,
    /// The number of values of one line of a group; absent if lines have columns without names.
    pub per_line: Option<usize>,
}

/// The folder of `--results`.
pub struct Results {
    folder: PathBuf,
    names: ValueNames,
}

/// The longest name of a folder that is not cut, in bytes. File systems allow 255.
const NAME_MAX: usize = 200;

/// The longest path below the folder that is not replaced by its hash, in bytes. Linux allows 4,096 with the folder.
const PATH_MAX: usize = 2_000;

impl Results {
    /// Creates the folder.
    pub fn open(folder: &Path, names: ValueNames) -> Result<Self, CliError> {
        let refused = |why: &str| {
            let folder = folder.to_string_lossy();
            CliError::usage(format!("--results {}: {why}", escape_line(&folder)))
        };
        if folder.extension().is_some_and(|form| ["csv", "tsv", "json"].iter().any(|known| form == *known)) {
            return Err(refused(
                "one file for all results is not supported: give a folder, or `tracker export` the lines afterwards",
            ));
        }
        if folder.as_os_str().as_bytes().contains(&b'{') {
            return Err(refused("placeholders are not supported: the results are in DIR/1/VALUE/stdout"));
        }
        fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
        Ok(Self { folder: folder.to_owned(), names })
    }

    /// Writes the output of a command that has ended. The file `seq` is there only if the others are complete.
    ///
    /// Different lines with the same columns share a folder: the files of the last one stay.
    pub fn write(&self, line: &Line, finished: &mut FinishedCommand) -> Result<(), CliError> {
        let folder = self.folder.join(self.names.place(line));
        let mut write = || {
            fs::create_dir_all(&folder)?;
            match fs::remove_file(folder.join("seq")) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            for (output, name) in [(&mut finished.stdout, "stdout"), (&mut finished.stderr, "stderr")] {
                output.rewind()?;
                write_file(&folder, name, line.number, output)?;
            }
            write_file(&folder, "seq", line.number, &mut line.number.to_string().as_bytes())
        };
        write().map_err(|error| failed(&folder, &error))
    }
}

/// Writes a file under a name that only this line uses, and renames it when it is complete.
fn write_file(folder: &Path, name: &str, number: u64, content: &mut impl Read) -> io::Result<()> {
    let new = folder.join(format!(".{name}.{number}.new"));
    io::copy(content, &mut File::create(&new)?)?;
    fs::rename(new, folder.join(name))
}

fn failed(folder: &Path, error: &io::Error) -> CliError {
    let folder = folder.to_string_lossy();
    CliError::file(format!("{}: cannot write the results: {error}; the line keeps its attempt", escape_line(&folder)))
}

impl ValueNames {
    /// Returns the folder of a line: `1/VALUE/2/VALUE`. Lines with different values have different folders.
    fn place(&self, line: &Line) -> PathBuf {
        let values = line.values();
        let mut parts = Vec::new();
        for line_values in values.chunks(self.per_line.unwrap_or(values.len()).max(1)) {
            let mut named: Vec<_> = line_values.iter().enumerate().map(|(at, value)| (self.name(at), value)).collect();
            // GNU parallel sorts names: first by the number that they begin with.
            named.sort_by_cached_key(|(name, _)| (leading_number(name), name.clone()));
            for (name, value) in named {
                parts.extend([folder_name(&name), folder_name(&value.0)]);
            }
        }
        let mut path = parts.join(&b'/');
        if path.len() > PATH_MAX {
            path = hash(&path);
        }
        if line.copy > 1 {
            path.extend_from_slice(format!("\\{}", line.copy).as_bytes());
        }
        PathBuf::from(OsString::from_vec(path))
    }

    fn name(&self, at: usize) -> Vec<u8> {
        self.names.get(at).map_or_else(|| (at + 1).to_string().into_bytes(), |name| name.0.clone())
    }
}

fn leading_number(name: &[u8]) -> u64 {
    let digits = name.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number: u64, digit| number.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
}

/// Returns a value as the name of a folder. GNU parallel escapes a backslash, a tab and a slash like this. The names that it does
/// not escape begin with an escape here: `\.`, `\..`, `\e` for the empty value.
fn folder_name(value: &[u8]) -> Vec<u8> {
    let mut name = match value {
        b"" => b"\\e".to_vec(),
        b"." | b".." => b"\\".to_vec(),
        _ => Vec::new(),
    };
    for byte in value {
        match byte {
            b'\\' => name.extend(b"\\\\"),
            b'\t' => name.extend(b"\\t"),
            b'/' => name.extend(b"\\_"),
            _ => name.push(*byte),
        }
    }
    if name.len() > NAME_MAX {
        let hash = hash(&name);
        name.truncate(without_partial_character(name.get(..NAME_MAX).unwrap_or_default()));
        name.extend(hash);
    }
    name
}

/// Returns the length of the text without an incomplete character at its end.
fn without_partial_character(text: &[u8]) -> usize {
    match std::str::from_utf8(text) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => text.len(),
    }
}

fn hash(text: &[u8]) -> Vec<u8> {
    format!("\\x{:032x}", xxh3_128(text)).into_bytes()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::commands::run::template::{InputForm, Template};

    fn line(values: &[&str], copy: u64) -> Line {
        let command = Template::new(&["echo".into()], false, InputForm::default());
        Line {
            text: ByteText(values.join("\t").into_bytes()),
            values: values.iter().map(|value| ByteText(value.as_bytes().to_vec())).collect(),
            number: 1,
            copy,
            command: command.unwrap_or_else(|refused| panic!("{refused}")),
            oversized: None,
            result: None,
        }
    }

    fn place(names: &[&str], per_line: Option<usize>, values: &[&str]) -> String {
        let names = names.iter().map(|name| ByteText(name.as_bytes().to_vec())).collect();
        ValueNames { names, per_line }.place(&line(values, 1)).to_string_lossy().into_owned()
    }

    #[test]
    fn layout_is_that_of_gnu_parallel() {
        for (names, per_line, values, expected) in [
            (&[][..], Some(1), &["a"][..], "1/a"),
            (&[], Some(2), &["a", "b"], "1/a/2/b"),
            (&[], Some(1), &["a", "b"], "1/a/1/b"),
            (&[], None, &["a", "b", "c"], "1/a/2/b/3/c"),
            (&["y", "x"], Some(2), &["a", "b"], "x/b/y/a"),
            (&["10z", "9z", "y"], Some(3), &["a", "b", "c"], "y/c/9z/b/10z/a"),
            (&["y"], None, &["a", "b"], "y/a/2/b"),
            (&[], Some(1), &["a/b\\c\td"], "1/a\\_b\\\\c\\td"),
        ] {
            assert_eq!(place(names, per_line, values), expected);
        }
    }

    #[test]
    fn hostile_values_stay_in_their_folder_and_differ() {
        let long = "x".repeat(NAME_MAX + 1);
        let (longer, wide) = (format!("{long}x"), "ü".repeat(NAME_MAX));
        let values =
            ["", ".", "..", "\\.", "\\..", "\\e", "/", "//", "../..", "\\_", "\\2", "stdout", &long, &longer, &wide];
        let mut places = HashSet::new();
        for first in values {
            for second in values {
                for copy in 1..=2 {
                    let names = ValueNames { names: vec![ByteText(b"..".to_vec())], per_line: Some(2) };
                    let place = names.place(&line(&[first, second], copy));
                    let parts: Vec<_> = place.components().collect();
                    assert_eq!(parts.len(), 4, "{}", place.display());
                    for part in parts {
                        assert!(matches!(part, std::path::Component::Normal(name) if name.len() <= 255));
                    }
                    places.insert(place);
                }
            }
        }
        assert_eq!(places.len(), values.len() * values.len() * 2);
    }

    #[test]
    fn long_path_is_its_hash() {
        let values: Vec<_> = (0..1_000).map(|number| number.to_string()).collect();
        let mut values: Vec<_> = values.iter().map(String::as_str).collect();
        let first = place(&[], Some(1), &values);
        values.push("more");
        let second = place(&[], Some(1), &values);
        assert_eq!((first.len(), second.len(), first == second), (34, 34, false));
    }
}
