//! Reads the rows of throttle keys, writes single ones, and removes those whose period has passed. Called by `engine/writer`,
//! `storage/write/retime`, `portable` and `maintenance`.

use std::ops::Bound;

use crate::{
    model::{
        error::{Error, Result},
        task::TaskKey,
        throttle::AcceptedSubmit,
        time::Micros,
    },
    storage::{
        encoding,
        keys::{id_key, split_id_key, split_throttle_end_key, throttle_end_key},
        tables::{Source, Tables, Writing},
    },
};

/// A throttle key of a kind, and its row or the error of a row that cannot be read.
pub(crate) struct ThrottleRow {
    pub kind: u32,
    pub key: TaskKey,
    pub accepted: Result<AcceptedSubmit>,
}

const TABLE: &str = "tracker.throttles";

fn decoded(key: &[u8], bytes: &[u8]) -> Result<AcceptedSubmit> {
    encoding::decode_at(key, bytes).map_err(|what| Error::corrupted(TABLE, format!("{key:02x?}"), what))
}

impl<S: Source> Tables<S> {
    /// The submit that was accepted last with a throttle key.
    pub(crate) fn accepted_submit(&mut self, kind: u32, key: &TaskKey) -> Result<Option<AcceptedSubmit>> {
        let key = id_key(kind, key);
        let bytes = self.throttles()?.get(key.as_slice())?;
        bytes.map(|bytes| decoded(&key, bytes.value())).transpose()
    }

    /// The keys of the ends of all periods, in the order of time.
    pub(crate) fn all_throttle_ends(&mut self) -> Result<Vec<Vec<u8>>> {
        self.throttle_ends()?.rows()?.map(|row| Ok(row?.0.value().to_vec())).collect()
    }

    /// Up to `most` rows in the order of their keys, after the one of a kind and a key.
    pub(crate) fn throttles_after(&mut self, after: Option<(u32, &TaskKey)>, most: usize) -> Result<Vec<ThrottleRow>> {
        let after = after.map(|(kind, key)| id_key(kind, key));
        let start = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut found = Vec::new();
        for entry in self.throttles()?.range::<&[u8]>((start, Bound::Unbounded))?.take(most) {
            let (key, bytes) = entry?;
            let (kind, throttle_key) = split_id_key(key.value())
                .ok_or_else(|| Error::corrupted(TABLE, format!("{:02x?}", key.value()), "it is no key of a kind"))?;
            found.push(ThrottleRow { kind, key: throttle_key, accepted: decoded(key.value(), bytes.value()) });
        }
        Ok(found)
    }
}

impl Tables<Writing<'_>> {
    /// Stores the submit that was accepted last with a throttle key, or removes the row.
    pub(crate) fn put_accepted_submit(
        &mut self,
        kind: u32,
        key: &TaskKey,
        accepted: Option<&AcceptedSubmit>,
    ) -> Result<()> {
        let key = id_key(kind, key);
        let before = match accepted {
            Some(accepted) => {
                let bytes = encoding::encode_at(&key, accepted)?;
                let before = self.throttles()?.replace(key.as_slice(), bytes.as_slice())?;
                before.map(|bytes| decoded(&key, bytes.value()))
            }
            None => self.throttles()?.take(key.as_slice())?.map(|bytes| decoded(&key, bytes.value())),
        };
        // The end of a row that cannot be read stays until its time has passed.
        if let Some(Ok(before)) = before {
            self.throttle_ends()?.remove(throttle_end_key(before.end(), &key).as_slice())?;
        }
        if let Some(accepted) = accepted {
            self.throttle_ends()?.insert(throttle_end_key(accepted.end(), &key).as_slice(), ())?;
        }
        Ok(())
    }

    /// Removes up to `most` rows whose period has passed.
    pub(crate) fn remove_ended_throttles(&mut self, now: Micros, most: usize) -> Result<()> {
        let beyond = throttle_end_key(now.saturating_add(1), &[]);
        let ended = self.throttle_ends()?.range::<&[u8]>(..beyond.as_slice())?.take(most);
        let ended = ended.map(|row| Ok(row?.0.value().to_vec())).collect::<Result<Vec<_>>>()?;
        for end_key in ended {
            self.throttle_ends()?.remove(end_key.as_slice())?;
            let Some((end, key)) = split_throttle_end_key(&end_key) else { continue };
            let accepted = self.throttles()?.get(key)?.and_then(|bytes| decoded(key, bytes.value()).ok());
            if accepted.is_some_and(|accepted| accepted.end() == end) {
                self.throttles()?.remove(key)?;
            }
        }
        Ok(())
    }
}
