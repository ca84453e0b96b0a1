//! `Columns`: splits a line into columns, for `--colsep` and `--csv`. Made by `parse_command`, called by `record_reader`; pure.

use regex::bytes::Regex;

use super::byte_text::ByteText;

#[derive(Clone, Debug)]
pub enum Columns {
    /// Fields in the form of RFC 4180, with this separator. A quoted field may contain the end of a line.
    Csv(u8),
    /// Columns with a separator that matches the expression.
    Separated(Regex),
}

impl Columns {
    /// Reads the options.
    ///
    /// # Errors
    /// The separator is not a regular expression, or is not one byte with `--csv`.
    pub fn new(separator: Option<&str>, csv: bool) -> Result<Option<Self>, String> {
        match (separator, csv) {
            (None, false) => Ok(None),
            (None, true) => Ok(Some(Self::Csv(b','))),
            (Some("\\t" | "\t"), true) => Ok(Some(Self::Csv(b'\t'))),
            (Some(separator), true) => match separator.as_bytes() {
                [separator] if !b"\"\r\n".contains(separator) => Ok(Some(Self::Csv(*separator))),
                _ => Err(format!("--colsep {separator:?}: with --csv, expected one byte, or \\t")),
            },
            (Some(""), false) => {
                Err("--colsep is empty: expected a regular expression such as '\\t' or ' +'".to_owned())
            }
            (Some(separator), false) => Regex::new(separator)
                .map(|separator| Some(Self::Separated(separator)))
                .map_err(|error| format!("--colsep: {error}")),
        }
    }

    /// Returns whether the text ends inside quotes: the record continues on the next line.
    pub fn is_open(&self, text: &[u8]) -> bool {
        matches!(self, Self::Csv(_)) && text.iter().fold(false, |is_open, byte| is_open != (*byte == b'"'))
    }

    /// Splits a record.
    ///
    /// # Errors
    /// The text is not CSV.
    pub fn split(&self, text: &[u8]) -> Result<Vec<ByteText>, &'static str> {
        match self {
            Self::Csv(separator) => fields(text, *separator),
            Self::Separated(separator) => Ok(separator.split(text).map(|column| ByteText(column.to_vec())).collect()),
        }
    }
}

fn fields(text: &[u8], separator: u8) -> Result<Vec<ByteText>, &'static str> {
    let (mut fields, mut rest) = (Vec::new(), text.strip_suffix(b"\r").unwrap_or(text));
    loop {
        let (field, after) = if let Some(quoted) = rest.strip_prefix(b"\"") {
            quoted_field(quoted)?
        } else {
            let end = rest.iter().position(|byte| *byte == separator).unwrap_or(rest.len());
            let (field, after) = rest.split_at(end);
            if field.contains(&b'"') {
                return Err("a quote inside a field without quotes");
            }
            (field.to_vec(), after)
        };
        fields.push(ByteText(field));
        match after.split_first() {
            None => return Ok(fields),
            Some((first, after)) if *first == separator => rest = after,
            Some(_) => return Err("text after the quote that ends a field"),
        }
    }
}

/// Reads a field after its first quote. Returns the field, and the text after its last quote.
fn quoted_field(mut rest: &[u8]) -> Result<(Vec<u8>, &[u8]), &'static str> {
    let mut field = Vec::new();
    loop {
        let quote = rest.iter().position(|byte| *byte == b'"').ok_or("a quote is not closed")?;
        let (part, after) = rest.split_at(quote);
        field.extend_from_slice(part);
        match after {
            [_, b'"', after @ ..] => {
                field.push(b'"');
                rest = after;
            }
            [_, after @ ..] => return Ok((field, after)),
            [] => return Err("a quote is not closed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(separator: Option<&str>, csv: bool, text: &str) -> Result<Vec<String>, String> {
        let columns = Columns::new(separator, csv)?.ok_or("no columns")?;
        let split = columns.split(text.as_bytes())?;
        Ok(split.iter().map(ToString::to_string).collect())
    }

    fn strings(columns: &[&str]) -> Vec<String> {
        columns.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn separator_is_a_regular_expression() {
        assert_eq!(split(Some(" +"), false, "a b   c"), Ok(strings(&["a", "b", "c"])));
        assert_eq!(split(Some("\\t"), false, "a\tb c\t"), Ok(strings(&["a", "b c", ""])));
        assert_eq!(split(Some(","), false, ""), Ok(strings(&[""])));
        assert!(split(Some("("), false, "").is_err_and(|error| error.starts_with("--colsep: regex parse error")));
        assert!(split(Some(""), false, "").is_err());
    }

    #[test]
    fn csv_fields_may_be_quoted() {
        let csv = |text| split(None, true, text);
        assert_eq!(csv("a,b c,"), Ok(strings(&["a", "b c", ""])));
        assert_eq!(csv("\"a,\"\"b\"\"\",\"\",x\r"), Ok(strings(&["a,\"b\"", "", "x"])));
        assert_eq!(csv("\"l1\nl2\",2"), Ok(strings(&["l1\nl2", "2"])));
        assert_eq!(split(Some(";"), true, "a,b;\"c;d\""), Ok(strings(&["a,b", "c;d"])));
        assert_eq!(split(Some("\\t"), true, "a\tb"), Ok(strings(&["a", "b"])));
        for (text, error) in [
            ("a\"b,c", "a quote inside a field without quotes"),
            ("\"a\"b,c", "text after the quote that ends a field"),
            ("\"a,b", "a quote is not closed"),
        ] {
            assert_eq!(csv(text), Err(error.to_owned()), "{text}");
        }
        assert!(split(Some(", "), true, "").is_err());
    }

    #[test]
    fn record_with_an_open_quote_continues() {
        let csv = Columns::Csv(b',');
        assert!(csv.is_open(b"a,\"b") && !csv.is_open(b"a,\"b\"\"\"") && csv.is_open(b"\"\"\""));
    }
}
