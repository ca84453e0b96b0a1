//! Wakes a run when another one has written a file of a folder or closed it, which a killed process does too. Called by `slot_files`; blocks
//! the calling thread.

use std::{path::Path, thread, time::Duration};

#[cfg(target_os = "linux")]
pub use linux::FolderWatch;
#[cfg(not(target_os = "linux"))]
pub use other::FolderWatch;

/// How often a run looks where the system does not wake it.
const LOOK_EVERY: Duration = Duration::from_millis(20);

#[cfg(target_os = "linux")]
mod linux {
    use rustix::{
        event::{PollFd, PollFlags, Timespec, poll},
        fd::OwnedFd,
        fs::inotify::{CreateFlags, WatchFlags, add_watch, init},
        io::read,
    };

    use super::{Duration, LOOK_EVERY, Path, thread};

    /// Absent if the user has used up the watches that the system permits.
    pub struct FolderWatch(Option<OwnedFd>);

    impl FolderWatch {
        pub fn new(folder: &Path) -> Self {
            let watch = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).and_then(|watch| {
                add_watch(&watch, folder, WatchFlags::MODIFY | WatchFlags::CLOSE_WRITE)?;
                Ok(watch)
            });
            Self(watch.ok())
        }

        /// Waits for a change since the last wait, at most so long.
        pub fn wait(&self, time: Duration) {
            let Some(watch) = &self.0 else { return thread::sleep(time.min(LOOK_EVERY)) };
            let time = Timespec::try_from(time).ok();
            // An interrupted wait ends early.
            let _ = poll(&mut [PollFd::new(watch, PollFlags::IN)], time.as_ref());
            let mut events = [0; 4096];
            while read(watch, &mut events[..]).is_ok_and(|bytes| bytes > 0) {}
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use super::{Duration, LOOK_EVERY, Path, thread};

    /// Looks again and again: this program uses no notification of other systems.
    pub struct FolderWatch;

    impl FolderWatch {
        pub fn new(_: &Path) -> Self {
            Self
        }

        pub fn wait(&self, time: Duration) {
            thread::sleep(time.min(LOOK_EVERY));
        }
    }
}
