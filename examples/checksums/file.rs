use std::{
    fs::Metadata,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use serde::{Deserialize, Serialize};
use tracker_core::{Record, TaskStatus, TrackedTask};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileStatus {
    Pending = 10,
    InProgress = 20,
    /// Failed once, and is tried again.
    Failed = 30,
    Succeeded = 40,
    /// Given up.
    Exhausted = 50,
    /// Its file was gone when its turn came.
    Ignored = 60,
}

/// A file whose sum is wanted. When size or time of a later walk differ, the tracker starts the task again.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "checksum", status = FileStatus, max_attempts = 2, lease = "1m", backoff = "fixed(500ms)")]
pub struct FileTask {
    /// The full path. Not every name is text, so it is kept as its bytes.
    #[task(id)]
    #[serde(with = "as_bytes")]
    pub path: Vec<u8>,
    #[task(fingerprint)]
    pub size: u64,
    /// Nanoseconds since 1970.
    #[task(fingerprint)]
    pub modified: i64,
    pub sha256: Option<String>,
}

pub type FileRecord = Record<FileTask, FileStatus>;

impl FileTask {
    pub fn new(path: &Path, metadata: &Metadata) -> Self {
        let path = path.as_os_str().as_encoded_bytes().to_vec();
        Self { path, size: metadata.len(), modified: modified(metadata), sha256: None }
    }

    #[cfg(unix)]
    pub fn path(&self) -> PathBuf {
        use std::os::unix::ffi::OsStrExt;
        std::ffi::OsStr::from_bytes(&self.path).into()
    }

    #[cfg(not(unix))]
    pub fn path(&self) -> PathBuf {
        String::from_utf8_lossy(&self.path).into_owned().into()
    }

    pub fn is_same_version(&self, metadata: &Metadata) -> bool {
        self.size == metadata.len() && self.modified == modified(metadata)
    }
}

fn modified(metadata: &Metadata) -> i64 {
    let Ok(time) = metadata.modified() else { return 0 };
    let nanos = match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_nanos()),
        Err(before) => i64::try_from(before.duration().as_nanos()).map(|nanos| -nanos),
    };
    nanos.unwrap_or(i64::MAX)
}

/// Serde's own form of a `Vec<u8>` is a list of numbers; this is a string of bytes.
mod as_bytes {
    use std::fmt;

    use serde::{Deserializer, Serializer, de};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Vec<u8>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string of bytes")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
        }

        deserializer.deserialize_bytes(Visitor)
    }
}
