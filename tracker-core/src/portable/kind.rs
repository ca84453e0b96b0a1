//! Imports the line of the definition of a kind, which is a `KindInfo`. Called by `import`; writes the definition through `Writer`.

use crate::{
    api::inspect::KindInfo,
    engine::Writer,
    model::{
        error::{Error, Result},
        kind::KindSpec,
        status::Graph,
    },
};

/// Adds the kind to the file. Returns false if the file has it already with the same statuses.
pub(super) fn put(info: KindInfo, writer: &mut Writer<'_>) -> Result<bool> {
    let paused = info.paused;
    let spec = spec(info)?;
    let Some(known) = writer.kinds().find(|kind| kind.name == spec.name) else {
        writer.define(spec, paused)?;
        return Ok(true);
    };
    if known.graph != spec.graph {
        return Err(Error::invalid(format!(
            "the file has a kind {:?} with other statuses: import into a file that has not, or under another name",
            spec.name
        )));
    }
    Ok(false)
}

/// The definition, checked like that of a type.
fn spec(info: KindInfo) -> Result<KindSpec> {
    let KindInfo { name, steps, statuses, indexes, uniques, priority_field, policy, .. } = info;
    let graph = Graph::new(steps, statuses).map_err(|error| Error::invalid(format!("kind {name:?}: {error}")))?;
    let uniques = uniques.into_iter().map(|unique| (unique.name, unique.while_unfinished)).collect();
    KindSpec { name, graph, indexes, uniques, priority_field, policy }.checked()
}
