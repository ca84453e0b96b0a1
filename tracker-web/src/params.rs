//! `Params`: the pairs of a query string or a form, and ids of tasks in links. Pure; called by every page.

use std::fmt::Write as _;

use tracker_core::{
    task::{TaskId as _, TaskKey},
    uuid::Uuid,
};

use crate::format::is_hidden;

/// The pairs of a query string or a form, in which a name may come several times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, String)>);

impl Params {
    pub fn parse(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    /// Returns the first value of a name that is not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, value)| key == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    }

    /// Returns all values of a name that are not empty.
    pub fn all<'p>(&'p self, name: &'p str) -> impl Iterator<Item = &'p str> {
        self.0.iter().filter(move |(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// Returns the pairs without those of a name.
    pub fn except<'p>(&'p self, name: &'p str) -> impl Iterator<Item = (&'p str, &'p str)> {
        self.0.iter().filter(move |(key, _)| key != name).map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

/// Returns a relative link to a page with its query string.
pub fn link<'p>(page: &str, pairs: impl IntoIterator<Item = (&'p str, &'p str)>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in pairs {
        query.append_pair(name, value);
    }
    match query.finish() {
        empty if empty.is_empty() => page.to_owned(),
        query => format!("{page}?{query}"),
    }
}

/// Returns an id as a parameter of links and forms: its type and its value, which [`parse_id_param`] reads back without loss. Browsers change line ends and
/// control characters of a form, so an id with such characters is written by its bytes.
pub fn id_param(id: &TaskKey) -> String {
    if let Some(text) = id.as_str().filter(|text| !text.contains(is_hidden)) {
        return format!("text:{text}");
    }
    if let Some(uuid) = id.as_uuid() {
        return format!("uuid:{uuid}");
    }
    if let Some(number) = id.as_int().and_then(|number| i64::try_from(number).ok()) {
        return format!("int:{number}");
    }
    let mut hex = "key:".to_owned();
    for byte in id.as_bytes() {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// Reads the form that [`id_param`] makes; `None` for any other text.
pub fn parse_id_param(text: &str) -> Option<TaskKey> {
    let (form, value) = text.split_once(':')?;
    match form {
        "text" => Some(value.to_key()),
        "uuid" => Some(value.parse::<Uuid>().ok()?.to_key()),
        "int" => Some(value.parse::<i64>().ok()?.to_key()),
        "key" => {
            let pairs = value.as_bytes().chunks(2);
            let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
            TaskKey::from_bytes(&pairs.map(byte).collect::<Option<Vec<u8>>>()?)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_every_type_come_back_from_links() {
        let uuid = Uuid::from_u128(7);
        let ids = [
            "a/../b?x=1&y#z".to_key(),
            "int:7".to_key(),
            "\u{202e}\u{0}\n".to_key(),
            7_i64.to_key(),
            i64::MIN.to_key(),
            u64::MAX.to_key(),
            uuid.to_key(),
            [0xff_u8, 0, b'a'][..].to_key(),
        ];
        for id in ids {
            let link = link("task", [("kind", "k"), ("id", &id_param(&id))]);
            let params = Params::parse(link.split_once('?').map_or("", |(_, query)| query).as_bytes());
            assert_eq!(params.get("id").and_then(parse_id_param), Some(id.clone()), "{id:?} {link}");
        }
    }

    #[test]
    fn ids_that_browsers_would_change_are_written_by_bytes() {
        for id in ["a\r\nb", "\u{0}", "a\u{202e}b"] {
            assert!(id_param(&id.to_key()).starts_with("key:"), "{id:?}");
        }
        assert_eq!(id_param(&"a/b c".to_key()), "text:a/b c");
    }

    #[test]
    fn malformed_ids_are_no_ids() {
        for text in ["", "7", "int:x", "uuid:7", "key:7", "key:zz", "key:00", "other:1", "key:\u{e9}"] {
            assert_eq!(parse_id_param(text), None, "{text:?}");
        }
    }

    #[test]
    fn values_of_one_name_are_all_kept() {
        let params = Params::parse(b"id=text%3Aa+b&id=&id=int%3A7&kind=x");
        assert_eq!(params.all("id").collect::<Vec<_>>(), ["text:a b", "int:7"]);
        assert_eq!(link("tasks", params.except("id")), "tasks?kind=x");
    }
}
