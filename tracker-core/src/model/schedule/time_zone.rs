//! Finds a time zone by its IANA name, and suggests one for a name that does not exist. Called by `timing`; pure.

use std::str::FromStr;

use chrono_tz::{TZ_VARIANTS, Tz};

use crate::model::error::{Error, Result};

/// The zone of an IANA name such as `Europe/Berlin`.
pub(super) fn zone_named(name: &str) -> Result<Tz> {
    Tz::from_str(name).map_err(|_| {
        let hint = suggestion(name).map_or_else(String::new, |zone| format!("; did you mean {zone:?}?"));
        Error::invalid(format!(
            "there is no time zone {name:?}: expected an IANA name such as \"Europe/Berlin\" or \"UTC\"{hint}"
        ))
    })
}

/// The zone whose name, or whose city, differs least.
fn suggestion(name: &str) -> Option<&'static str> {
    let wanted = name.to_lowercase().replace(' ', "_");
    let distance_to = |zone: &str| {
        let zone = zone.to_lowercase();
        let city = zone.rsplit('/').next().unwrap_or(&zone);
        distance(&wanted, &zone).min(distance(&wanted, city))
    };
    let nearest = TZ_VARIANTS.iter().map(|zone| (distance_to(zone.name()), zone.name())).min()?;
    (nearest.0 <= 1 + wanted.len() / 5).then_some(nearest.1)
}

/// The number of bytes to insert, delete or replace to make one name of the other (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, byte) in one.bytes().enumerate() {
        let mut diagonal = line;
        let mut left = line + 1;
        for (cell, candidate) in row.iter_mut().skip(1).zip(other.bytes()) {
            let replaced = diagonal + usize::from(byte != candidate);
            diagonal = *cell;
            left = replaced.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = line + 1;
        }
    }
    row.last().copied().unwrap_or(one.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_insertions_deletions_and_replacements() {
        let pairs = [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("berlin", "berlni", 2),
            ("abc", "abd", 1),
            ("abc", "xabc", 1),
        ];
        for (one, other, expected) in pairs {
            assert_eq!(distance(one, other), expected, "{one} {other}");
        }
    }

    #[test]
    fn unknown_zone_is_refused_with_the_nearest_name() {
        for (name, nearest) in [
            ("Europe/Berlni", Some("Europe/Berlin")),
            ("berlin", Some("Europe/Berlin")),
            ("europe/berlin", Some("Europe/Berlin")),
            ("America/New York", Some("America/New_York")),
            ("Middle-earth/Hobbiton", None),
        ] {
            assert_eq!(suggestion(name), nearest, "{name}");
            assert!(zone_named(name).is_err(), "{name}");
        }
        assert!(zone_named("Europe/Berlin").is_ok());
    }
}
