//! `Place`: where a tracker is: a file, or the schema of a server that a URL names. Pure apart from the environment of the process.

use std::{env, ffi::OsString, path::PathBuf};

/// The environment variable with the file or the URL that counts if the command line names none.
pub const VARIABLE: &str = "TRACKER_URL";

/// Stands for the value of [`VARIABLE`] on the command line.
const OF_ENVIRONMENT: &str = "@";

/// Where a tracker is.
#[derive(Clone, PartialEq, Eq)]
pub enum Place {
    File(PathBuf),
    /// The URL, which may have a password: no message repeats it.
    Server(String),
}

impl Place {
    /// Reads the argument of a command.
    pub fn of_argument(text: OsString) -> Result<Self, String> {
        if text != OF_ENVIRONMENT {
            return Self::of(text);
        }
        let found = env::var_os(VARIABLE).filter(|value| !value.is_empty() && value != OF_ENVIRONMENT);
        found.map_or_else(|| Err(format!("{VARIABLE} is not set")), Self::of)
    }

    fn of(text: OsString) -> Result<Self, String> {
        if text.is_empty() {
            return Err(format!("expected a file or a URL; an empty {VARIABLE} must be unset"));
        }
        Ok(match text.into_string() {
            Ok(text) if is_url(&text) => Self::Server(text),
            Ok(text) => Self::File(text.into()),
            Err(text) => Self::File(text.into()),
        })
    }
}

/// Whether the text begins with the name of a protocol.
fn is_url(text: &str) -> bool {
    let Some((protocol, _)) = text.split_once("://") else { return false };
    !protocol.is_empty() && protocol.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Replaces user, password and further secrets of the URLs among arguments, for messages that repeat arguments.
pub fn without_secrets(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let replaced = arguments.into_iter().map(|argument| match argument.into_string() {
        Ok(text) => without_secret(&text).into(),
        Err(argument) => argument,
    });
    replaced.collect()
}

fn without_secret(text: &str) -> String {
    // An option may stand before the URL, as in `--file=postgres://…`.
    let Some((protocol, rest)) = text.split_once("://") else { return text.to_owned() };
    let (login, place) = rest.rsplit_once('@').map_or((None, rest), |(_, place)| (Some("***@"), place));
    let (place, parameters) = place.split_once('?').map_or((place, None), |(place, rest)| (place, Some(rest)));
    let parameters = parameters.map(|parameters| {
        let shown = parameters.split('&').map(|parameter| match parameter.split_once('=') {
            Some((name, _)) if name != "schema" => format!("{name}=***"),
            _ => parameter.to_owned(),
        });
        format!("?{}", shown.collect::<Vec<_>>().join("&"))
    });
    format!("{protocol}://{}{place}{}", login.unwrap_or_default(), parameters.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Option<Place> {
        Place::of_argument(text.into()).ok()
    }

    #[test]
    fn argument_is_a_file_or_a_url() {
        for file in ["jobs.redb", "./@", "a/://b", "://x", "postgres:/x"] {
            assert!(place(file) == Some(Place::File(file.into())), "{file}");
        }
        for url in ["postgres://u@h/d", "postgresql:///d", "mysql://h"] {
            assert!(place(url) == Some(Place::Server(url.into())), "{url}");
        }
        assert!(place("").is_none());
    }

    #[test]
    fn secrets_are_replaced_in_arguments() {
        for (argument, shown) in [
            ("postgres://u:hunter2@h/d", "postgres://***@h/d"),
            ("postgres://u:hun@ter2@h/d?schema=a&password=hunter2", "postgres://***@h/d?schema=a&password=***"),
            ("postgres://u:hun/ter2?x@h/d", "postgres://***@h/d"),
            ("-x=postgresql://hunter2@h", "-x=postgresql://***@h"),
            ("postgres://h/d", "postgres://h/d"),
            ("jobs.redb", "jobs.redb"),
        ] {
            assert_eq!(without_secrets([argument.into()]), [OsString::from(shown)]);
        }
    }
}
