//! The keys of the panel, and the commands and moves that they stand for. Called by `JobPanel::ui`.

use egui::{Key, Modifiers, Ui};
use tracker_core::TrackedTask;

use super::{JobPanel, Selection};
use crate::command::JobCommand;

impl<T: TrackedTask> JobPanel<T> {
    /// Performs the keys of this frame.
    pub(super) fn keys(&mut self, ui: &Ui) {
        // Keys belong to a focused field or button first.
        if ui.memory(|memory| memory.focused().is_some()) {
            return;
        }
        let pressed = |modifiers: Modifiers, key| ui.input_mut(|input| input.consume_key(modifiers, key));
        let command = if pressed(Modifiers::SHIFT, Key::Delete) {
            Some(JobCommand::Remove)
        } else if pressed(Modifiers::NONE, Key::Delete) {
            Some(JobCommand::Cancel)
        } else if pressed(Modifiers::NONE, Key::R) {
            Some(JobCommand::Retry)
        } else if pressed(Modifiers::COMMAND, Key::Home) {
            Some(JobCommand::MoveToFront)
        } else if pressed(Modifiers::NONE, Key::Space) {
            let jobs = self.selection.ids.iter().filter_map(|id| self.list.job(id));
            let runs = jobs.into_iter().any(|job| JobCommand::Pause.applies_to(job));
            Some(if runs { JobCommand::Pause } else { JobCommand::Resume })
        } else {
            None
        };
        if let Some(command) = command {
            self.perform(&command, self.chosen());
        } else if pressed(Modifiers::COMMAND, Key::ArrowUp) {
            self.move_by_one(true);
        } else if pressed(Modifiers::COMMAND, Key::ArrowDown) {
            self.move_by_one(false);
        } else if pressed(Modifiers::COMMAND, Key::A) {
            let rows = (0..self.list.rows()).filter_map(|row| self.list.row(row));
            self.selection.ids = rows.map(|job| job.id.clone()).collect();
        } else if pressed(Modifiers::NONE, Key::ArrowDown) {
            self.move_cursor(1);
        } else if pressed(Modifiers::NONE, Key::ArrowUp) {
            self.move_cursor(-1);
        } else if pressed(Modifiers::NONE, Key::Escape) {
            self.selection = Selection::default();
        }
    }

    fn move_cursor(&mut self, rows: isize) {
        let at = self.selection.cursor.as_ref().and_then(|id| self.list.row_of(id));
        let row = at.map_or(0, |row| row.saturating_add_signed(rows)).min(self.list.rows().saturating_sub(1));
        if let Some(job) = self.list.row(row) {
            let id = job.id.clone();
            self.selection =
                Selection { ids: [id.clone()].into(), cursor: Some(id.clone()), anchor: Some(id), reveal: true };
        }
    }
}
