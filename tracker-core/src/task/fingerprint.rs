use serde::Serialize;
use xxhash_rust::xxh3::Xxh3;

/// Hashes the fields marked `#[task(fingerprint)]` of a task as it was submitted.
#[derive(Default)]
pub struct Fingerprint {
    hasher: Xxh3,
}

impl Fingerprint {
    /// Starts with no field.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field. A value that serde cannot write counts as absent: submitting the task fails on it anyway.
    #[must_use]
    pub fn field<T: Serialize + ?Sized>(mut self, name: &str, value: &T) -> Self {
        let bytes = rmp_serde::to_vec_named(value).unwrap_or_default();
        for part in [name.as_bytes(), &bytes] {
            self.hasher.update(&(part.len() as u64).to_le_bytes());
            self.hasher.update(part);
        }
        self
    }

    /// The fingerprint.
    #[must_use]
    pub fn finish(self) -> u64 {
        self.hasher.digest()
    }
}
