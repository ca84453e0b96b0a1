//! The value of `--slots`: a name and a number of slots. Parsed for `args`; pure.

use std::str::FromStr;

/// The most slots of a name.
const MAX_COUNT: u16 = 256;
/// The most bytes of a name, which is the name of a folder.
const MAX_NAME: usize = 64;

/// `NAME=N`: at most N commands with this name at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotsArg {
    pub name: String,
    pub count: u16,
}

impl FromStr for SlotsArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, count) = text.split_once('=').ok_or("expected a name and a number of slots, such as gpu=2")?;
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.is_empty() || name.len() > MAX_NAME || name.starts_with('.') || !name.bytes().all(is_allowed) {
            return Err(format!(
                "expected a name of 1 to {MAX_NAME} letters, digits, `-`, `_` and `.`, not beginning with `.`"
            ));
        }
        match count.parse() {
            Ok(count) if (1..=MAX_COUNT).contains(&count) => Ok(Self { name: name.to_owned(), count }),
            _ => Err(format!("expected a number of slots from 1 to {MAX_COUNT} after {name}=")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_a_name_and_a_number() {
        for (text, name, count) in [("gpu=2", "gpu", 2), ("a-B_1.c=256", "a-B_1.c", 256), ("x=01", "x", 1)] {
            assert_eq!(text.parse(), Ok(SlotsArg { name: name.to_owned(), count }), "{text}");
        }
        let longest = "n".repeat(MAX_NAME);
        assert!(format!("{longest}=1").parse::<SlotsArg>().is_ok());
        for (text, reason) in [
            ("", "such as gpu=2"),
            ("x", "such as gpu=2"),
            ("2", "such as gpu=2"),
            ("=2", "expected a name of"),
            ("a/b=2", "expected a name of"),
            ("..=2", "expected a name of"),
            (".a=2", "expected a name of"),
            ("a b=2", "expected a name of"),
            ("ü=2", "expected a name of"),
            (&format!("{longest}n=1"), "expected a name of"),
            ("x=", "expected a number of slots"),
            ("x=0", "expected a number of slots"),
            ("x=257", "expected a number of slots"),
            ("x=-1", "expected a number of slots"),
            ("x=1.5", "expected a number of slots"),
            ("x=1=2", "expected a number of slots"),
        ] {
            let refused = text.parse::<SlotsArg>().err().unwrap_or_default();
            assert!(refused.contains(reason), "{text}: {refused}");
        }
    }
}
