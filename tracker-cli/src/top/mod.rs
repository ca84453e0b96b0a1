//! A live view in the terminal. `source` reads and changes the file, `app` is what the user sees and where he is,
//! `keys` is what he can press, `view` draws; nothing flows back up.

mod app;
mod keys;
mod list;
mod pace;
mod source;
mod view;

pub use source::Source;

use std::{
    io,
    time::{Duration, Instant},
};

use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event, KeyEventKind},
};

use self::app::App;
use crate::failure::Failure;

/// Shows the file until the user leaves.
pub fn run(source: Source, every: Duration, coloured: bool) -> Result<(), Failure> {
    let mut app = App::new(source);
    app.refresh();
    let mut terminal = ratatui::try_init()?;
    let ended = follow(&mut terminal, &mut app, every, coloured);
    ratatui::try_restore()?;
    Ok(ended?)
}

fn follow(terminal: &mut DefaultTerminal, app: &mut App, every: Duration, coloured: bool) -> io::Result<()> {
    let mut looked = Instant::now();
    while !app.is_over() {
        terminal.draw(|frame| view::draw(frame, app, coloured))?;
        // Waits for a key, but not beyond the next look.
        if event::poll(every.saturating_sub(looked.elapsed()))? {
            if let Event::Key(key) = event::read()?
                && key.kind != KeyEventKind::Release
            {
                app.press(key);
            }
        } else {
            looked = Instant::now();
            app.tick();
        }
    }
    Ok(())
}
