//! The hidden command `launch`: becomes the command of a line once the run has registered it.
//!
//! `tracker launch PARENT null|terminal PROGRAM ARGUMENT…` is started by `run` with a socket as its standard input. On
//! Linux it asks the kernel to kill it when its parent dies. Then it waits for one byte on the socket, which the run writes
//! after it has registered the process group. Files may come with the byte: the program and its children inherit them, and with them the
//! locks of their machine slots. If the run dies before, the program never starts. The execution of the program closes the socket; on
//! failure `launch` writes the error number to it.
//!
//! It bypasses the command line parser, because it starts once per attempt.

use std::{
    env,
    ffi::{CString, OsStr, OsString},
    fs::File,
    io::{self, IoSlice, IoSliceMut, Write},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::{
            ffi::{OsStrExt, OsStringExt},
            net::UnixStream,
        },
    },
    path::Path,
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool},
};

use nix::{errno::Errno, unistd::execv};
use rustix::{
    io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd},
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
        recvmsg, sendmsg,
    },
    process::{Pid, getppid},
    stdio::dup2_stdin,
};
use signal_hook::consts::SIGPIPE;

/// The first argument that selects this command.
pub const NAME: &str = "launch";

/// The standard input of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdin {
    Null,
    /// The terminal, which is also its standard output.
    Terminal,
}

impl Stdin {
    pub fn word(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Terminal => "terminal",
        }
    }
}

/// Runs this command if the arguments ask for it. Returns only if the program could not be executed.
pub fn from_arguments() -> Option<ExitCode> {
    let mut arguments = env::args_os().skip(1);
    if arguments.next()? != NAME {
        return None;
    }
    let launched = socket().and_then(|mut socket| {
        let failed = launch(&mut socket, arguments);
        // A run that is gone reads nothing.
        failed.or_else(|error| {
            socket.write_all(error.raw_os_error().unwrap_or(Errno::EINVAL as i32).to_string().as_bytes())
        })
    });
    Some(if launched.is_ok() { ExitCode::from(127) } else { ExitCode::from(2) })
}

/// The socket to the run, moved from the standard input to a number that the program does not inherit.
fn socket() -> io::Result<UnixStream> {
    Ok(UnixStream::from(fcntl_dupfd_cloexec(io::stdin(), 3)?))
}

/// Returns without an error if the run is gone.
fn launch(socket: &mut UnixStream, mut arguments: impl Iterator<Item = OsString>) -> io::Result<()> {
    let parent = arguments.next().and_then(|pid| Pid::from_raw(pid.to_str()?.parse().ok()?));
    let is_terminal = arguments.next().is_some_and(|stdin| stdin == Stdin::Terminal.word());
    let words: Vec<CString> = arguments.map(|word| CString::new(word.into_vec())).collect::<Result<_, _>>()?;
    let program = words.first().ok_or(io::ErrorKind::InvalidInput)?;
    if is_terminal {
        dup2_stdin(io::stdout())?;
    } else {
        dup2_stdin(File::open("/dev/null")?)?;
    }
    die_with_parent()?;
    let Some(inherited) = wait_for_release(socket)? else { return Ok(()) };
    if getppid() != parent {
        return Ok(());
    }
    // The runtime ignores this signal, and an ignored signal stays ignored in the program; a handled one does not.
    signal_hook::flag::register(SIGPIPE, Arc::new(AtomicBool::new(false)))?;
    let error = execute(program, &words);
    drop(inherited);
    Err(error.into())
}

/// The most files that come with a release.
pub const MAX_FILES: usize = 16;

/// Programs leave file descriptors from this number on alone; shells name those below.
const FIRST_FREE: i32 = 10;

/// Lets a launched process execute its program, which inherits these files.
pub fn release(socket: &UnixStream, files: &[impl AsFd]) -> io::Result<()> {
    let files: Vec<BorrowedFd<'_>> = files.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FILES))];
    let mut attached = SendAncillaryBuffer::new(&mut space);
    if !files.is_empty() && !attached.push(SendAncillaryMessage::ScmRights(&files)) {
        return Err(io::Error::other("too many files for one message"));
    }
    sendmsg(socket, &[IoSlice::new(b"+")], &mut attached, SendFlags::empty())?;
    Ok(())
}

/// Waits for [`release`]. Returns the files that the program inherits, or `None` if the run is gone.
fn wait_for_release(socket: &UnixStream) -> io::Result<Option<Vec<OwnedFd>>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FILES))];
    let mut attached = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let received = loop {
        match recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut attached, RecvFlags::empty()) {
            Err(rustix::io::Errno::INTR) => {}
            received => break received?,
        }
    };
    if received.bytes == 0 {
        return Ok(None);
    }
    let mut files = Vec::new();
    for message in attached.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            for file in received {
                let file = fcntl_dupfd_cloexec(file, FIRST_FREE)?;
                fcntl_setfd(&file, FdFlags::empty())?;
                files.push(file);
            }
        }
    }
    Ok(Some(files))
}

/// The kernel kills this process, and the program that it becomes, when the thread that started it ends.
#[cfg(target_os = "linux")]
fn die_with_parent() -> io::Result<()> {
    use rustix::process::{Signal, set_parent_process_death_signal};
    Ok(set_parent_process_death_signal(Some(Signal::KILL))?)
}

#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "on Linux it can fail")]
fn die_with_parent() -> io::Result<()> {
    Ok(())
}

/// Searches `PATH` as `execvp` does, but never has a shell read a file that is not executable by itself.
fn execute(program: &CString, words: &[CString]) -> Errno {
    let name = OsStr::from_bytes(program.as_bytes());
    if name.as_bytes().contains(&b'/') {
        return execute_at(program, words);
    }
    if name.is_empty() {
        return Errno::ENOENT;
    }
    let path = env::var_os("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
    let mut found = Errno::ENOENT;
    for folder in env::split_paths(&path) {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
        let Ok(candidate) = CString::new(folder.join(name).into_os_string().into_vec()) else { continue };
        match execute_at(&candidate, words) {
            Errno::ENOENT | Errno::ENOTDIR => {}
            Errno::EACCES => found = Errno::EACCES,
            error => return error,
        }
    }
    found
}

fn execute_at(path: &CString, words: &[CString]) -> Errno {
    match execv(path, words) {
        Err(error) => error,
    }
}
