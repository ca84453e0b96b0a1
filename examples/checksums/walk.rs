use std::path::{Path, PathBuf};

use anyhow::Context;
use walkdir::WalkDir;

use crate::{cli::Cli, file::FileTask};

/// The folder, and what in it is not to be read: the tool's own files.
pub struct Walk {
    /// As it was given: what `sha256sum` would print.
    given: PathBuf,
    /// Full and without links, so that a task is the same one from wherever the tool is started.
    full: PathBuf,
    own: Vec<PathBuf>,
}

impl Walk {
    pub fn new(cli: &Cli) -> anyhow::Result<Self> {
        let unreadable = || format!("cannot read the folder {}", cli.folder.display());
        let full = cli.folder.canonicalize().with_context(unreadable)?;
        anyhow::ensure!(full.is_dir(), "{} is no folder", cli.folder.display());
        let own = [Some(&cli.db), cli.output.as_ref()].into_iter().flatten().map(|path| full_path(path));
        Ok(Self { given: cli.folder.clone(), full, own: own.collect::<anyhow::Result<_>>()? })
    }

    /// Every regular file, and what could not be looked at.
    pub fn files(&self) -> impl Iterator<Item = walkdir::Result<FileTask>> {
        let wanted = |entry: &walkdir::DirEntry| !self.own.iter().any(|own| own == entry.path());
        WalkDir::new(&self.full).into_iter().filter_entry(wanted).filter_map(|entry| match entry {
            Ok(entry) if !entry.file_type().is_file() => None,
            Ok(entry) => Some(entry.metadata().map(|metadata| FileTask::new(entry.path(), &metadata))),
            Err(error) => Some(Err(error)),
        })
    }

    /// The path of a task as `sha256sum` would print it; `None` if it lies elsewhere.
    pub fn shown(&self, task: &FileTask) -> Option<PathBuf> {
        Some(self.given.join(task.path().strip_prefix(&self.full).ok()?))
    }
}

/// The full path of a file that need not exist yet.
fn full_path(path: &Path) -> anyhow::Result<PathBuf> {
    if let Ok(full) = path.canonicalize() {
        return Ok(full);
    }
    let name = path.file_name().with_context(|| format!("{} is no name of a file", path.display()))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = folder.canonicalize().with_context(|| format!("there is no folder {}", folder.display()))?;
    Ok(folder.join(name))
}
