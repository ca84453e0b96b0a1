//! Captures the run log of the current thread.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use tracing::Dispatch;
use tracing_subscriber::layer::SubscriberExt;
use tracker_core::events::RunLog;

#[derive(Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The lines that `scene` logs.
pub fn told(scene: impl FnOnce()) -> Vec<String> {
    let text = Text::default();
    // A second listener: with one alone, the first thread to come by decides for all whether a line is listened to.
    let _second = Dispatch::new(tracing_subscriber::registry().with(RunLog::new(io::sink())));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(RunLog::new(text.clone())), scene);
    let text = String::from_utf8(text.0.lock().unwrap().clone()).unwrap();
    text.lines().map(|line| line.trim_end_matches(['-', '+']).to_owned()).collect()
}
