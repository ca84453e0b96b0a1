//! `Template`: the command with its placeholders, stored with each line. Made by `parse_command`, filled by `runner`; pure.

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
    placeholder::{Placeholder, PlaceholderValues, has_placeholder, placeholders, replace, unsupported},
    record::Record,
    script::{Script, quoted},
};

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pub words: Vec<ByteText>,
    /// True for a command line for `/bin/sh`, false for a program with arguments.
    pub shell: bool,
    /// How a record becomes values, if it is not one line with one value: `--colsep ","`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub input: Option<String>,
    /// Words with a placeholder are repeated for each value (`-X`).
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub repeats_words: bool,
    /// The words have no placeholders: a scheduled command gets no line of input.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub is_literal: bool,
}

/// How records become values.
pub struct InputForm {
    /// The options, if a record is not one line with one value.
    pub description: Option<String>,
    /// The number of values of a full record; absent if lines have columns.
    pub values: Option<usize>,
    /// A command gets as many lines as fit.
    pub fills: bool,
}

/// One value for each line.
impl Default for InputForm {
    fn default() -> Self {
        Self { description: None, values: Some(1), fills: false }
    }
}

impl Template {
    /// Without a placeholder, the line is the last argument. Without words, the line is the command.
    ///
    /// # Errors
    /// A placeholder that is not supported, or that has no safe value where it is.
    pub fn new(words: &[OsString], shell: bool, form: InputForm) -> Result<Self, String> {
        let mut words: Vec<_> = words.iter().map(|word| ByteText::from(word.as_os_str())).collect();
        if let Some(name) = words.iter().find_map(|word| unsupported(&word.0)) {
            let name = String::from_utf8_lossy(name);
            return Err(format!(
                "the placeholder {name} of GNU parallel is not supported: use {{}}, {{.}}, {{/}}, {{//}}, {{/.}}, {{1}}, {{#}} or \
                 {{%}}, or have a script take the line apart"
            ));
        }
        let line = joined(&words);
        let script = Script::new(&line);
        let placeholders: Vec<_> = if shell {
            script.placeholders().map(|(_, placeholder)| placeholder).collect()
        } else {
            words.iter().flat_map(|word| placeholders(&word.0)).map(|(_, placeholder)| placeholder).collect()
        };
        check_positions(&placeholders, &form)?;
        if placeholders.is_empty() {
            words.push(ByteText(b"{}".to_vec()));
        }
        let line = joined(&words);
        if let Some((name, place)) = Script::new(&line).refused().filter(|_| shell) {
            return Err(format!(
                "the placeholder {} is {place}, where --shell cannot insert a line safely: write it outside, or assign it \
                 to a variable first (line={{}}; …), or pass it as an argument (sh -c 'wc \"$1\"' sh {{}})",
                String::from_utf8_lossy(name)
            ));
        }
        Ok(Self { words, shell, input: form.description, repeats_words: form.fills, is_literal: false })
    }

    /// A scheduled command. Schedules replace their own placeholders, such as `{scheduled_at}`, when they submit it.
    ///
    /// # Errors
    /// A word is not text, or a placeholder has no safe value where it is.
    pub fn literal(words: &[OsString], shell: bool) -> Result<Self, String> {
        if let Some(word) = words.iter().find(|word| word.to_str().is_none()) {
            let word = word.display();
            return Err(format!("{word} is not UTF-8: schedules store text; a script can name such a file"));
        }
        let words: Vec<_> = words.iter().map(|word| ByteText::from(word.as_os_str())).collect();
        let line = String::from_utf8_lossy(&joined(&words)).into_owned();
        match ["{schedule}", "{id}"].iter().find(|name| shell && line.contains(**name)) {
            Some(name) => Err(format!(
                "{name} has no safe value in a command for --shell: write \"$TRACKER_ID\", which is NAME@TIME"
            )),
            None => Ok(Self { words, shell, input: None, repeats_words: false, is_literal: true }),
        }
    }

    /// Returns whether the program is the same for all lines.
    pub fn has_fixed_program(&self) -> bool {
        self.shell || self.words.first().is_some_and(|word| !has_placeholder(&word.0))
    }

    /// Returns the program if it is the same for all lines and does not exist.
    pub fn missing_program(&self) -> Option<String> {
        let is_known = |word: &&ByteText| !self.shell && (self.is_literal || !has_placeholder(&word.0));
        let word = self.words.first().filter(is_known)?;
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
            return self.arguments(values).map(OsString::from_vec).collect();
        }
        let shell = || OsString::from("/bin/sh");
        if self.is_literal {
            return vec![shell(), "-c".into(), OsString::from_vec(joined(&self.words))];
        }
        if self.is_line() {
            return vec![shell(), "-c".into(), OsString::from_vec(values.joined().into_owned())];
        }
        let command = joined(&self.words);
        let (script, values) = Script::new(&command).fill(values);
        let values = values.into_iter().map(|value| OsString::from_vec(value.into_owned()));
        // The first argument after the script is the name that the shell gives itself.
        [shell(), "-c".into(), OsString::from_vec(script), shell()].into_iter().chain(values).collect()
    }

    /// Returns the words of a command without a shell.
    fn arguments<'a>(&'a self, values: PlaceholderValues<'a>) -> impl Iterator<Item = Vec<u8>> + 'a {
        self.words.iter().flat_map(move |word| {
            if self.is_literal {
                vec![word.0.clone()]
            } else if self.is_repeated(word) {
                values.each().flat_map(|value| replace(&word.0, value)).collect()
            } else {
                replace(&word.0, values)
            }
        })
    }

    fn is_repeated(&self, word: &ByteText) -> bool {
        self.repeats_words && placeholders(&word.0).any(|(_, placeholder)| placeholder.is_all())
    }

    /// Returns the length of the command without the words that are repeated, in bytes.
    pub fn bytes(&self) -> usize {
        self.words.iter().filter(|word| !self.is_repeated(word)).map(|word| word.0.len() + 1).sum()
    }

    /// Returns an upper bound of the bytes that a record adds to a command whose words are repeated.
    pub fn repeated_bytes(&self, record: &Record) -> usize {
        let (count, line) = (record.values.len().max(1), record.lines.iter().map(Vec::len).sum::<usize>());
        let words = self.words.iter().filter(|word| self.is_repeated(word));
        words.map(|word| (word.0.len() + 1) * count + line * placeholders(&word.0).count()).sum()
    }

    /// Whether the line is the command itself, and is meant to be read by the shell.
    fn is_line(&self) -> bool {
        self.shell && matches!(self.words.as_slice(), [word] if word.0 == b"{}")
    }

    /// One command line, for people: as GNU parallel's log has it.
    pub fn command_line(&self, values: PlaceholderValues<'_>) -> Vec<u8> {
        if self.is_line() {
            return values.joined().into_owned();
        }
        if self.shell && self.is_literal {
            return joined(&self.words);
        }
        if self.shell {
            return Script::new(&joined(&self.words)).command_line(values);
        }
        let words = self.arguments(values).map(|word| quoted(&word).into_owned());
        words.collect::<Vec<_>>().join(&b' ')
    }
}

fn joined(words: &[ByteText]) -> Vec<u8> {
    words.iter().map(|word| word.0.as_slice()).collect::<Vec<_>>().join(&b' ')
}

/// Refuses placeholders for values that no line has.
fn check_positions(placeholders: &[Placeholder], form: &InputForm) -> Result<(), String> {
    let positions = || placeholders.iter().filter_map(|placeholder| placeholder.position());
    if form.fills && positions().next().is_some() {
        return Err(
            "placeholders with a position, such as {1}, have no value with -X: use {}, or -n in place of -X".to_owned()
        );
    }
    match (form.values, positions().max()) {
        (Some(values), Some(at)) if at > values => Err(format!(
            "the placeholder {{{at}}} has no value, because each command gets {values}: give a further source (:::), or split \
             lines with --colsep or --csv; in a regular expression, {{{at},{at}}} means the same as {{{at}}}"
        )),
        _ => Ok(()),
    }
}

/// As it was given.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&joined(&self.words)))?;
        f.write_str(if self.shell { ", with --shell" } else { "" })?;
        self.input.as_ref().map_or(Ok(()), |input| write!(f, ", with {input}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(words: &[&str], shell: bool) -> Result<Template, String> {
        let words: Vec<OsString> = words.iter().map(Into::into).collect();
        Template::new(&words, shell, InputForm::default())
    }

    fn fill(words: &[&str], shell: bool, line: &str) -> Vec<String> {
        let template = template(words, shell).unwrap_or_else(|refused| panic!("{refused}"));
        let values = [ByteText(line.into())];
        let filled = template.fill(PlaceholderValues::new(&values, 7, 2));
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
            (["echo", "{2/}"], false, "the placeholder {2} has no value, because each command gets 1"),
            (["echo", "{##}"], false, "the placeholder {##} of GNU parallel is not supported: use {}, "),
            (["echo", "'{.}'"], true, "the placeholder {.} is inside single quotes"),
            (["cat", "<<EOF"], true, "the placeholder {} is after <<"),
        ] {
            let refused = template(&words, shell).err().unwrap_or_default();
            assert!(refused.contains(says), "{refused}");
        }
        assert!(template(&["cat", "<<EOF"], false).is_ok());
    }

    #[test]
    fn repeated_words_stand_for_each_value() {
        let words: Vec<OsString> = ["cp", "a{}b", "{/}", "x"].iter().map(Into::into).collect();
        let form = |fills| InputForm { description: None, values: Some(2), fills };
        let values = ["1", "c/2"].map(|value| ByteText(value.into()));
        let shown = |fills| {
            let template = Template::new(&words, false, form(fills)).unwrap_or_else(|refused| panic!("{refused}"));
            String::from_utf8_lossy(&template.command_line(PlaceholderValues::new(&values, 7, 2))).into_owned()
        };
        assert_eq!(shown(true), "cp a1b ac/2b 1 2 x");
        assert_eq!(shown(false), "cp a1 c/2b 1 2 x");
        let refused = Template::new(&["{1}".into()], false, form(true)).err().unwrap_or_default();
        assert!(refused.starts_with("placeholders with a position, such as {1}, have no value with -X"), "{refused}");
    }

    #[test]
    fn placeholder_in_a_line_is_not_replaced() {
        assert_eq!(fill(&["{}", "{}"], false, "{}{.}"), ["{}{.}", "{}{.}"]);
    }
}
