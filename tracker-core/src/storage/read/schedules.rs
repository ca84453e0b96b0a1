//! Reads the rows of schedules, and writes single ones. Called by `engine/action/schedule`, `engine/writer/schedules`, `api/schedule`,
//! `api/tracker`, `storage/write/retime`, `portable` and `maintenance`.

use std::ops::Bound;

use crate::{
    model::{
        error::{Error, Result},
        schedule::row::ScheduleRow,
    },
    storage::{
        encoding,
        tables::{Source, Tables, Writing},
    },
};

/// Name and row of a schedule; the error of a row that cannot be read.
pub(crate) type NamedSchedule = (String, Result<ScheduleRow>);

fn decoded(name: &str, bytes: &[u8]) -> Result<ScheduleRow> {
    encoding::decode_at(name.as_bytes(), bytes).map_err(|what| Error::corrupted("tracker.schedules", name, what))
}

impl<S: Source> Tables<S> {
    #[cfg(feature = "json")]
    pub(crate) fn schedule(&mut self, name: &str) -> Result<Option<ScheduleRow>> {
        let bytes = self.schedules()?.get(name)?;
        bytes.map(|bytes| decoded(name, bytes.value())).transpose()
    }

    /// Up to `most` schedules in the order of their names, after one.
    pub(crate) fn schedules_after(&mut self, after: Option<&str>, most: usize) -> Result<Vec<NamedSchedule>> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut found = Vec::new();
        for entry in self.schedules()?.range::<&str>((start, Bound::Unbounded))?.take(most) {
            let (name, bytes) = entry?;
            found.push((name.value().to_owned(), decoded(name.value(), bytes.value())));
        }
        Ok(found)
    }

    /// All schedules, in the order of their names. A row that cannot be read is an error.
    pub(crate) fn all_schedules(&mut self) -> Result<Vec<(String, ScheduleRow)>> {
        let all = self.schedules_after(None, usize::MAX)?;
        all.into_iter().map(|(name, row)| Ok((name, row?))).collect()
    }
}

impl Tables<Writing<'_>> {
    pub(crate) fn put_schedule(&mut self, name: &str, row: &ScheduleRow) -> Result<()> {
        let bytes = encoding::encode_at(name.as_bytes(), row)?;
        self.schedules()?.insert(name, bytes.as_slice())?;
        Ok(())
    }

    /// Deletes a schedule. Returns whether there was one.
    #[cfg(feature = "schedules")]
    pub(crate) fn remove_schedule(&mut self, name: &str) -> Result<bool> {
        Ok(self.schedules()?.take(name)?.is_some())
    }
}
