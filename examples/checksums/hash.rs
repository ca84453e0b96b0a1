use std::{
    fmt::Write,
    fs::File,
    io::{self, ErrorKind, Read},
    path::Path,
};

use sha2::{Digest, Sha256};
use tracker_core::Execution;

use crate::file::FileTask;

/// The work on one file. An error is tried once more; where that makes no sense, the task is ended right here.
pub fn body(file: &mut Execution<FileTask>) -> anyhow::Result<()> {
    match sum(&file.path()) {
        Ok((version, sha256)) => *file.task_mut() = FileTask { sha256: Some(sha256), ..version },
        Err(error) if error.kind() == ErrorKind::NotFound => file.ignore("the file is gone")?,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => file.give_up(error)?,
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// The sum, and which version of the file it is about.
fn sum(path: &Path) -> io::Result<(FileTask, String)> {
    let version = FileTask::new(path, &path.symlink_metadata()?);
    let sha256 = sum_of(&mut File::open(path)?)?;
    if !version.is_same_version(&path.symlink_metadata()?) {
        return Err(io::Error::other("the file changed while it was read"));
    }
    Ok((version, sha256))
}

fn sum_of(file: &mut File) -> io::Result<String> {
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 64 << 10]);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => hasher.update(&buffer[..length]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let mut text = String::with_capacity(64);
    for byte in hasher.finalize() {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}
