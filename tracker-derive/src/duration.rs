use std::time::Duration;

use crate::suggest;

const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// The units from the longest to the shortest, in nanoseconds.
const UNITS: [(&str, u128); 6] = [
    ("w", 7 * 24 * 3600 * NANOS_PER_SECOND),
    ("d", 24 * 3600 * NANOS_PER_SECOND),
    ("h", 3600 * NANOS_PER_SECOND),
    ("m", 60 * NANOS_PER_SECOND),
    ("s", NANOS_PER_SECOND),
    ("ms", NANOS_PER_SECOND / 1000),
];

/// Reads "5m", "1.5h", "1h30m": longer than nothing, each unit once, the longest first.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("an empty text is no duration: write a number and a unit, e.g. \"5m\"".to_owned());
    }
    if text.starts_with('-') {
        return Err(format!("`{text}` is negative: write a duration longer than zero, e.g. \"5m\""));
    }
    let mut rest = text;
    let mut units = UNITS.as_slice();
    let mut nanos: u128 = 0;
    while !rest.is_empty() {
        let (number, after) = split(rest, |c| c.is_ascii_digit() || c == '.');
        let (unit, after) = split(after, char::is_alphabetic);
        let at = position(text, number, unit, units)?;
        let part = scale(number, units[at].1).ok_or_else(|| format!("`{number}` is no number: write e.g. \"1.5h\""))?;
        nanos = part.and_then(|part| nanos.checked_add(part)).ok_or_else(|| too_long(text))?;
        units = &units[at + 1..];
        rest = after.trim_start();
    }
    if nanos == 0 {
        return Err(format!("`{text}` is zero: write a duration longer than zero, e.g. \"5m\""));
    }
    let seconds = u64::try_from(nanos / NANOS_PER_SECOND).map_err(|_| too_long(text))?;
    let below = u32::try_from(nanos % NANOS_PER_SECOND).map_err(|_| too_long(text))?;
    Ok(Duration::new(seconds, below))
}

/// Where the unit stands among those that may still follow.
fn position(text: &str, number: &str, unit: &str, units: &[(&str, u128)]) -> Result<usize, String> {
    let names = ["ms", "s", "m", "h", "d", "w"];
    if number.is_empty() {
        return Err(format!("`{text}` is no duration: write a number and a unit, e.g. \"5m\""));
    }
    if unit.is_empty() {
        return Err(format!("`{number}` has no unit: write e.g. \"{number}s\"; units are {}", suggest::one_of(&names)));
    }
    if let Some(at) = units.iter().position(|(name, _)| *name == unit) {
        return Ok(at);
    }
    if names.contains(&unit) {
        return Err(format!(
            "`{unit}` stands too late in `{text}`: write each unit once, the longest first: \"1h30m\""
        ));
    }
    let meant = long_form(unit).map_or_else(|| suggest::one_of(&names), |name| format!("\"{number}{name}\""));
    Err(format!("unknown unit `{unit}`: write {meant}"))
}

/// `min`, `hours`, `sec` …: what people write who know other libraries.
fn long_form(unit: &str) -> Option<&'static str> {
    let forms = [
        ("milliseconds", "ms"),
        ("seconds", "s"),
        ("minutes", "m"),
        ("hours", "h"),
        ("hrs", "h"),
        ("days", "d"),
        ("weeks", "w"),
    ];
    let unit = unit.to_lowercase();
    forms.into_iter().find(|(long, _)| long.starts_with(&unit)).map(|(_, name)| name)
}

/// `None` for what is not a number, `Some(None)` for what is too large.
#[expect(clippy::option_option, reason = "two ways to fail with a text each, in one file")]
fn scale(number: &str, unit: u128) -> Option<Option<u128>> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    // Digits beyond the 18th are below a nanosecond even for weeks.
    let digits = fraction.get(..18).unwrap_or(fraction);
    let part = digits.parse::<u128>().ok()? * unit / 10_u128.pow(u32::try_from(digits.len()).ok()?);
    Some(whole.parse::<u128>().ok().and_then(|whole| whole.checked_mul(unit)?.checked_add(part)))
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

fn too_long(text: &str) -> String {
    format!("`{text}` is longer than a `Duration` can be: write a shorter one")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_units_are_read_exactly() {
        let cases = [
            ("1ms", 1),
            ("250ms", 250),
            ("5s", 5_000),
            ("5m", 300_000),
            ("1.5h", 5_400_000),
            ("1h30m", 5_400_000),
            (" 1h 30m ", 5_400_000),
            ("1d", 86_400_000),
            ("2w", 1_209_600_000),
            ("1w2d3h4m5s6ms", 788_645_006),
            ("0.001s", 1),
            ("0h1s", 1_000),
        ];
        for (text, millis) in cases {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(parse("0.000001ms"), Ok(Duration::from_nanos(1)));
        assert_eq!(parse("1.0000000000000000000000000009s"), Ok(Duration::from_secs(1)));
        assert_eq!(parse(&format!("{}s", u64::MAX)), Ok(Duration::from_secs(u64::MAX)));
    }

    #[test]
    fn what_is_no_duration_is_refused_with_what_to_write() {
        let cases = [
            ("", "an empty text"),
            ("-5m", "negative"),
            ("0s", "zero"),
            ("0h0m", "zero"),
            ("0.0000000001ms", "zero"),
            ("5", "has no unit: write e.g. \"5s\""),
            ("m", "write a number and a unit"),
            ("five", "write a number and a unit"),
            ("5min", "unknown unit `min`: write \"5m\""),
            ("5Seconds", "unknown unit `Seconds`: write \"5s\""),
            ("5us", "unknown unit `us`: write `ms`"),
            ("5µs", "unknown unit `µs`"),
            ("30m1h", "the longest first"),
            ("1h1h", "each unit once"),
            ("1.2.3s", "no number"),
            ("1.s", "no number"),
            (".5s", "no number"),
            ("1h-30m", "write a number and a unit"),
            ("1h,30m", "write a number and a unit"),
            ("99999999999999999999s", "longer than a `Duration`"),
            ("99999999999999w", "longer than a `Duration`"),
            ("9999999999999999999999999999999999999999999999w", "longer than a `Duration`"),
            ("18446744073709551615s1000ms", "longer than a `Duration`"),
        ];
        for (text, expected) in cases {
            let error = parse(text).err().unwrap_or_default();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
