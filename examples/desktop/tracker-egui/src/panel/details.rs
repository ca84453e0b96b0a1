//! The details below the table: the chosen job and its attempts with full errors. Called by `JobPanel::ui`.

use egui::{RichText, Ui};

use crate::{format::duration, job::Job};

/// Everything that is known of the chosen job, with its errors in full.
pub(super) fn show(ui: &mut Ui, job: &Job) {
    egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        ui.add_space(4.0);
        ui.horizontal_wrapped(|ui| {
            ui.strong(&job.text.name);
            ui.weak(&job.text.place);
        });
        if !job.text.result.is_empty() {
            ui.horizontal_wrapped(|ui| {
                ui.monospace(&job.text.result);
                if ui.small_button("Copy").clicked() {
                    ui.copy_text(job.text.result.clone());
                }
            });
        }
        if job.history.is_empty() {
            ui.weak("No attempt has ended yet.");
        }
        for attempt in job.history.iter().rev() {
            let ended = attempt.ended_at.format("%Y-%m-%d %H:%M:%S UTC");
            let took = duration(attempt.duration);
            ui.label(format!("Attempt {}: {} after {took}, {ended}", attempt.number, attempt.status));
            if !attempt.error.is_empty() {
                ui.add(egui::Label::new(RichText::new(&attempt.error).color(ui.visuals().error_fg_color)).wrap());
            }
        }
    });
}
