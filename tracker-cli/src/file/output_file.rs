//! `OutputFile`: writes a file that the user named: complete or not at all, and readable by no more users than before. Called by `export`,
//! `report` and `man`; `edit` uses its temporary files.

use std::{
    error::Error as StdError,
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use tempfile::{Builder, NamedTempFile};

use crate::error::CliError;

/// A file that a command writes. Drop it without [`OutputFile::finish`], and a new or replaced file is as it was before.
pub struct OutputFile {
    path: PathBuf,
    target: Target,
}

enum Target {
    /// A device, a FIFO or a socket, or the target of a symbolic link: written to as it is.
    Direct(File),
    /// A new file beside the path, of a random name, which takes its place when it is complete.
    Beside { file: NamedTempFile, replaces: bool },
}

/// Whether a regular file at the path is replaced.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// The new file takes its place, and keeps its owner and its mode.
    Replace,
    /// The command refuses.
    Keep,
}

/// The contents of a new file, which decide who may read it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Contents {
    /// Payloads, errors or ids of tasks: only the owner may read them (mode 0600).
    Tasks,
    /// Nothing of a tracker file: the umask decides.
    Public,
}

/// The first bytes of every redb file.
const TRACKER_FILE: &[u8] = b"redb\x1a\n\xa9\r\n";

impl OutputFile {
    /// Opens a path for writing. Symbolic links are followed and kept; a link without a target is refused, as is a tracker
    /// file.
    pub fn create(path: &Path, existing: Existing, contents: Contents) -> Result<Self, CliError> {
        let failed = |error: &io::Error| CliError::file(unwritten(path, error));
        let is_link = fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
        let found = match fs::metadata(path) {
            Ok(found) => Some(found),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(&error)),
        };
        let target = match found {
            None if is_link => {
                return Err(CliError::usage(format!(
                    "{} is a symbolic link to a file that does not exist: remove it, or name its target",
                    path.display()
                )));
            }
            None => Self::beside(path, contents, None),
            Some(found) if found.is_dir() => {
                return Err(CliError::usage(format!("{} is a folder: name a file in it", path.display())));
            }
            Some(found) if !found.is_file() => OpenOptions::new().write(true).open(path).map(Target::Direct),
            Some(_) if existing == Existing::Keep => {
                return Err(CliError::file(format!(
                    "{} exists already and is not overwritten: remove it, or name another file",
                    path.display()
                )));
            }
            Some(_) if is_tracker_file(path) => {
                return Err(CliError::usage(format!("{} is a tracker file: name another file", path.display())));
            }
            // The kernel follows the link, and so refuses links that other users put into shared folders.
            Some(_) if is_link => OpenOptions::new().write(true).truncate(true).open(path).map(Target::Direct),
            Some(found) => Self::beside(path, contents, Some(&found)),
        };
        Ok(Self { path: path.to_owned(), target: target.map_err(|error| failed(&error))? })
    }

    fn beside(path: &Path, contents: Contents, replaced: Option<&Metadata>) -> io::Result<Target> {
        if replaced.is_some() {
            // A file that its user made read-only is not replaced.
            drop(OpenOptions::new().write(true).open(path)?);
        }
        let mut builder = Builder::new();
        builder.prefix(".tracker-").suffix(".part");
        #[cfg(unix)]
        if contents == Contents::Public {
            builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        }
        #[cfg(not(unix))]
        let _ = contents;
        let file = builder.tempfile_in(folder_of(path))?;
        if let Some(replaced) = replaced {
            keep_access(file.as_file(), replaced)?;
        }
        Ok(Target::Beside { file, replaces: replaced.is_some() })
    }

    /// Writes all of a text at once.
    pub fn write(path: &Path, existing: Existing, contents: Contents, text: &[u8]) -> Result<(), CliError> {
        let mut file = Self::create(path, existing, contents)?;
        file.write_all(text)?;
        file.finish()
    }

    /// Puts the complete file in its place, after it has reached the disk.
    pub fn finish(self) -> Result<(), CliError> {
        let path = self.path;
        let finished = match self.target {
            Target::Direct(file) => match file.metadata() {
                Ok(found) if found.is_file() => file.sync_all(),
                _ => Ok(()),
            },
            Target::Beside { file, replaces } => place(file, &path, replaces),
        };
        finished.map_err(|error| CliError::file(unwritten(&path, &error)))
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match &mut self.target {
            Target::Direct(file) => file.write(bytes),
            Target::Beside { file, .. } => file.as_file_mut().write(bytes),
        };
        written.map_err(|error| io::Error::new(error.kind(), unwritten(&self.path, &error)))
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.target {
            Target::Direct(file) => file.flush(),
            Target::Beside { file, .. } => file.flush(),
        }
    }
}

/// Makes a file for an editor, under a random name in the system's folder for such files; it stays until it is removed.
pub fn private_temporary(suffix: &str, text: &[u8]) -> Result<PathBuf, CliError> {
    let made = || -> io::Result<PathBuf> {
        let mut file = Builder::new().prefix("tracker-").suffix(suffix).tempfile()?;
        file.write_all(text)?;
        file.flush()?;
        file.into_temp_path().keep().map_err(|error| error.error)
    };
    made().map_err(|error| {
        CliError::file(format!("cannot make a file in {}: {}", folder_of_temporaries(), cause(&error)))
    })
}

fn folder_of_temporaries() -> String {
    std::env::temp_dir().display().to_string()
}

fn place(file: NamedTempFile, path: &Path, replaces: bool) -> io::Result<()> {
    file.as_file().sync_all()?;
    let placed = if replaces { file.persist(path) } else { file.persist_noclobber(path) };
    let placed = placed.or_else(|failed| {
        // Some file systems can do neither of the two ways not to overwrite.
        let can_retry = failed.error.kind() != io::ErrorKind::AlreadyExists && fs::symlink_metadata(path).is_err();
        if can_retry { failed.file.persist(path) } else { Err(failed) }
    });
    placed.map_err(|failed| failed.error)?;
    #[cfg(unix)]
    if let Ok(folder) = File::open(folder_of(path)) {
        // The file is complete either way; not every file system can flush a folder.
        let _ = folder.sync_all();
    }
    Ok(())
}

/// Gives a file the owner, the group and the mode of the one that it replaces.
#[cfg(unix)]
fn keep_access(file: &File, replaced: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    let created = file.metadata()?;
    let owners = |found: &Metadata| (found.uid(), found.gid());
    let same = owners(&created) == owners(replaced) || fchown(file, Some(replaced.uid()), Some(replaced.gid())).is_ok();
    // With another group, rights of the group would be those of other users.
    let mode = replaced.mode() & if same { 0o777 } else { 0o700 };
    file.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn keep_access(_: &File, _: &Metadata) -> io::Result<()> {
    Ok(())
}

fn is_tracker_file(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(TRACKER_FILE.len() as u64).read_to_end(&mut start));
    read.is_ok() && start == TRACKER_FILE
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn unwritten(path: &Path, error: &io::Error) -> String {
    format!("cannot write {}: {}", path.display(), cause(error))
}

/// The system's error, without the temporary name that tempfile adds.
fn cause(error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|error| StdError::source(error));
    inner.map_or_else(|| error.to_string(), ToString::to_string)
}
