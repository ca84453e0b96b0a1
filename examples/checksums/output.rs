use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use tracker_core::{Tasks, status::Role};

use crate::{
    file::FileTask,
    report::{each, is_there},
    walk::Walk,
};

/// Writes the sums of the folder's files as `sha256sum` prints them; says how many lines these are.
pub fn write(tasks: &Tasks<FileTask>, walk: &Walk, path: &Path) -> anyhow::Result<u64> {
    let mut out = BufWriter::new(File::create(path)?);
    let mut lines = 0;
    each(tasks.query().role(Role::Succeeded), |record| {
        let (Some(name), Some(sha256)) = (walk.shown(&record.task), &record.task.sha256) else { return Ok(()) };
        if is_there(&record.task) {
            out.write_all(&line(sha256, name.as_os_str().as_encoded_bytes()))?;
            lines += 1;
        }
        Ok(())
    })?;
    out.into_inner()?.sync_all()?;
    Ok(lines)
}

/// A name with a line break or a backslash is escaped, and a backslash before the sum says so.
fn line(sha256: &str, name: &[u8]) -> Vec<u8> {
    let mut line = Vec::with_capacity(name.len() + 68);
    if name.iter().any(|byte| matches!(byte, b'\\' | b'\n' | b'\r')) {
        line.push(b'\\');
    }
    line.extend_from_slice(sha256.as_bytes());
    line.extend_from_slice(b"  ");
    for byte in name {
        match byte {
            b'\\' => line.extend_from_slice(b"\\\\"),
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\r' => line.extend_from_slice(b"\\r"),
            other => line.push(*other),
        }
    }
    line.push(b'\n');
    line
}
