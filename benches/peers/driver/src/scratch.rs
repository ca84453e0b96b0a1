//! Folders for the peers' files.

use std::{
    collections::HashMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Mutex,
    time::{Duration, Instant},
};

/// A folder that is removed on drop.
pub struct Scratch {
    root: PathBuf,
    /// Filled queues, and their numbers of tasks.
    filled: Mutex<HashMap<PathBuf, u64>>,
    /// The time that filling has taken so far.
    filling: Mutex<Duration>,
}

impl Scratch {
    /// Creates the folder in `parent`, whose disk is measured.
    pub fn new(parent: &Path) -> io::Result<Self> {
        let root = parent.join(format!("peers-{}", std::process::id()));
        fs::create_dir_all(&root)?;
        Ok(Self { root, filled: Mutex::default(), filling: Mutex::default() })
    }

    /// The time that filling has taken so far.
    pub fn filling(&self) -> Duration {
        self.filling.lock().map_or(Duration::ZERO, |time| *time)
    }

    fn folder(&self, name: &str) -> PathBuf {
        let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        self.root.join(plain)
    }

    /// An empty folder of this name.
    pub fn empty(&self, name: &str) -> Option<PathBuf> {
        let folder = self.folder(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).ok()?;
        Some(folder)
    }

    /// Copies a queue and returns the copy and its number of tasks. `fill` fills the queue once for all copies. The copy is
    /// flushed, so that its writes are not measured.
    pub fn copy(
        &self,
        name: &str,
        fill: impl FnOnce(PathBuf) -> Result<u64, String>,
    ) -> Result<(PathBuf, u64), String> {
        let source = self.folder(&format!("{name} full"));
        let known = self.filled.lock().ok().and_then(|filled| filled.get(&source).copied());
        let tasks = if let Some(tasks) = known {
            tasks
        } else {
            self.empty(&format!("{name} full")).ok_or("no folder for the queue")?;
            let begun = Instant::now();
            let filled = fill(source.clone());
            if let Ok(mut filling) = self.filling.lock() {
                *filling += begun.elapsed();
            }
            let tasks = filled?;
            if let Ok(mut filled) = self.filled.lock() {
                filled.insert(source.clone(), tasks);
            }
            tasks
        };
        let copy = self.empty(&format!("{name} copy")).ok_or("no folder for the copy")?;
        copy_files(&source, &copy).map_err(|error| format!("the queue cannot be copied: {error}"))?;
        Ok((copy, tasks))
    }
}

fn copy_files(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir(&target)?;
            copy_files(&entry.path(), &target)?;
            continue;
        }
        fs::copy(entry.path(), &target)?;
        File::options().write(true).open(target)?.sync_all()?;
    }
    File::open(to)?.sync_all()
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queue_is_filled_once_for_all_copies() {
        let scratch = Scratch::new(&std::env::temp_dir()).unwrap();
        let write = |dir: PathBuf| {
            fs::create_dir(dir.join("log"))?;
            fs::write(dir.join("log/1"), "abc")?;
            fs::write(dir.join("tasks"), "xyz")
        };
        let fill = |dir| write(dir).map(|()| 3).map_err(|error| error.to_string());
        let (copy, tasks) = scratch.copy("a row", fill).unwrap();
        fs::write(copy.join("tasks"), "used up").unwrap();
        let (copy, again) = scratch.copy("a row", |_| Err("filled twice".to_owned())).unwrap();
        assert_eq!((tasks, again, fs::read_to_string(copy.join("tasks")).unwrap()), (3, 3, "xyz".to_owned()));
        assert_eq!(fs::read_to_string(copy.join("log/1")).unwrap(), "abc");
        let root = scratch.root.clone();
        drop(scratch);
        assert!(!root.exists());
    }
}
