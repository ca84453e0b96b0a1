//! The keeper: a thread that commits what no thread waits for, and keeps the file quick to open when nothing happens.

use std::{sync::Arc, thread, thread::JoinHandle};

use super::{Engine, queue::Call};
use crate::error::{Error, ErrorKind, Result};

pub(super) fn start(engine: &Arc<Engine>) -> Result<JoinHandle<()>> {
    let engine = engine.clone();
    thread::Builder::new()
        .name("tracker-keeper".to_owned())
        .spawn(move || keep(&engine))
        .map_err(|error| Error::caused(ErrorKind::Io, "the tracker's background thread could not be started", error))
}

fn keep(engine: &Engine) {
    loop {
        let settles_in = || if engine.database.in_memory() { None } else { engine.commits.settles_in() };
        match engine.queue.keep(settles_in) {
            Call::Lead => engine.lead(),
            Call::Quiet => {
                engine.settle();
                engine.queue.hand_over();
            }
            Call::Closed => return,
        }
    }
}
