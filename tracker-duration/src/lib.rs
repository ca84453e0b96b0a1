//! Parses durations such as `5m`, `1.5h` and `1h30m`: the grammar of the derives' attributes and of the program's options.
//!
//! It is a crate of its own because a proc-macro crate exports no functions and cannot depend on `tracker-core`.
#![warn(missing_docs)]

use std::time::Duration;

const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// The units from the longest to the shortest, in nanoseconds.
const UNITS: [(&str, u128); 7] = [
    ("w", 7 * 24 * 3600 * NANOS_PER_SECOND),
    ("d", 24 * 3600 * NANOS_PER_SECOND),
    ("h", 3600 * NANOS_PER_SECOND),
    ("m", 60 * NANOS_PER_SECOND),
    ("s", NANOS_PER_SECOND),
    ("ms", NANOS_PER_SECOND / 1_000),
    ("us", NANOS_PER_SECOND / 1_000_000),
];

/// The units as a message lists them.
const UNIT_NAMES: &str = "`us`, `ms`, `s`, `m`, `h`, `d` or `w`";

/// Parses a duration: numbers with units, each unit at most once, the longest first. A plain `0` needs no unit.
///
/// A unit is `w`, `d` (24 hours), `h`, `m`, `s`, `ms` or `us`. A number may have decimals; parts below a nanosecond are
/// dropped. White space may stand around the text and between the parts.
///
/// ```
/// use std::time::Duration;
///
/// assert_eq!(tracker_duration::parse("1h30m"), Ok(Duration::from_secs(5_400)));
/// assert_eq!(tracker_duration::parse("1.5h"), Ok(Duration::from_secs(5_400)));
/// assert!(tracker_duration::parse("90").is_err());
/// ```
///
/// # Errors
/// A message that names the wrong part and the correct form.
pub fn parse(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("the duration is empty: write a number and a unit, e.g. \"5m\"".to_owned());
    }
    if text.starts_with('-') {
        return Err(format!("`{text}` is negative: write a duration without a sign, e.g. \"5m\""));
    }
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text;
    let mut units = UNITS.as_slice();
    let mut nanos: u128 = 0;
    while !rest.is_empty() {
        let (number, after) = split(rest, |c| c.is_ascii_digit() || c == '.');
        let (unit, after) = split(after, char::is_alphabetic);
        let (nanos_per_unit, shorter) = find_unit(text, number, unit, units)?;
        let part = scale(number, nanos_per_unit).ok_or_else(|| invalid_number(number))?;
        nanos = part.and_then(|part| nanos.checked_add(part)).ok_or_else(|| too_long(text))?;
        units = shorter;
        rest = after.trim_start();
    }
    let seconds = u64::try_from(nanos / NANOS_PER_SECOND).map_err(|_| too_long(text))?;
    let subsec_nanos = u32::try_from(nanos % NANOS_PER_SECOND).map_err(|_| too_long(text))?;
    Ok(Duration::new(seconds, subsec_nanos))
}

/// A unit's name and its length in nanoseconds.
type Unit = (&'static str, u128);

/// Returns the length of the unit, and the units that may follow it.
fn find_unit<'u>(text: &str, number: &str, unit: &str, units: &'u [Unit]) -> Result<(u128, &'u [Unit]), String> {
    if number.is_empty() {
        return Err(format!("`{text}` is not a duration: write a number and a unit, e.g. \"5m\""));
    }
    if unit.is_empty() {
        return Err(format!("`{number}` has no unit: write e.g. \"{number}s\"; units are {UNIT_NAMES}"));
    }
    if let Some(at) = units.iter().position(|(name, _)| *name == unit)
        && let Some(((_, nanos), shorter)) = units.get(at..).and_then(<[_]>::split_first)
    {
        return Ok((*nanos, shorter));
    }
    if UNITS.iter().any(|(name, _)| *name == unit) {
        return Err(format!(
            "`{unit}` comes too late in `{text}`: write each unit once, the longest first, e.g. \"1h30m\""
        ));
    }
    match unit_of_long_form(unit) {
        Some(name) => Err(format!("unknown unit `{unit}`: write \"{number}{name}\"")),
        None => Err(format!("unknown unit `{unit}`: write {UNIT_NAMES}")),
    }
}

/// Finds the unit that a longer name such as `min`, `hours` or `sec` means.
fn unit_of_long_form(unit: &str) -> Option<&'static str> {
    let forms = [
        ("microseconds", "us"),
        ("milliseconds", "ms"),
        ("seconds", "s"),
        ("minutes", "m"),
        ("hours", "h"),
        ("hrs", "h"),
        ("days", "d"),
        ("weeks", "w"),
        ("µs", "us"),
        ("μs", "us"),
    ];
    let unit = unit.to_lowercase();
    // Of the names that begin in the same way, minutes are meant most often.
    let minutes = ("minutes", "m");
    [minutes].into_iter().chain(forms).find(|(long, _)| long.starts_with(&unit)).map(|(_, name)| name)
}

/// Returns `None` for an invalid number, and `Some(None)` for one that is too large.
#[expect(clippy::option_option, reason = "each case has a message of its own")]
fn scale(number: &str, nanos_per_unit: u128) -> Option<Option<u128>> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    // Digits beyond the 18th are below a nanosecond even for weeks.
    let digits = fraction.get(..18).unwrap_or(fraction);
    let part = digits.parse::<u128>().ok()? * nanos_per_unit / 10_u128.pow(u32::try_from(digits.len()).ok()?);
    Some(whole.parse::<u128>().ok().and_then(|whole| whole.checked_mul(nanos_per_unit)?.checked_add(part)))
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

fn invalid_number(number: &str) -> String {
    format!("`{number}` is not a number: write e.g. \"1.5h\"")
}

fn too_long(text: &str) -> String {
    format!("`{text}` is longer than a `Duration` can be: write a shorter one")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_units_are_parsed_exactly() {
        let cases = [
            ("0", 0),
            ("0s", 0),
            ("0h0m", 0),
            ("1ms", 1),
            ("250ms", 250),
            ("5000us", 5),
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
        assert_eq!(parse("0.0000000001ms"), Ok(Duration::ZERO));
        assert_eq!(parse("1.0000000000000000000000000009s"), Ok(Duration::from_secs(1)));
        assert_eq!(parse(&format!("{}s", u64::MAX)), Ok(Duration::from_secs(u64::MAX)));
    }

    #[test]
    fn invalid_duration_is_refused_with_the_correct_form() {
        let cases = [
            ("", "is empty"),
            ("-5m", "negative"),
            ("-0", "negative"),
            ("5", "has no unit: write e.g. \"5s\""),
            ("1h30", "`30` has no unit"),
            ("m", "write a number and a unit"),
            ("ms5", "write a number and a unit"),
            ("five", "write a number and a unit"),
            ("5x", "unknown unit `x`: write `us`"),
            ("5min", "unknown unit `min`: write \"5m\""),
            ("5mi", "unknown unit `mi`: write \"5m\""),
            ("5micro", "unknown unit `micro`: write \"5us\""),
            ("5Seconds", "unknown unit `Seconds`: write \"5s\""),
            ("5µs", "unknown unit `µs`: write \"5us\""),
            ("30m1h", "the longest first"),
            ("1h1h", "each unit once"),
            ("1.2.3s", "not a number"),
            ("1..5s", "not a number"),
            ("1.s", "not a number"),
            (".5s", "not a number"),
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
