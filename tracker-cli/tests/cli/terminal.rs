//! The program in a terminal of its own: what is typed goes in, the screen comes out.

use std::{
    io::{Read, Write},
    path::Path,
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

pub struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    writer: Box<dyn Write + Send>,
    output: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    // The terminal lives as long as its master.
    _master: Box<dyn MasterPty + Send>,
}

/// Long enough for a busy machine; a screen that is right is seen at once.
const PATIENCE: Duration = Duration::from_secs(60);

impl Terminal {
    pub fn start(folder: &Path, rows: u16, cols: u16, arguments: &[&str]) -> Self {
        let pair = native_pty_system().openpty(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_tracker"));
        command.args(arguments);
        command.cwd(folder);
        command.env("TERM", "xterm-256color");
        command.env_remove("NO_COLOR");
        command.env_remove("TRACKER_URL");
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (sender, output) = channel();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read) = reader.read(&mut bytes)
                && read > 0
                && sender.send(bytes[..read].to_vec()).is_ok()
            {}
        });
        let writer = pair.master.take_writer().unwrap();
        Self {
            child,
            writer,
            output,
            screen: vt100::Parser::new(rows.try_into().unwrap(), cols.try_into().unwrap(), 0),
            _master: pair.master,
        }
    }

    pub fn press(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    /// Waits until the screen shows all of this, and gives what it shows.
    pub fn shows(&mut self, wanted: &[&str]) -> String {
        self.shows_without(wanted, &[])
    }

    /// Waits until the screen shows all of this and none of that. What is broken into lines is found too.
    pub fn shows_without(&mut self, wanted: &[&str], unwanted: &[&str]) -> String {
        self.shows_what(&format!("{wanted:?} without {unwanted:?}"), |text| {
            let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let has = |part: &&str| text.contains(part) || flat.contains(part);
            wanted.iter().all(has) && !unwanted.iter().any(has)
        })
    }

    /// Waits until the screen is as wanted.
    pub fn shows_what(&mut self, wanted: &str, is_so: impl Fn(&str) -> bool) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let text = self.screen.screen().contents();
            if is_so(&text) {
                return text;
            }
            let left = until.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.screen.process(&bytes),
                Err(error) => panic!("{error}: the screen never showed {wanted}; it shows\n{text}"),
            }
        }
    }

    pub fn screen(&self) -> &vt100::Screen {
        self.screen.screen()
    }

    /// Whether some cell of the screen has a colour of its own.
    pub fn is_coloured(&self) -> bool {
        let screen = self.screen.screen();
        let (rows, cols) = screen.size();
        (0..rows.get()).any(|row| {
            (0..cols.get()).any(|col| screen.cell(row, col).is_some_and(|cell| cell.fgcolor() != vt100::Color::Default))
        })
    }

    /// Waits for the end of the program, and gives its exit code.
    pub fn ends(mut self) -> u32 {
        // What it still prints must be read, or it waits for that.
        while self.output.recv_timeout(PATIENCE).is_ok() {}
        self.child.wait().unwrap().exit_code()
    }
}
