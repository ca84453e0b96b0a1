//! Finds the files of paths that were chosen, dropped or given as arguments, and makes jobs of them. Called on threads that may wait.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::hash::Hash;

/// The files that were found, and the paths that could not be read.
#[derive(Debug, Default)]
pub struct Found {
    pub jobs: Vec<Hash>,
    pub errors: Vec<String>,
}

/// Lists files, and those of folders with all their folders. Links in folders are not followed. A file that cannot be read becomes a job, so
/// that its error is shown.
pub fn find(paths: impl IntoIterator<Item = PathBuf>) -> Found {
    let mut found = Found::default();
    for path in paths {
        let path = match std::path::absolute(&path) {
            Ok(path) => path,
            Err(error) => {
                found.errors.push(format!("cannot add {}: {error}", path.display()));
                continue;
            }
        };
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => found.folder(&path),
            Ok(metadata) => found.file(path, metadata.len()),
            Err(_) => found.file(path, 0),
        }
    }
    found
}

impl Found {
    fn file(&mut self, path: PathBuf, size: u64) {
        match path.into_os_string().into_string() {
            Ok(path) => self.jobs.push(Hash { path, size, sha256: None }),
            Err(path) => self.errors.push(format!("cannot add {}: its name is not UTF-8", path.display())),
        }
    }

    fn folder(&mut self, folder: &Path) {
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            if let Err(error) = self.entries(&folder, &mut folders) {
                self.errors.push(format!("cannot list {}: {error}", folder.display()));
            }
        }
    }

    fn entries(&mut self, folder: &Path, folders: &mut Vec<PathBuf>) -> io::Result<()> {
        let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_unstable_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                self.file(entry.path(), entry.metadata()?.len());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn folders_are_listed_and_missing_files_become_jobs() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("inner")).unwrap();
        for name in ["b", "a", "inner/c"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let missing = folder.path().join("missing");
        let found = find([folder.path().to_owned(), missing.clone()]);
        let paths: Vec<_> = found.jobs.iter().map(|job| PathBuf::from(&job.path)).collect();
        let listed = ["a", "b", "inner/c"].map(|name| folder.path().join(name));
        assert_eq!(paths, [listed.as_slice(), &[missing]].concat());
        assert_eq!(found.jobs[2].size, 7);
        assert!(found.errors.is_empty());
    }
}
