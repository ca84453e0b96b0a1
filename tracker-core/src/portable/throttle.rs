//! `PortableThrottle` is the accepted submit of a throttle key as a JSON line. Used by `line`, `export` and `import`; `put` writes through
//! `Writer`.

use serde::{Deserialize, Serialize};

use super::{timestamp::Timestamp, value::PortableId};
use crate::{
    engine::Writer,
    model::{
        error::{Error, Result},
        kinds::Kinds,
        task::TaskKey,
        throttle::{AcceptedSubmit, Throttle},
        time::Micros,
    },
};

/// The line of a throttle key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PortableThrottle {
    /// The key.
    pub throttle: PortableId,
    pub kind: String,
    pub accepted_at: Timestamp,
    pub period_us: Micros,
    /// The id of the accepted task.
    pub id: PortableId,
}

impl PortableThrottle {
    pub(super) fn of(kinds: &Kinds, kind: u32, key: TaskKey, accepted: AcceptedSubmit) -> Self {
        Self {
            throttle: PortableId(key),
            kind: kinds.get(kind).map_or_else(|| kind.to_string(), |kind| kind.name.clone()),
            accepted_at: Timestamp(accepted.at),
            period_us: accepted.period,
            id: PortableId(accepted.id),
        }
    }

    /// Stores the row. One that the file has already stays as it is.
    pub(super) fn put(self, writer: &mut Writer<'_>) -> Result<()> {
        let Self { throttle: PortableId(key), period_us: period, id: PortableId(id), .. } = self;
        let kind = writer.kinds().find(|kind| kind.name == self.kind).ok_or_else(|| {
            let name = &self.kind;
            Error::invalid(format!(
                "the file has no kind {name:?} of the throttle key {key}: put its definition before"
            ))
        })?;
        let throttle = Throttle { key, period };
        throttle.check()?;
        if writer.rows().accepted_submit(kind.id, &throttle.key)?.is_some() {
            return Ok(());
        }
        let at = self.accepted_at.0.min(writer.now());
        writer.put_accepted_submit(kind.id, &throttle.key, &AcceptedSubmit { at, period, id })
    }
}
