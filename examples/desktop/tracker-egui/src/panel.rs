//! `JobPanel`: the state of the widget and its parts around the table: filters, commands, errors.

mod details;
mod keyboard;

use std::{
    collections::HashSet,
    sync::mpsc::{self, Receiver},
    time::Duration,
};

use egui::{Align, Context, Key, Layout, Modifiers, RichText, Ui};
use tracker_core::{
    Result, Tasks, TrackedTask,
    deferred::{DeferredTasks, Pending},
    status::Role,
    task::TaskKey,
};

use crate::{
    command::{JobCommand, Reports, report},
    feed::{Change, Feed},
    job::{Job, JobState, JobText},
    list::{JobList, StateFilter},
    pause::PauseRequests,
    rate::{self, Rate},
    table,
};

/// Changes that one frame takes over at most: about a millisecond of work.
const CHANGES_PER_FRAME: usize = 2_000;
/// Time between two frames that the feed asks for.
const FRAME: Duration = Duration::from_millis(30);
/// Errors that are shown at once.
const ERRORS: usize = 3;

/// Shows the tasks of a kind, and sends commands to them. See the crate's documentation.
pub struct JobPanel<T: TrackedTask> {
    tasks: DeferredTasks<T>,
    feed: Feed,
    list: JobList,
    pauses: PauseRequests,
    is_paused: bool,
    is_loaded: bool,
    states: StateFilter,
    search: String,
    selection: Selection,
    errors: Vec<String>,
    reports: Reports,
    reported: Receiver<String>,
    rate: Rate,
}

/// The chosen jobs, and the one that the keyboard moves from.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    pub ids: HashSet<TaskKey>,
    pub cursor: Option<TaskKey>,
    /// Where a range begins that is extended with the shift key.
    pub anchor: Option<TaskKey>,
    /// The table is to show the cursor.
    pub reveal: bool,
}

impl<T: TrackedTask> JobPanel<T> {
    /// Opens the panel. Returns at once; the jobs arrive in later frames. `describe` runs on the panel's thread.
    ///
    /// # Errors
    /// Those of [`Tasks::deferred`], and an error of the system if it refuses a thread.
    pub fn open(
        tasks: &Tasks<T>,
        context: &Context,
        describe: impl Fn(&T) -> JobText + Send + 'static,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let pauses = PauseRequests::default();
        let (sender, reported) = mpsc::channel();
        let context = context.clone();
        let waked = context.clone();
        let wake = move || waked.request_repaint_after(FRAME);
        Ok(Self {
            tasks: tasks.deferred()?,
            feed: Feed::start(tasks, Box::new(describe), pauses.clone(), Box::new(wake))?,
            list: JobList::default(),
            pauses,
            is_paused: false,
            is_loaded: false,
            states: StateFilter::default(),
            search: String::new(),
            selection: Selection::default(),
            errors: Vec::new(),
            reports: Reports { sender, context },
            reported,
            rate: Rate::default(),
        })
    }

    /// Tells handlers which tasks are to pause.
    #[must_use]
    pub fn pauses(&self) -> PauseRequests {
        self.pauses.clone()
    }

    /// The jobs as the panel knows them.
    #[must_use]
    pub fn jobs(&self) -> &JobList {
        &self.list
    }

    /// Whether all jobs that were stored when the panel was opened are in it.
    #[must_use]
    pub fn is_loaded(&self) -> bool {
        self.is_loaded
    }

    /// Whether the kind is paused.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// Takes over changes that the feed has read, at most as many as one frame can. Call it before each frame, also while the window is
    /// hidden.
    pub fn update(&mut self, context: &Context) {
        let now = context.input(|input| input.time);
        let changes: Vec<_> = self.feed.changes.try_iter().take(CHANGES_PER_FRAME).collect();
        if changes.len() == CHANGES_PER_FRAME {
            context.request_repaint();
        }
        for change in &changes {
            match change {
                Change::Paused(paused) => self.is_paused = *paused,
                Change::SnapshotEnd => self.is_loaded = true,
                Change::Failed(error) => show_error(&mut self.errors, error.clone()),
                _ => {}
            }
        }
        self.list.apply(changes, now);
        for error in self.reported.try_iter() {
            show_error(&mut self.errors, error);
        }
        self.rate.observe(now, self.done_amount());
        if self.list.count(StateFilter::Running) > 0 {
            // Speeds and times left change without events.
            context.request_repaint_after(Duration::from_millis(250));
        }
    }

    fn done_amount(&self) -> u64 {
        let running = self.list.running().filter_map(|job| Some(job.progress.as_ref()?.done.min(job.text.amount)));
        self.list.amounts().1 + running.sum::<u64>()
    }

    /// Amount per second of all jobs together, while some run.
    #[must_use]
    pub fn speed(&self) -> Option<f64> {
        self.rate.per_second().filter(|_| self.list.count(StateFilter::Running) > 0)
    }

    /// Share of the work that is done, 0 to 1, by amounts, or by jobs where no amount is known.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share for people")]
    pub fn share_done(&self) -> f32 {
        let (amount, _) = self.list.amounts();
        if amount > 0 {
            return self.done_amount() as f32 / amount as f32;
        }
        let left = self.list.count(StateFilter::Running) + self.list.count(StateFilter::Waiting);
        let total = self.list.total().max(1);
        (total - left.min(total)) as f32 / total as f32
    }

    /// Time until all jobs have ended at the present speed.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        rate::time_left(self.list.amounts().0.saturating_sub(self.done_amount()), self.speed()?)
    }

    /// Shows the error of a call of the application, if it fails, as the panel shows those of its commands.
    pub fn watch<R: Send + 'static>(&self, call: Pending<R>) {
        report(call, &self.reports);
    }

    /// Shows a text as an error.
    pub fn show_error(&mut self, error: impl Into<String>) {
        show_error(&mut self.errors, error.into());
    }

    /// Pauses or resumes the kind.
    pub fn set_paused(&self, paused: bool) {
        self.watch(if paused { self.tasks.pause() } else { self.tasks.resume() });
    }

    /// Makes all jobs that were given up wait again.
    pub fn retry_failed(&self) {
        self.watch(self.tasks.call(|tasks| tasks.query().role(Role::Exhausted).retry()));
    }

    /// Removes all jobs that are done or cancelled.
    pub fn clear_finished(&self) {
        self.watch(self.tasks.call(|tasks| {
            [Role::Succeeded, Role::Cancelled, Role::Ignored]
                .into_iter()
                .try_for_each(|role| tasks.query().role(role).remove().map(drop))
        }));
    }

    /// Performs a command on those of the jobs that it applies to.
    pub fn perform(&self, command: &JobCommand, ids: impl IntoIterator<Item = TaskKey>) {
        let ids = ids.into_iter().filter(|id| self.list.job(id).is_some_and(|job| command.applies_to(job))).collect();
        command.defer(ids, &self.tasks, &self.reports);
    }

    /// The ids of the chosen jobs, in the order in which they are shown.
    fn chosen(&self) -> Vec<TaskKey> {
        match self.selection.ids.len() {
            0 => Vec::new(),
            1 => self.selection.ids.iter().cloned().collect(),
            _ => {
                let rows = (0..self.list.rows()).filter_map(|row| self.list.row(row));
                rows.filter(|job| self.selection.ids.contains(&job.id)).map(|job| job.id.clone()).collect()
            }
        }
    }

    /// Draws the panel into the rest of `ui`.
    pub fn ui(&mut self, ui: &mut Ui) {
        self.selection.ids.retain(|id| self.list.job(id).is_some());
        self.filters(ui);
        self.commands(ui);
        self.show_errors(ui);
        self.keys(ui);
        let details = self.selection.cursor.as_ref().filter(|id| self.selection.ids.contains(*id));
        if let Some(job) = details.and_then(|id| self.list.job(id)) {
            egui::Panel::bottom("job-details")
                .resizable(true)
                .default_size(150.0)
                .min_size(90.0)
                .show(ui, |ui| details::show(ui, job));
        }
        if self.list.rows() == 0 {
            self.empty(ui);
            return;
        }
        // A region of its own: the lines between the columns end above the details.
        let rest = egui::UiBuilder::new().max_rect(ui.available_rect_before_wrap());
        let shown = ui.scope_builder(rest, |ui| table::show(ui, &mut self.list, &mut self.selection));
        let action = shown.inner;
        if let Some((command, ids)) = action {
            self.perform(&command, ids);
        }
    }

    fn filters(&mut self, ui: &mut Ui) {
        ui.horizontal(|ui| {
            for states in StateFilter::ALL {
                let count = self.list.count(states);
                if states == StateFilter::Cancelled && count == 0 && self.states != states {
                    continue;
                }
                let label = format!("{} {count}", states.name());
                if ui.selectable_label(self.states == states, label).clicked() {
                    self.states = states;
                }
            }
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if !self.search.is_empty() && ui.button("Clear").clicked() {
                    self.search.clear();
                }
                let hint = egui::TextEdit::singleline(&mut self.search).hint_text("Filter by name, folder or error");
                let field = ui.add(hint.desired_width(230.0));
                field.widget_info(|| egui::WidgetInfo::labeled(egui::Role::TextInput, true, "Filter"));
                let find = ui.input_mut(|input| input.consume_key(Modifiers::COMMAND, Key::F));
                if find {
                    field.request_focus();
                }
            });
        });
        self.list.filter(self.states, &self.search);
    }

    fn commands(&mut self, ui: &mut Ui) {
        let chosen = self.chosen();
        ui.horizontal(|ui| {
            let jobs: Vec<&Job> = chosen.iter().filter_map(|id| self.list.job(id)).collect();
            let mut asked = None;
            let buttons = [
                ("Pause", "No attempt starts; a running one stops (Space)", JobCommand::Pause),
                ("Resume", "Ends the pause (Space)", JobCommand::Resume),
                ("Cancel", "Ends unfinished jobs (Delete)", JobCommand::Cancel),
                ("Retry", "Runs ended jobs again (R)", JobCommand::Retry),
                ("To the front", "Starts before all other waiting jobs (Ctrl and Home)", JobCommand::MoveToFront),
            ];
            for (label, help, command) in buttons {
                let applies = jobs.iter().any(|job| command.applies_to(job));
                if ui.add_enabled(applies, egui::Button::new(label)).on_hover_text(help).clicked() {
                    asked = Some(command);
                }
            }
            let waits = jobs.len() == 1 && jobs[0].state == JobState::Waiting;
            for (label, help, up) in
                [("Up", "One place earlier (Ctrl and Up)", true), ("Down", "One place later (Ctrl and Down)", false)]
            {
                if ui.add_enabled(waits, egui::Button::new(label)).on_hover_text(help).clicked() {
                    self.move_by_one(up);
                }
            }
            let removes = jobs.iter().any(|job| JobCommand::Remove.applies_to(job));
            if ui
                .add_enabled(removes, egui::Button::new("Remove"))
                .on_hover_text("Deletes jobs from the list, not files (Shift and Delete)")
                .clicked()
            {
                asked = Some(JobCommand::Remove);
            }
            if chosen.len() > 1 {
                ui.weak(format!("{} chosen", chosen.len()));
            }
            if let Some(command) = asked {
                self.perform(&command, chosen.iter().cloned());
            }
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let finished = self.list.count(StateFilter::Done) + self.list.count(StateFilter::Cancelled);
                if ui.add_enabled(finished > 0, egui::Button::new("Clear finished")).clicked() {
                    self.clear_finished();
                }
                let failed = self.list.count(StateFilter::Failed);
                if ui.add_enabled(failed > 0, egui::Button::new("Retry failed")).clicked() {
                    self.retry_failed();
                }
            });
        });
    }

    /// Moves the job of the cursor by one place among the waiting jobs of the shown rows.
    fn move_by_one(&self, up: bool) {
        let Some(id) = &self.selection.cursor else { return };
        let Some(row) = self.list.row_of(id) else { return };
        let neighbour = if up { row.checked_sub(1) } else { row.checked_add(1) };
        let Some(other) = neighbour.and_then(|row| self.list.row(row)).filter(|job| job.state == JobState::Waiting)
        else {
            return;
        };
        let (moved, before) = if up { (id, &other.id) } else { (&other.id, id) };
        self.perform(&JobCommand::MoveBefore(before.clone()), [moved.clone()]);
    }

    fn show_errors(&mut self, ui: &mut Ui) {
        let mut dismissed = None;
        for (number, error) in self.errors.iter().enumerate() {
            ui.horizontal(|ui| {
                if ui.button("Dismiss").clicked() {
                    dismissed = Some(number);
                }
                ui.add(egui::Label::new(RichText::new(error).color(ui.visuals().error_fg_color)).wrap());
            });
        }
        if let Some(number) = dismissed {
            self.errors.remove(number);
        }
    }

    fn empty(&mut self, ui: &mut Ui) {
        let (title, text) = if !self.is_loaded {
            ("Reading the jobs …", "")
        } else if self.list.total() == 0 {
            ("No jobs yet", "Drop files or folders here, or add them with the buttons above.")
        } else {
            ("No job matches", "Choose \"All\" and clear the filter to see every job.")
        };
        ui.centered_and_justified(|ui| {
            ui.vertical_centered(|ui| {
                ui.add_space((ui.available_height() / 2.0 - 30.0).max(0.0));
                ui.heading(title);
                ui.weak(text);
            });
        });
    }
}

fn show_error(errors: &mut Vec<String>, error: String) {
    if errors.contains(&error) {
        return;
    }
    errors.push(error);
    if errors.len() > ERRORS {
        errors.remove(0);
    }
}
