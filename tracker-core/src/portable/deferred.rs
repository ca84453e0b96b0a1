//! `DeferredLines` keeps lines that wait for other lines, such as a task before its dependency, and reports those whose other line never
//! comes. Used by `import`; in memory only, at most 64 MiB of lines.

use std::collections::{HashMap, HashSet};

use super::{dependency::AwaitedDependency, line::Numbered};
use crate::model::error::{Error, Result};

/// The most bytes of lines that are held.
const HELD_BYTES: usize = 64 << 20;

/// How many members of a dependency cycle an error names.
const CYCLE: usize = 10;

/// Lines of tasks that wait for lines which have not been read yet: of another kind, or submitted later.
#[derive(Default)]
pub(super) struct DeferredLines {
    lines: HashMap<AwaitedDependency, Vec<HeldLine>>,
    bytes: usize,
    woken: Vec<Numbered>,
}

/// A held line, and the names by which other lines wait for it.
struct HeldLine {
    line: Numbered,
    names: Vec<AwaitedDependency>,
}

/// Why a name never came.
#[derive(Clone, Copy)]
enum Missing<'h> {
    /// No line has the last name of the chain of waits, which is this one.
    Absent(&'h AwaitedDependency),
    /// The chain of waits ends in a cycle, of which this name is a member.
    Cycle(&'h AwaitedDependency),
}

impl DeferredLines {
    /// Holds a line until the line that it waits for is read. `names` are the names by which other lines wait for it. Refused if too many bytes are held.
    pub(super) fn add(
        &mut self,
        awaited: AwaitedDependency,
        line: Numbered,
        names: Vec<AwaitedDependency>,
    ) -> Result<()> {
        if self.bytes.saturating_add(line.bytes) > HELD_BYTES {
            return Err(Error::invalid(format!(
                "it waits for {awaited}, which has not come, and 64 MiB of such lines are held already: put that line before this one"
            )));
        }
        self.bytes += line.bytes;
        self.lines.entry(awaited).or_default().push(HeldLine { line, names });
        Ok(())
    }

    /// Releases the lines that wait for this task or batch, which is stored now.
    pub(super) fn wake(&mut self, name: &AwaitedDependency) {
        let held = self.lines.remove(name).unwrap_or_default();
        self.woken.extend(held.into_iter().map(|held| held.line));
    }

    /// A line that need not be held any more.
    pub(super) fn next(&mut self) -> Option<Numbered> {
        let line = self.woken.pop()?;
        self.bytes = self.bytes.saturating_sub(line.bytes);
        Some(line)
    }

    /// The lines that wait for a line which never came: their numbers in ascending order, each with the reason.
    pub(super) fn rest(self) -> Vec<(u64, String)> {
        let awaits = self.awaits();
        let mut known = HashMap::new();
        let mut rest = Vec::new();
        for (awaited, lines) in &self.lines {
            let reason = refusal(awaited, missing(awaited, &awaits, &mut known), &awaits);
            rest.extend(lines.iter().map(|held| (held.line.number, reason.clone())));
        }
        rest.sort_unstable_by_key(|(number, _)| *number);
        rest
    }

    /// For each name that a held line would bring, the name which that line waits for.
    fn awaits(&self) -> HashMap<&AwaitedDependency, &AwaitedDependency> {
        let mut awaits = HashMap::new();
        for (awaited, lines) in &self.lines {
            for name in lines.iter().flat_map(|held| &held.names) {
                awaits.entry(name).or_insert(awaited);
            }
        }
        awaits
    }
}

/// Why a name never came. `known` has the reasons that were found before, so that each name is looked at once.
fn missing<'h>(
    name: &'h AwaitedDependency,
    awaits: &HashMap<&'h AwaitedDependency, &'h AwaitedDependency>,
    known: &mut HashMap<&'h AwaitedDependency, Missing<'h>>,
) -> Missing<'h> {
    let (mut path, mut current) = (HashSet::new(), name);
    let reason = loop {
        if let Some(reason) = known.get(current) {
            break *reason;
        }
        if !path.insert(current) {
            break Missing::Cycle(current);
        }
        match awaits.get(current) {
            Some(next) => current = next,
            None => break Missing::Absent(current),
        }
    };
    known.extend(path.into_iter().map(|name| (name, reason)));
    reason
}

fn refusal(
    awaited: &AwaitedDependency,
    missing: Missing<'_>,
    awaits: &HashMap<&AwaitedDependency, &AwaitedDependency>,
) -> String {
    match missing {
        Missing::Absent(absent) if absent == awaited => awaited.is_absent().to_string(),
        Missing::Absent(absent) => format!(
            "it waits for {awaited}, which waits for another; the last of these, {absent}, is neither in the file nor in the lines: put that in first"
        ),
        Missing::Cycle(member) => {
            // Most lines that wait for a cycle are in it.
            let names = cycle(awaited, awaits).or_else(|| cycle(member, awaits));
            let names = names.unwrap_or_else(|| vec![member]);
            let names: Vec<_> = names.into_iter().map(ToString::to_string).collect();
            format!(
                "it waits for {}, so none of them comes first (dependency cycle): leave one of these dependencies out",
                names.join(", which waits for ")
            )
        }
    }
}

/// The cycle that begins and ends with this name, if it is a short one.
fn cycle<'h>(
    name: &'h AwaitedDependency,
    awaits: &HashMap<&'h AwaitedDependency, &'h AwaitedDependency>,
) -> Option<Vec<&'h AwaitedDependency>> {
    let mut names = vec![name];
    while names.len() <= CYCLE {
        let next = awaits.get(names.last()?)?;
        names.push(next);
        if *next == name {
            return Some(names);
        }
    }
    None
}
