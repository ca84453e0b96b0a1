//! Moves all tasks between the places that arguments name. Called by `move_all`; opens and writes both.

use std::sync::mpsc::{Receiver, Sender, channel};

use tracker_core::{
    Error, ErrorKind,
    maintenance::{MovePlace, MoveProgress, Moved},
};

use super::{FileArg, Purpose, explain, options, place::Place, server};
use crate::error::CliError;

/// The error of a connect: its kind, and its form for users of the program.
pub type ConnectError = (ErrorKind, CliError);

impl FileArg {
    /// Returns the place that an argument names.
    pub fn of(text: &str) -> Result<Self, CliError> {
        Ok(Self { place: Place::of_argument(text.into()).map_err(CliError::usage)? })
    }

    /// Moves all tasks to another place.
    pub fn move_to(&self, to: &Self, progress: impl FnMut(&MoveProgress)) -> Result<Moved, CliError> {
        let (sender, connect_errors) = channel();
        let (from, into) = (self.move_place(&sender)?, to.move_place(&sender)?);
        // From here on, URLs are well-formed.
        if self.is_server() && to.is_server() && self.name() == to.name() {
            return Err(CliError::usage(format!("{}: source and target of the move are the same schema", self.name())));
        }
        let moved = options().move_tasks(from, into, progress);
        moved.map_err(|error| explain_move(&[self, to], &connect_errors, error))
    }

    /// Makes the source of a move usable again.
    pub fn undo_move(&self) -> Result<(), CliError> {
        let (sender, connect_errors) = channel();
        let undone = options().undo_move(self.move_place(&sender)?);
        undone.map_err(|error| explain_move(&[self], &connect_errors, error))
    }

    fn move_place(&self, connect_errors: &Sender<ConnectError>) -> Result<MovePlace, CliError> {
        match &self.place {
            Place::File(path) => Ok(MovePlace::file(path)),
            Place::Server(url) => server::move_place(url, connect_errors),
        }
    }
}

/// The error of a move. If another process has one of the files open, names it.
fn explain_move(places: &[&FileArg], connect_errors: &Receiver<ConnectError>, error: Error) -> CliError {
    // A connect may fail without being the reason: the target of a source that was moved already is missing.
    if let Some((_, explained)) = connect_errors.try_iter().find(|(kind, _)| *kind == error.kind()) {
        return explained;
    }
    let mut open = places.iter().filter(|place| error.kind() == ErrorKind::Busy && !place.holders().is_empty());
    match open.next().and_then(|place| place.path()) {
        Some(path) => explain(path, &error, Purpose::Exclusive),
        None => error.into(),
    }
}
