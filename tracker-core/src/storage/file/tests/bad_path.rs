//! Tests of paths that are no tracker file: the error names the reason, and the path is left as it was.

use std::fs;

use tempfile::tempdir;

use super::*;

fn says(error: &Error, kind: ErrorKind, words: &[&str]) {
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text:?}");
    }
}

#[test]
fn an_empty_file_is_refused_and_left_alone() {
    let file = tempfile::NamedTempFile::new().unwrap();
    says(&refusal(file.path()), ErrorKind::Foreign, &["empty", "delete it", file.path().to_str().unwrap()]);
    assert_eq!(fs::metadata(file.path()).unwrap().len(), 0);
}

#[test]
fn another_programs_file_is_refused_and_left_alone() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    for contents in ["x", "redb", "Dear diary, today I opened a file that is not mine.\n"] {
        fs::write(&path, contents).unwrap();
        for sharing in ALL {
            let error = open(&path, &shared(sharing)).unwrap_err();
            says(&error, ErrorKind::Foreign, &["no tracker file", "notes.txt"]);
            assert_eq!(inspect(&location(&path), &shared(sharing)).map(drop).unwrap_err().kind(), ErrorKind::Foreign);
            assert_eq!(open_existing(&location(&path), &shared(sharing)).unwrap_err().kind(), ErrorKind::Foreign);
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), contents);
    }
    assert_eq!(names(folder.path()), ["notes.txt"]);
}

#[test]
fn a_database_of_an_old_format_is_refused_by_its_version() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("old.redb");
    drop(open(&path, &shared(Sharing::Exclusive)).unwrap());
    let mut bytes = fs::read(&path).unwrap();
    bytes[64] = 2;
    bytes[192] = 2;
    fs::write(&path, bytes).unwrap();
    says(&refusal(&path), ErrorKind::Foreign, &["old format 2", "old.redb"]);
}

#[cfg(unix)]
#[test]
fn symlink_loop_is_reported() {
    let folder = tempdir().unwrap();
    let (one, other) = (folder.path().join("jobs.redb"), folder.path().join("other"));
    std::os::unix::fs::symlink(&one, &other).unwrap();
    std::os::unix::fs::symlink(&other, &one).unwrap();
    let error = refusal(&one);
    says(&error, ErrorKind::Io, &["symbolic links"]);
    assert!(!error.to_string().contains("does not exist"), "{error}");
}

#[cfg(unix)]
#[test]
fn names_and_links_of_no_use_are_not_disk_errors() {
    let folder = tempdir().unwrap();
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    std::os::unix::fs::symlink(&one, &other).unwrap();
    std::os::unix::fs::symlink(&other, &one).unwrap();
    for (path, words) in [
        (folder.path().join("x".repeat(256)), "a name in the path is too long"),
        (folder.path().join("x".repeat(256)).join("jobs.redb"), "a name in the path is too long"),
        (one.join("jobs.redb"), "symbolic links in the path lead to each other"),
    ] {
        says(&refusal(&path), ErrorKind::Io, &[words]);
        let looked = inspect(&location(&path), &FileOptions::default()).map(drop).unwrap_err();
        says(&looked, ErrorKind::Io, &[words]);
    }
    let error = Error::from(redb::StorageError::Io(std::io::Error::from_raw_os_error(24)));
    says(&error, ErrorKind::Io, &["too many open files"]);
}

#[test]
fn a_directory_is_refused() {
    let folder = tempdir().unwrap();
    says(&refusal(folder.path()), ErrorKind::Foreign, &["a directory"]);
    assert_eq!(names(folder.path()), [""; 0]);
}

#[cfg(unix)]
#[test]
fn a_named_pipe_is_refused_at_once() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    says(&refusal(&path), ErrorKind::Foreign, &["a named pipe"]);
    says(
        &inspect(&location(&path), &FileOptions::default()).map(drop).unwrap_err(),
        ErrorKind::Foreign,
        &["a named pipe"],
    );
}

#[cfg(unix)]
#[test]
fn sockets_and_devices_are_refused() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    says(&refusal(&path), ErrorKind::Foreign, &["a socket"]);
    says(&refusal(Path::new("/dev/null")), ErrorKind::Foreign, &["a device"]);
}

#[test]
fn a_missing_folder_is_named() {
    let folder = tempdir().unwrap();
    let missing = folder.path().join("data");
    says(&refusal(&missing.join("jobs.redb")), ErrorKind::Io, &["no folder", missing.to_str().unwrap(), "create it"]);
}

#[test]
fn file_in_place_of_a_folder_is_reported() {
    let file = tempfile::NamedTempFile::new().unwrap();
    says(&refusal(&file.path().join("jobs.redb")), ErrorKind::Io, &["a part of the path is no folder"]);
}

#[test]
fn paths_without_a_file_name_are_refused() {
    for path in ["", ".."] {
        let error = refusal(Path::new(path));
        assert!(matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Foreign), "{error}");
    }
}

#[test]
fn missing_file_is_neither_reopened_nor_inspected() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    let options = FileOptions::default();
    says(&open_existing(&location(&path), &options).unwrap_err(), ErrorKind::Io, &["no file here"]);
    says(&inspect(&location(&path), &options).map(drop).unwrap_err(), ErrorKind::Io, &["no file here"]);
    assert_eq!(names(folder.path()), [""; 0]);
}

#[cfg(unix)]
#[test]
fn missing_permission_is_named_in_the_error() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    drop(open(&path, &FileOptions::default()).unwrap());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o500)).unwrap();
    if fs::OpenOptions::new().write(true).open(&path).is_ok() {
        return; // root may do everything
    }
    says(&refusal(&path), ErrorKind::Io, &["no permission", "inspect"]);
    says(&refusal(&folder.path().join("other.redb")), ErrorKind::Io, &["no permission", "folder"]);
    assert_eq!(all_squares(&inspect(&location(&path), &FileOptions::default()).unwrap()).unwrap(), 500);
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
}

#[cfg(unix)]
#[test]
fn links_are_followed_unless_they_lead_nowhere() {
    let folder = tempdir().unwrap();
    let (path, link) = (folder.path().join("jobs.redb"), folder.path().join("link"));
    std::os::unix::fs::symlink(&path, &link).unwrap();
    says(&refusal(&link), ErrorKind::Io, &["symbolic link", "does not exist"]);
    assert_eq!(names(folder.path()), ["link"]);

    let first = open(&path, &FileOptions::default()).unwrap();
    assert_eq!(refusal(&link).kind(), ErrorKind::Busy);
    drop(first);
    let opened = open(&link, &FileOptions::default()).unwrap();
    assert!(!opened.created);
    assert_eq!(all_squares(&opened.file.db).unwrap(), 500);
}
