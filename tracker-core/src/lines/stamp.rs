use chrono::{DateTime, Datelike, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::time::{Micros, micros_at};

/// A time to the microsecond: RFC 3339 in UTC with six digits of fraction, or `"never"`; a number of microseconds since
/// 1970 where the year has not four digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp(pub Micros);

const NEVER: &str = "never";

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if self.0 == Micros::MAX {
            return to.serialize_str(NEVER);
        }
        match DateTime::<Utc>::from_timestamp_micros(self.0).filter(|time| (0..=9999).contains(&time.year())) {
            Some(time) => to.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Micros, true)),
            None => to.serialize_i64(self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Stamp {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Micros(Micros),
            Text(String),
        }
        let form = Form::deserialize(from);
        let time = match &form {
            Ok(Form::Micros(micros)) => Some(*micros),
            Ok(Form::Text(text)) if text == NEVER => Some(Micros::MAX),
            Ok(Form::Text(text)) => DateTime::parse_from_rfc3339(text).ok().map(|time| micros_at(time.to_utc())),
            Err(_) => None,
        };
        time.map(Self).ok_or_else(|| {
            D::Error::custom(
                "a time is text like \"2026-01-31T12:00:00Z\", a number of microseconds since 1970, or \"never\"",
            )
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn times_come_back_to_the_microsecond() {
        for micros in
            [0, 1, -1, 1_700_000_000_123_456, Micros::MIN, Micros::MAX, Micros::MAX - 1, -62_200_000_000_000_000]
        {
            let text = serde_json::to_string(&Stamp(micros)).unwrap();
            assert_eq!(serde_json::from_str::<Stamp>(&text).unwrap().0, micros, "{text}");
        }
        assert_eq!(serde_json::to_string(&Stamp(1_700_000_000_123_456)).unwrap(), r#""2023-11-14T22:13:20.123456Z""#);
        assert_eq!(serde_json::from_str::<Stamp>(r#""2023-11-14T23:13:20+01:00""#).unwrap().0, 1_700_000_000_000_000);
        let error = serde_json::from_str::<Stamp>(r#""yesterday""#).unwrap_err();
        assert!(error.to_string().contains("microseconds since 1970"), "{error}");
    }
}
