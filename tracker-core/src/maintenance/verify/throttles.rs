//! Checks the rows of throttle keys against each other. Called by `verify/mod.rs`; writes no row.

use std::collections::BTreeSet;

use super::Found;
use crate::{
    model::error::Result,
    storage::{
        keys::{id_key, split_throttle_end_key, throttle_end_key},
        tables::{Reading, Tables},
    },
};

const TABLE: &str = "tracker.throttles";
const ENDS: &str = "tracker.throttle_ends";

/// Reports rows that cannot be read or are of a missing kind, and a table of the ends that does not match.
pub(super) fn check(rows: &mut Tables<Reading<'_>>, found: &mut Found) -> Result<()> {
    let kinds = rows.all_kinds()?;
    let mut ends: BTreeSet<_> = rows.all_throttle_ends()?.into_iter().collect();
    let throttles = match rows.throttles_after(None, usize::MAX) {
        Ok(throttles) => throttles,
        Err(error) => return found.add_error(TABLE, error),
    };
    for row in throttles {
        let key = id_key(row.kind, &row.key);
        match row.accepted {
            Ok(accepted) => {
                if kinds.get(row.kind).is_none() {
                    found.add(TABLE, format!("{} is of kind {}, which is missing", row.key, row.kind));
                }
                if !ends.remove(&throttle_end_key(accepted.end(), &key)) {
                    found.add(ENDS, format!("the end of the period of {} is missing", row.key));
                }
            }
            Err(error) => {
                // Its end is unknown.
                ends.retain(|end| split_throttle_end_key(end).is_none_or(|(_, of)| of != key));
                found.add_error(TABLE, error)?;
            }
        }
    }
    for end in ends {
        found.add(ENDS, format!("{end:02x?} belongs to no throttle key"));
    }
    Ok(())
}
