//! The views of each kind, for people who read tasks by SQL. Created and replaced when a store is opened, and after a commit that changes a
//! kind.

mod kind_views;

use std::collections::HashMap;

use tracker_core::store::StoredKind;

use self::kind_views::KindViews;
use crate::{
    sql::{self, Sql},
    wire::{
        connection::{Connection, Step},
        error::Result,
        params::Params,
        row::Row,
    },
};

/// How long a changed view waits for sessions that read it. The next open tries again.
const PATIENCE: &str = "2s";

/// Makes the views that are missing, and replaces those of kinds that have changed. A role that may not do so, and a view that is in use for
/// long, leave them as they are.
///
/// # Errors
/// The connection broke.
pub(crate) fn refresh(connection: &mut Connection<Sql>, schema: &str) -> Result<()> {
    let result = views(connection, schema).and_then(|views| {
        for KindViews { text, .. } in views {
            let lock = sql::lock_number(schema, "views");
            let script = format!(
                "BEGIN; SET LOCAL lock_timeout = '{PATIENCE}'; SELECT pg_catalog.pg_advisory_xact_lock({lock}); {text}; COMMIT"
            );
            if connection.script(&script).is_err() {
                connection.script("ROLLBACK")?;
            }
        }
        Ok(())
    });
    result.or_else(|error| if error.is_final() { Err(error) } else { Ok(()) })
}

/// The views that are missing, and those of kinds that have changed.
fn views(connection: &mut Connection<Sql>, schema: &str) -> Result<Vec<KindViews>> {
    let steps = [Sql::Kinds, Sql::Views].map(|statement| Step::Run(statement, Params::default()));
    let mut answers = connection.run(&with_end(steps)).map_err(|failed| failed.error)?.into_iter();
    let kinds = answers.next().unwrap_or_default().rows;
    let found = answers.next().unwrap_or_default().rows;
    let comments: HashMap<String, String> =
        found.into_iter().map(|mut row| Ok((row.text()?, row.text()?))).collect::<Result<_>>()?;
    let read = |mut row: Row| Ok(StoredKind::from_row(&row.some_bytes()?, &row.some_bytes()?));
    let kinds = kinds.into_iter().map(read).collect::<Result<Vec<_>>>()?;
    let views = kinds.into_iter().flatten().map(|kind| KindViews::of(&kind, schema));
    let is_made = |views: &KindViews| views.names.iter().all(|name| comments.get(name) == Some(&views.comment));
    Ok(views.filter(|views| !is_made(views)).collect())
}

fn with_end<const N: usize>(steps: [Step<Sql>; N]) -> Vec<Step<Sql>> {
    steps.into_iter().chain([Step::Sync]).collect()
}
