//! The table of the panel: draws the visible rows, and turns clicks, menus and drags into a selection or a command. Called by `panel`.

use egui::{Align, Align2, Color32, Label, Layout, ProgressBar, RichText, Sense, Ui};
use egui_extras::{Column, TableBuilder, TableRow};
use tracker_core::task::TaskKey;

use crate::{
    command::JobCommand,
    format::{bytes, duration},
    job::{Job, JobState},
    list::{JobList, SortBy},
    panel::Selection,
};

const ROW_HEIGHT: f32 = 24.0;
const HEADER_HEIGHT: f32 = 24.0;

/// A command, and the jobs that it is for.
type Asked = Option<(JobCommand, Vec<TaskKey>)>;

/// Draws the table. Returns what the person asked for.
pub(crate) fn show(ui: &mut Ui, list: &mut JobList, selection: &mut Selection) -> Asked {
    let mut asked = None;
    let mut order = list.order();
    let mut table = TableBuilder::new(ui)
        .striped(true)
        .resizable(true)
        .sense(Sense::click_and_drag())
        .auto_shrink(false)
        .cell_layout(Layout::left_to_right(Align::Center))
        .column(Column::initial(250.0).at_least(120.0).clip(true))
        .column(Column::initial(90.0).at_least(80.0).clip(true))
        .column(Column::initial(80.0).at_least(60.0).clip(true))
        .column(Column::initial(170.0).at_least(90.0).clip(true))
        .column(Column::initial(70.0).at_least(50.0).clip(true))
        .column(Column::remainder().at_least(120.0).clip(true));
    if std::mem::take(&mut selection.reveal)
        && let Some(row) = selection.cursor.as_ref().and_then(|id| list.row_of(id))
    {
        table = table.scroll_to_row(row, None);
    }
    table
        .header(HEADER_HEIGHT, |mut header| {
            let columns = [("Name", Some(SortBy::Name)), ("State", Some(SortBy::Queue)), ("Size", Some(SortBy::Size))];
            let further = [("Progress", None), ("Attempts", Some(SortBy::Attempts)), ("Result", None)];
            for (title, sort) in columns.into_iter().chain(further) {
                header.col(|ui| head(ui, title, sort, &mut order));
            }
        })
        .body(|body| {
            let can_move = order == (SortBy::Queue, false);
            body.rows(ROW_HEIGHT, list.rows(), |mut row| {
                let Some(job) = list.row(row.index()) else { return };
                row.set_selected(selection.ids.contains(&job.id));
                cells(&mut row, job);
                act(&row, job, list, selection, can_move, &mut asked);
            });
        });
    list.sort(order.0, order.1);
    asked
}

/// A title that sorts by its column; a second click turns the order round.
fn head(ui: &mut Ui, title: &str, sort: Option<SortBy>, order: &mut (SortBy, bool)) {
    let Some(sort) = sort else {
        ui.strong(title);
        return;
    };
    let button = egui::Button::new(RichText::new(title).strong()).frame(false);
    let help = if sort == SortBy::Queue {
        "Running jobs, then waiting ones in the order of their start"
    } else {
        "Sorts by this column"
    };
    let response = ui.add(button).on_hover_text(help);
    if order.0 == sort {
        // Fonts need not have arrows.
        let (center, color) = (response.rect.right_center() + egui::vec2(6.0, 0.0), ui.visuals().text_color());
        let point = if order.1 { -3.0 } else { 3.0 };
        let corners = [egui::vec2(-4.0, -point), egui::vec2(4.0, -point), egui::vec2(0.0, point)];
        let corners = corners.map(|corner| center + corner).to_vec();
        ui.painter().add(egui::Shape::convex_polygon(corners, color, egui::Stroke::NONE));
    }
    if response.clicked() {
        *order = (sort, order.0 == sort && !order.1);
    }
}

fn cells(row: &mut TableRow<'_, '_>, job: &Job) {
    row.col(|ui| text(ui, RichText::new(&job.text.name)));
    row.col(|ui| {
        let state = match job.state {
            JobState::Running if job.cancelling => "Cancelling",
            JobState::Running if job.pausing => "Pausing",
            JobState::Waiting if !job.error().is_empty() => "Retrying",
            state => state.name(),
        };
        text(ui, RichText::new(state).color(color(ui, job.state)));
    });
    row.col(|ui| {
        if job.text.amount > 0 {
            text(ui, RichText::new(bytes(job.text.amount)).weak());
        }
    });
    row.col(|ui| progress(ui, job));
    row.col(|ui| {
        if job.attempts > 0 {
            text(ui, RichText::new(job.attempts.to_string()).weak());
        }
    });
    row.col(|ui| {
        let error = job.error();
        if !error.is_empty() && job.state != JobState::Done {
            let first = error.lines().next().unwrap_or_default();
            text(ui, RichText::new(first).color(ui.visuals().error_fg_color));
        } else if job.text.result.is_empty() {
            text(ui, RichText::new(&job.text.place).weak());
        } else {
            text(ui, RichText::new(&job.text.result).monospace());
        }
    });
}

fn text(ui: &mut Ui, text: RichText) {
    ui.add(Label::new(text).truncate().selectable(false));
}

fn progress(ui: &mut Ui, job: &Job) {
    if job.state != JobState::Running {
        return;
    }
    let share = job.progress.as_ref().and_then(|progress| {
        let total = progress.total.filter(|total| *total > 0)?;
        #[expect(clippy::cast_precision_loss, reason = "a share for people")]
        Some(progress.done as f32 / total as f32)
    });
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "speeds are positive and rounded")]
    let speed = job.speed().map(|speed| format!("{}/s", bytes(speed as u64)));
    let left = job.time_left().map(duration);
    let share = share.unwrap_or_default().clamp(0.0, 1.0);
    let words =
        [Some(format!("{:.0} %", share * 100.0)), speed, left].into_iter().flatten().collect::<Vec<_>>().join(" · ");
    let bar = ProgressBar::new(share).desired_width(ui.available_width() - 4.0).desired_height(18.0).corner_radius(3.0);
    let rect = ui.add(bar).rect;
    let font = egui::TextStyle::Small.resolve(ui.style());
    ui.painter().text(
        rect.left_center() + egui::vec2(6.0, 0.0),
        Align2::LEFT_CENTER,
        words,
        font,
        ui.visuals().strong_text_color(),
    );
}

fn color(ui: &Ui, state: JobState) -> Color32 {
    let dark = ui.visuals().dark_mode;
    let (dark_color, light_color) = match state {
        JobState::Running => (Color32::from_rgb(120, 180, 255), Color32::from_rgb(0, 90, 190)),
        JobState::Waiting => return ui.visuals().text_color(),
        JobState::Paused => (Color32::from_rgb(230, 190, 90), Color32::from_rgb(140, 90, 0)),
        JobState::Failed => return ui.visuals().error_fg_color,
        JobState::Cancelled => return ui.visuals().weak_text_color(),
        JobState::Done => (Color32::from_rgb(120, 210, 140), Color32::from_rgb(0, 115, 45)),
    };
    if dark { dark_color } else { light_color }
}

fn act(
    row: &TableRow<'_, '_>,
    job: &Job,
    list: &JobList,
    selection: &mut Selection,
    can_move: bool,
    asked: &mut Asked,
) {
    let response = row.response();
    if response.clicked() || (response.secondary_clicked() && !selection.ids.contains(&job.id)) {
        let (command, shift) = response.ctx.input(|input| (input.modifiers.command, input.modifiers.shift));
        select(job, row.index(), list, selection, command, shift);
        // Keys go to the table again, not to the filter field.
        response.ctx.memory_mut(|memory| {
            if let Some(focused) = memory.focused() {
                memory.surrender_focus(focused);
            }
        });
    }
    if can_move && job.state == JobState::Waiting {
        response.dnd_set_drag_payload(job.id.clone());
        if response.dnd_hover_payload::<TaskKey>().is_some() {
            let stroke = egui::Stroke::new(2.0, response.ctx.global_style().visuals.selection.stroke.color);
            let painter = response.ctx.layer_painter(response.layer_id);
            painter.hline(response.rect.x_range(), response.rect.top(), stroke);
        }
        if let Some(moved) = response.dnd_release_payload::<TaskKey>() {
            *asked = Some((JobCommand::MoveBefore(job.id.clone()), vec![TaskKey::clone(&moved)]));
        }
    }
    response.context_menu(|ui| {
        let commands = [
            ("Pause", JobCommand::Pause),
            ("Resume", JobCommand::Resume),
            ("Cancel", JobCommand::Cancel),
            ("Retry", JobCommand::Retry),
            ("Move to the front", JobCommand::MoveToFront),
            ("Remove", JobCommand::Remove),
        ];
        for (label, command) in commands {
            let mut chosen = selection.ids.iter().filter_map(|id| list.job(id));
            let applies = chosen.any(|job| command.applies_to(job));
            if ui.add_enabled(applies, egui::Button::new(label)).clicked() {
                *asked = Some((command, selection.ids.iter().cloned().collect()));
                ui.close();
            }
        }
        if !job.text.result.is_empty() && ui.button("Copy the result").clicked() {
            ui.copy_text(job.text.result.clone());
            ui.close();
        }
    });
}

/// A click chooses one job, with the command key adds or takes it away, with shift chooses a range.
fn select(job: &Job, row: usize, list: &JobList, selection: &mut Selection, command: bool, shift: bool) {
    let anchor = selection.anchor.as_ref().filter(|_| shift).and_then(|id| list.row_of(id));
    if let Some(anchor) = anchor {
        let rows = anchor.min(row)..=anchor.max(row);
        selection.ids = rows.filter_map(|row| list.row(row)).map(|job| job.id.clone()).collect();
    } else if command {
        if !selection.ids.remove(&job.id) {
            selection.ids.insert(job.id.clone());
        }
        selection.anchor = Some(job.id.clone());
    } else {
        selection.ids = [job.id.clone()].into();
        selection.anchor = Some(job.id.clone());
    }
    selection.cursor = Some(job.id.clone());
}
