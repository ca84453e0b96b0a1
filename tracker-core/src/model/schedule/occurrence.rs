//! `Occurrence` is one run of a schedule, with the ids and the delay that follow from its name and scheduled time. Made by `api/schedule`, which
//! builds its task, and by `engine/action/schedule`, which looks for unfinished ones; `timing` reads the delay. Pure.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use uuid::Uuid;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use crate::model::{
    error::{Error, Result},
    task::{TaskId, TaskKey, ValueType},
    time::{Micros, utc},
};

/// One run of a schedule, as the function that builds its task gets it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Occurrence {
    schedule: String,
    scheduled_at: Micros,
}

impl Occurrence {
    pub(crate) fn new(schedule: &str, scheduled_at: Micros) -> Self {
        Self { schedule: schedule.to_owned(), scheduled_at }
    }

    /// Returns the name of the schedule.
    #[must_use]
    pub fn schedule(&self) -> &str {
        &self.schedule
    }

    /// Returns the nominal time: when the occurrence should run by its schedule, whenever it is submitted. The jitter is not in it.
    #[must_use]
    pub fn scheduled_at(&self) -> DateTime<Utc> {
        utc(self.scheduled_at)
    }

    /// The nominal time as text, such as `2026-11-29T03:00:00Z`.
    pub(crate) fn scheduled_at_text(&self) -> String {
        rfc3339(self.scheduled_at)
    }

    pub(crate) fn nominal(&self) -> Micros {
        self.scheduled_at
    }

    /// Returns the id of its task, if ids of the kind are text: the name and the nominal time, such as `nightly@2026-11-29T03:00:00Z`.
    #[must_use]
    pub fn id(&self) -> String {
        self.to_string()
    }

    /// Returns the id of its task, if ids of the kind are UUIDs: version 8, from the XXH3-128 hash of [`Self::id`].
    #[must_use]
    pub fn uuid(&self) -> Uuid {
        uuid::Builder::from_custom_bytes(xxh3_128(self.id().as_bytes()).to_be_bytes()).into_uuid()
    }

    /// The id for a kind whose ids have this type; `None` if the ids are generated.
    pub(crate) fn key(&self, id_type: Option<ValueType>) -> TaskKey {
        if id_type == Some(ValueType::Text) { self.id().to_key() } else { self.uuid().to_key() }
    }

    /// Checks the id that a built task has.
    pub(crate) fn check_id(&self, built: &TaskKey) -> Result<()> {
        if *built == self.id().to_key() || *built == self.uuid().to_key() {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "the task that the schedule {:?} has built for {} has the id \"{built}\"; give it the id of its occurrence: \
             `occurrence.id()` or `occurrence.uuid()`",
            self.schedule,
            rfc3339(self.scheduled_at)
        )))
    }

    /// The delay of the occurrence within a jitter, in microseconds. It follows from name and time, so that all processes agree.
    pub(crate) fn delay(name: &str, nominal: Micros, jitter: Micros) -> Micros {
        let Ok(jitter) = u64::try_from(jitter) else { return 0 };
        let seed = [name.as_bytes(), &nominal.to_be_bytes()].concat();
        Micros::try_from(xxh3_64(&seed) % (jitter + 1)).unwrap_or(0)
    }
}

/// The id as text.
impl fmt::Display for Occurrence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.schedule, rfc3339(self.scheduled_at))
    }
}

/// A time in UTC, with a fraction of a second only if it has one.
pub(crate) fn rfc3339(at: Micros) -> String {
    utc(at).to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREE: Micros = 1_795_921_200_000_000;

    #[test]
    fn ids_follow_from_name_and_nominal_time() {
        let one = Occurrence::new("nightly", THREE);
        assert_eq!(one.id(), "nightly@2026-11-29T03:00:00Z");
        assert_eq!(one.uuid(), Occurrence::new("nightly", THREE).uuid());
        assert_eq!(one.uuid().get_version_num(), 8);
        for other in [Occurrence::new("weekly", THREE), Occurrence::new("nightly", THREE + 1)] {
            assert_ne!(other.id(), one.id());
            assert_ne!(other.uuid(), one.uuid());
        }
    }

    #[test]
    fn another_id_is_refused_with_the_calls_that_give_the_right_one() {
        let one = Occurrence::new("nightly", THREE);
        assert!(one.check_id(&one.id().to_key()).is_ok() && one.check_id(&one.uuid().to_key()).is_ok());
        let refused = one.check_id(&"mine".to_key()).map_err(|error| error.to_string());
        assert!(refused.is_err_and(|text| text.contains("\"mine\"") && text.contains("occurrence.id()")));
    }

    #[test]
    fn delay_stays_within_the_jitter_and_differs_by_time() {
        let delays: Vec<_> = (0..1_000).map(|hour| Occurrence::delay("a", hour * 3_600_000_000, 60)).collect();
        assert!(delays.iter().all(|delay| (0..=60).contains(delay)));
        assert!(delays.contains(&0) && delays.contains(&60));
        assert_eq!(Occurrence::delay("a", THREE, 0), 0);
    }
}
