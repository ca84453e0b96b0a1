//! The window: the buttons above the panel, adding files by dialog or drop, and the end of the program.

use std::{
    path::PathBuf,
    sync::mpsc::{self, Receiver, Sender},
    thread,
    time::Duration,
};

use eframe::egui::{self, Align, Context, Layout, RichText, Theme, Ui};
use tracker_core::{
    Tasks, Tracker,
    worker::{PoolSize, WorkerHandle},
};
use tracker_egui::{JobPanel, StateFilter, bytes, duration};

use crate::{
    add::{self, Found},
    hash::{self, Hash},
};

/// Time that running handlers have to stop when the window is closed.
const SHUTDOWN: Duration = Duration::from_millis(700);
/// The most threads that the window offers.
const MOST_THREADS: usize = 32;

pub struct Window {
    panel: JobPanel<Hash>,
    hashes: Tasks<Hash>,
    worker: WorkerHandle,
    size: PoolSize,
    /// Errors of threads that add files.
    adding: (Sender<String>, Receiver<String>),
    tracker: Tracker,
    /// Where the test of the window reads the counts, and what it has read.
    counts_file: Option<PathBuf>,
    counts: String,
}

impl Window {
    /// Starts the worker and the panel.
    pub fn open(
        tracker: Tracker,
        found: Found,
        threads: usize,
        context: &Context,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let hashes = tracker.tasks::<Hash>()?;
        let mut panel = JobPanel::open(&hashes, context, hash::describe)?;
        for error in found.errors {
            panel.show_error(error);
        }
        panel.watch(hashes.deferred()?.submit_all(found.jobs));
        let pauses = panel.pauses();
        let worker = hashes.worker().threads(threads.max(1)).keep_running();
        let size = worker.pool_size();
        size.resize(threads)?;
        let worker = worker.spawn(move |job| hash::run(job, &pauses))?;
        Ok(Self {
            panel,
            hashes,
            worker,
            size,
            adding: mpsc::channel(),
            tracker,
            counts_file: std::env::var_os("FILE_HASHES_COUNTS").map(PathBuf::from),
            counts: String::new(),
        })
    }

    /// Adds files on a thread of its own: folders may be large or slow.
    fn add(&self, context: &Context, paths: impl FnOnce() -> Vec<PathBuf> + Send + 'static) {
        let (hashes, errors, context) = (self.hashes.clone(), self.adding.0.clone(), context.clone());
        let added = thread::Builder::new().name("add-files".to_owned()).spawn(move || {
            let found = add::find(paths());
            let refused = hashes.submit_all(found.jobs).err().map(|error| error.to_string());
            for error in found.errors.into_iter().chain(refused) {
                // The window may be gone.
                drop(errors.send(error));
            }
            context.request_repaint();
        });
        if let Err(error) = added {
            drop(self.adding.0.send(format!("cannot start a thread: {error}")));
        }
    }

    fn buttons(&mut self, ui: &mut Ui) {
        ui.horizontal(|ui| {
            if ui.button("Add files …").clicked() {
                self.add(ui.ctx(), || rfd::FileDialog::new().pick_files().unwrap_or_default());
            }
            if ui.button("Add folder …").clicked() {
                self.add(ui.ctx(), || rfd::FileDialog::new().pick_folders().unwrap_or_default());
            }
            ui.separator();
            let paused = self.panel.is_paused();
            if ui.button(if paused { "Resume all" } else { "Pause all" }).clicked() {
                self.panel.set_paused(!paused);
            }
            ui.separator();
            let label = ui.label("Threads");
            let mut threads = self.size.get();
            let slider = egui::Slider::new(&mut threads, 0..=MOST_THREADS);
            let changed = ui
                .add(slider)
                .labelled_by(label.id)
                .on_hover_text("Files that are hashed at once. With 0 no file starts.");
            if changed.changed()
                && let Err(error) = self.size.resize(threads)
            {
                self.panel.show_error(error.to_string());
            }
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let (label, other) = match ui.ctx().theme() {
                    Theme::Dark => ("Light theme", Theme::Light),
                    Theme::Light => ("Dark theme", Theme::Dark),
                };
                if ui.button(label).clicked() {
                    ui.ctx().set_theme(other);
                }
            });
        });
    }

    /// Writes the counts for the test of the window, if it asks for them.
    fn write_counts(&mut self, context: &Context) {
        let Some(file) = &self.counts_file else { return };
        if !self.panel.is_loaded() {
            return;
        }
        let jobs = self.panel.jobs();
        let mut counts = format!("total {}", jobs.total());
        let states = [StateFilter::Waiting, StateFilter::Running, StateFilter::Done, StateFilter::Failed];
        for states in states.into_iter().chain([StateFilter::Cancelled]) {
            counts += &format!(" {} {}", states.name().to_lowercase(), jobs.count(states));
        }
        counts += &format!(" threads {}", self.size.get());
        let theme = if context.theme() == Theme::Dark { "dark" } else { "light" };
        counts += &format!(" theme {theme}\n");
        if counts != self.counts && std::fs::write(file, &counts).is_ok() {
            self.counts = counts;
        }
    }

    fn summary(&self, ui: &mut Ui) {
        let jobs = self.panel.jobs();
        if jobs.total() == 0 {
            return;
        }
        let ended = jobs.total() - jobs.count(StateFilter::Running) - jobs.count(StateFilter::Waiting);
        let mut words = vec![format!("{ended} of {} files", jobs.total())];
        let (amount, _) = jobs.amounts();
        words.push(bytes(amount));
        let running = jobs.count(StateFilter::Running);
        if running > 0 {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "speeds are positive and rounded"
            )]
            words.extend(self.panel.speed().map(|speed| format!("{}/s", bytes(speed as u64))));
            words.extend(self.panel.time_left().map(|left| format!("{} left", duration(left))));
        } else if self.panel.is_paused() {
            words.push("paused".to_owned());
        } else if self.size.get() == 0 && jobs.count(StateFilter::Waiting) > 0 {
            words.push("no threads".to_owned());
        }
        ui.horizontal(|ui| {
            ui.add(
                egui::ProgressBar::new(self.panel.share_done())
                    .desired_width(220.0)
                    .desired_height(12.0)
                    .corner_radius(3.0),
            );
            ui.label(RichText::new(words.join(" · ")));
        });
    }
}

impl eframe::App for Window {
    fn logic(&mut self, context: &Context, _: &mut eframe::Frame) {
        self.panel.update(context);
        for error in self.adding.1.try_iter() {
            self.panel.show_error(error);
        }
        self.write_counts(context);
    }

    fn ui(&mut self, ui: &mut Ui, _: &mut eframe::Frame) {
        let dropped =
            ui.input(|input| input.raw.dropped_files.iter().map(|file| file.path().to_owned()).collect::<Vec<_>>());
        if !dropped.is_empty() {
            self.add(ui.ctx(), || dropped);
        }
        if ui.input_mut(|input| input.consume_key(egui::Modifiers::COMMAND, egui::Key::Q)) {
            ui.ctx().send_viewport_cmd(egui::ViewportCommand::Close);
        }
        egui::Panel::top("buttons").show(ui, |ui| {
            ui.add_space(6.0);
            self.buttons(ui);
            ui.add_space(2.0);
            self.summary(ui);
            ui.add_space(4.0);
        });
        egui::CentralPanel::default().show(ui, |ui| self.panel.ui(ui));
        if ui.input(|input| !input.raw.hovered_files.is_empty()) {
            drop_hint(ui);
        }
    }

    fn on_exit(&mut self, _: Option<&eframe::glow::Context>) {
        match self.worker.shutdown(SHUTDOWN) {
            Ok(shutdown) if shutdown.is_complete() => {}
            // The process ends in any case: what still runs is interrupted, and goes first at the next start.
            Ok(shutdown) => eprintln!("{shutdown}"),
            Err(error) => eprintln!("cannot stop the worker: {error}"),
        }
        if let Err(error) = self.tracker.flush() {
            eprintln!("{error}");
        }
    }
}

/// Covers the window while files are dragged over it.
fn drop_hint(ui: &Ui) {
    let painter = ui.ctx().layer_painter(egui::LayerId::new(egui::Order::Foreground, egui::Id::unique("drop")));
    let rect = ui.ctx().content_rect();
    painter.rect_filled(rect, 0.0, ui.visuals().extreme_bg_color.gamma_multiply(0.85));
    let font = egui::TextStyle::Heading.resolve(ui.style());
    painter.text(rect.center(), egui::Align2::CENTER_CENTER, "Drop to hash", font, ui.visuals().strong_text_color());
}
