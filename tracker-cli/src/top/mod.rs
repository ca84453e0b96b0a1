//! The live view in the terminal: `source` reads and changes the file, `app` has the state, `keys` maps keys to actions,
//! `view` draws. Started by `tracker top`.

mod app;
mod keys;
mod list_selection;
mod listing;
mod live_throughput;
mod source;
mod view;

pub use source::TrackerSource;

use std::{
    io,
    time::{Duration, Instant},
};

use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event, KeyEventKind},
};

use self::app::App;
use crate::error::CliError;

/// Shows the file until the user quits.
pub fn run(source: TrackerSource, every: Duration, colored: bool) -> Result<(), CliError> {
    let mut app = App::new(source);
    app.refresh();
    let mut terminal = ratatui::try_init()?;
    let result = run_loop(&mut terminal, &mut app, every, colored);
    ratatui::try_restore()?;
    Ok(result?)
}

fn run_loop(terminal: &mut DefaultTerminal, app: &mut App, every: Duration, colored: bool) -> io::Result<()> {
    let mut refreshed = Instant::now();
    while !app.should_quit() {
        terminal.draw(|frame| view::draw(frame, app, colored))?;
        // Waits for a key until the next refresh.
        if event::poll(every.saturating_sub(refreshed.elapsed()))? {
            if let Event::Key(key) = event::read()?
                && key.kind != KeyEventKind::Release
            {
                app.press(key);
            }
        } else {
            refreshed = Instant::now();
            app.tick();
        }
    }
    Ok(())
}
