//! Builds queries without a type: statuses by name or code, index values as text. Called by users, `tracker-cli`, `tracker-web` and `api/live`;
//! `Tasks::find_ids_by_text` uses `forms_of`, the parser of typed values. Reads no row.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    api::{
        query::{Query, StatusFilter},
        schema::Untyped,
    },
    model::task::{IndexValue, TaskId},
};

impl Query<'_, Untyped> {
    /// Selects tasks with this status, or one of those of further calls: by its name, in upper or lower case, or by the
    /// digits of its code. One that the kind has not is an error (`Invalid`) when the query is asked.
    #[must_use]
    pub fn status(self, status: &str) -> Self {
        self.with_statuses([StatusFilter::Named(status.to_owned())])
    }

    /// Selects tasks with the status of this code.
    #[must_use]
    pub fn code(self, code: i32) -> Self {
        self.with_statuses([StatusFilter::Code(code)])
    }

    /// Selects tasks whose field has a value that `value` can mean, in any type: a text, an integer, a uuid, `true`,
    /// a time as RFC 3339, or bytes. The field must be marked `#[task(index)]`.
    #[must_use]
    pub fn index_text(self, field: &str, value: &str) -> Self {
        let mut values = forms_of(value);
        match value {
            "true" => values.push(true.encoded()),
            "false" => values.push(false.encoded()),
            _ => {}
        }
        if let Ok(time) = value.parse::<DateTime<Utc>>() {
            values.push(time.encoded());
        }
        let optional: Vec<_> = values.iter().map(|value| [&[1], value.as_slice()].concat()).collect();
        values.extend(optional);
        self.among(field, values)
    }
}

/// The encoded values that a text can mean, one for each type that it fits.
pub(super) fn forms_of(text: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![text.encoded()];
    if let Ok(number) = text.parse::<i64>() {
        forms.push(number.encoded());
    } else if let Ok(number) = text.parse::<u64>() {
        forms.push(number.encoded());
    }
    if let Ok(uuid) = text.parse::<Uuid>() {
        forms.push(uuid.encoded());
    }
    forms.extend(bytes_of_text(text).map(|bytes| bytes.to_key().as_bytes().to_vec()));
    forms
}

/// Parses the display form of bytes: text with `\xNN` for each byte that is no text, and `\\` for a backslash.
fn bytes_of_text(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        let (second, after) = rest.split_first()?;
        rest = after;
        match second {
            b'\\' => bytes.push(b'\\'),
            b'x' => {
                let (digits, after) = rest.split_at_checked(2)?;
                rest = after;
                bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            }
            _ => return None,
        }
    }
    Some(bytes)
}
