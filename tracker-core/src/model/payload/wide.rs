//! Detects integers of more than 64 bits, which no payload can hold: a JSON reader would round them to a float. Called by `model/payload`
//! and `portable/line`; pure.

/// The first integer of a text of JSON that does not fit 64 bits. An integer that is written as a float, or as `{"$f64": …}`, does
/// not count.
pub(crate) fn wide_integer(text: &[u8]) -> Option<&str> {
    // The string before the place, with nothing but a colon between.
    let mut before: &[u8] = b"";
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => {
                let end = string_end(text, at);
                before = text.get(at..end).unwrap_or_default();
                at = end;
            }
            b'-' | b'0'..=b'9' => {
                let rest = text.get(at..).unwrap_or_default();
                let length = rest.iter().position(|byte| !is_number(*byte)).unwrap_or(rest.len());
                let number = rest.get(..length).and_then(|number| std::str::from_utf8(number).ok());
                let asked = matches!(before, b"\"$f64\"" | b"\"$f32\"");
                if let Some(number) = number.filter(|number| !asked && !fits(number)) {
                    return Some(number);
                }
                before = b"";
                at += length;
            }
            b':' | b' ' | b'\t' | b'\r' | b'\n' => at += 1,
            _ => {
                before = b"";
                at += 1;
            }
        }
    }
    None
}

/// The error about such an integer.
pub(crate) fn too_wide(integer: &str) -> String {
    let shown: String = integer.chars().take(60).collect();
    let cut = if shown.len() < integer.len() { "…" } else { "" };
    format!(
        "the integer {shown}{cut} does not fit 64 bits: write it as text, as {{\"$f64\": …}} if a float will do, or as {{\"$bytes\": \"base64\"}} of 16 bytes if it is a u128 or an i128"
    )
}

/// The place after the string that begins here.
fn string_end(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

fn is_number(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')
}

fn fits(number: &str) -> bool {
    number.len() < 19
        || number.contains(['.', 'e', 'E'])
        || number.parse::<u64>().is_ok()
        || number.parse::<i64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integer_beyond_64_bits_is_found() {
        for (text, found) in [
            ("18446744073709551615", None),
            ("18446744073709551616", Some("18446744073709551616")),
            ("-9223372036854775808", None),
            ("[1, -9223372036854775809]", Some("-9223372036854775809")),
            (
                r#"{"a": {"b": [340282366920938463463374607431768211456]}}"#,
                Some("340282366920938463463374607431768211456"),
            ),
            ("1.8446744073709552e19", None),
            ("18446744073709551616.0", None),
            ("18446744073709551616e2", None),
            (r#"{"a": "18446744073709551616"}"#, None),
            (r#"{"a\"18446744073709551616": "\\", "b": 7}"#, None),
            (r#"{"$f64": 18446744073709551616}"#, None),
            (r#"{"$f64": 1, "b": 18446744073709551616}"#, Some("18446744073709551616")),
            (r#"["$f64", 18446744073709551616]"#, Some("18446744073709551616")),
            (r#"{"a": "unfinished"#, None),
            ("\"\\", None),
        ] {
            assert_eq!(wide_integer(text.as_bytes()), found, "{text}");
        }
    }
}
