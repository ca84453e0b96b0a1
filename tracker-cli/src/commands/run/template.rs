//! The command with its placeholders, stored with each line.

use std::{
    env,
    ffi::{OsStr, OsString},
    fmt,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::{
    byte_text::ByteText,
    placeholder::{PlaceholderValues, has_placeholder, replace, unsupported},
    script::{Script, quoted},
};

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pub words: Vec<ByteText>,
    /// True for a command line for `/bin/sh`, false for a program with arguments.
    pub shell: bool,
}

impl Template {
    /// Without a placeholder, the line is the last argument. Without words, the line is the command.
    ///
    /// # Errors
    /// A placeholder that is not supported, or that has no safe value where it is.
    pub fn new(words: &[OsString], shell: bool) -> Result<Self, String> {
        let mut words: Vec<_> = words.iter().map(|word| ByteText::from(word.as_os_str())).collect();
        if let Some(name) = words.iter().find_map(|word| unsupported(&word.0)) {
            return Err(unsupported_text(&String::from_utf8_lossy(name)));
        }
        let has_placeholder = if shell {
            Script::new(&joined(&words)).has_placeholder()
        } else {
            words.iter().any(|word| has_placeholder(&word.0))
        };
        if !has_placeholder {
            words.push(ByteText(b"{}".to_vec()));
        }
        if let Some((name, place)) = Script::new(&joined(&words)).refused().filter(|_| shell) {
            return Err(format!(
                "the placeholder {} is {place}, where --shell cannot insert a line safely: write it outside, or assign it \
                 to a variable first (line={{}}; …), or pass it as an argument (sh -c 'wc \"$1\"' sh {{}})",
                String::from_utf8_lossy(name)
            ));
        }
        Ok(Self { words, shell })
    }

    /// Returns whether the program is the same for all lines.
    pub fn has_fixed_program(&self) -> bool {
        self.shell || self.words.first().is_some_and(|word| !has_placeholder(&word.0))
    }

    /// Returns the program if it is the same for all lines and does not exist.
    pub fn missing_program(&self) -> Option<String> {
        let word = self.words.first().filter(|word| !self.shell && !has_placeholder(&word.0))?;
        let program = Path::new(OsStr::from_bytes(&word.0));
        let is_there = if word.0.contains(&b'/') {
            program.exists()
        } else {
            env::split_paths(&env::var_os("PATH")?).any(|folder| folder.join(program).exists())
        };
        (!is_there).then(|| program.to_string_lossy().into_owned())
    }

    /// Returns the program and its arguments.
    pub fn fill(&self, values: PlaceholderValues<'_>) -> Vec<OsString> {
        if !self.shell {
            let words = self.words.iter().map(|word| replace(&word.0, values));
            return words.map(OsString::from_vec).collect();
        }
        let shell = || OsString::from("/bin/sh");
        if self.is_line() {
            return vec![shell(), "-c".into(), OsStr::from_bytes(values.line).to_owned()];
        }
        let command = joined(&self.words);
        let (script, values) = Script::new(&command).fill(&values);
        let values = values.into_iter().map(|value| OsString::from_vec(value.into_owned()));
        // The first argument after the script is the name that the shell gives itself.
        [shell(), "-c".into(), OsString::from_vec(script), shell()].into_iter().chain(values).collect()
    }

    /// Whether the line is the command itself, and is meant to be read by the shell.
    fn is_line(&self) -> bool {
        self.shell && matches!(self.words.as_slice(), [word] if word.0 == b"{}")
    }

    /// One command line, for people: as GNU parallel's log has it.
    pub fn command_line(&self, values: PlaceholderValues<'_>) -> Vec<u8> {
        if self.is_line() {
            return values.line.to_vec();
        }
        if self.shell {
            return Script::new(&joined(&self.words)).command_line(&values);
        }
        let words = self.words.iter().map(|word| quoted(&replace(&word.0, values)).into_owned());
        words.collect::<Vec<_>>().join(&b' ')
    }
}

fn joined(words: &[ByteText]) -> Vec<u8> {
    words.iter().map(|word| word.0.as_slice()).collect::<Vec<_>>().join(&b' ')
}

fn unsupported_text(name: &str) -> String {
    let count = name.trim_matches(['{', '}']);
    let way_out = if count.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("use {{}} for the line; in a regular expression, {{{count},{count}}} means the same as {name}")
    } else {
        "use {}, {.}, {/}, {//}, {/.}, {#} or {%}, or have a script take the line apart".to_owned()
    };
    format!("the placeholder {name} of GNU parallel is not supported: {way_out}")
}

/// As it was given.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&joined(&self.words)))?;
        f.write_str(if self.shell { ", with --shell" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(words: &[&str], shell: bool) -> Result<Template, String> {
        let words: Vec<OsString> = words.iter().map(Into::into).collect();
        Template::new(&words, shell)
    }

    fn fill(words: &[&str], shell: bool, line: &str) -> Vec<String> {
        let template = template(words, shell).unwrap_or_else(|refused| panic!("{refused}"));
        let filled = template.fill(PlaceholderValues { line: line.as_bytes(), number: 7, slot: 2 });
        filled.iter().map(|word| word.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn placeholders_match_gnu_parallel() {
        // The output of GNU parallel 20221122, except for paths that end in a slash, which follow dirname.
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
    fn line_is_the_last_argument_without_placeholder() {
        assert_eq!(fill(&["gzip", "-9"], false, "a b"), ["gzip", "-9", "a b"]);
        assert_eq!(fill(&["gzip", "x{#}"], false, "a b"), ["gzip", "x7"]);
    }

    #[test]
    fn line_is_never_shell_code() {
        let line = "a'; rm -rf / #";
        assert_eq!(
            fill(&["echo", "{} | wc"], true, line),
            ["/bin/sh", "-c", "tracker_place_1=$1; shift 1; echo \"${tracker_place_1}\" | wc", "/bin/sh", line]
        );
        // Unless the line is the command.
        assert_eq!(fill(&[], true, "echo a | wc"), ["/bin/sh", "-c", "echo a | wc"]);
    }

    #[test]
    fn refused_placeholders_are_named_with_a_way_out() {
        for (words, shell, says) in [
            (["grep", "a{4}"], false, "{4,4} means the same as {4}"),
            (["echo", "{2/}"], false, "the placeholder {2/} of GNU parallel is not supported: use {}, "),
            (["echo", "'{.}'"], true, "the placeholder {.} is inside single quotes"),
            (["cat", "<<EOF"], true, "the placeholder {} is after <<"),
        ] {
            let refused = template(&words, shell).err().unwrap_or_default();
            assert!(refused.contains(says), "{refused}");
        }
        assert!(template(&["cat", "<<EOF"], false).is_ok());
    }

    #[test]
    fn placeholder_in_a_line_is_not_replaced() {
        assert_eq!(fill(&["{}", "{}"], false, "{}{.}"), ["{}{.}", "{}{.}"]);
    }
}
