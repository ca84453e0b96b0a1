//! The panel in a headless window: mouse and keyboard through the accessibility tree, and what they change in the file.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod job;

use std::time::{Duration, Instant};

use egui::{Key, Modifiers, accesskit::Role};
use egui_kittest::{Harness, kittest::Queryable};
use job::Job;
use tracker_core::{Execution, Tasks, Tracker};
use tracker_egui::{JobPanel, JobState, JobText, StateFilter};

struct Window {
    harness: Harness<'static, JobPanel<Job>>,
    jobs: Tasks<Job>,
    _tracker: Tracker,
}

impl Window {
    /// A window with waiting jobs of these names.
    fn with(names: &[&str]) -> Self {
        let tracker = Tracker::in_memory().unwrap();
        let jobs = tracker.tasks::<Job>().unwrap();
        jobs.submit_all(names.iter().map(|name| Job { name: (*name).to_owned() })).unwrap();
        let context = egui::Context::default();
        let describe = |job: &Job| JobText { name: job.name.clone(), ..JobText::default() };
        let panel = JobPanel::open(&jobs, &context, describe).unwrap();
        let draw = |ui: &mut egui::Ui, panel: &mut JobPanel<Job>| {
            panel.update(ui.ctx());
            panel.ui(ui);
        };
        let harness = Harness::builder().with_size([1000.0, 600.0]).build_ui_state(draw, panel);
        let mut window = Self { harness, jobs, _tracker: tracker };
        window.until(|panel| panel.is_loaded());
        window
    }

    /// Draws frames until the panel shows a condition.
    fn until(&mut self, is_met: impl Fn(&JobPanel<Job>) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            self.harness.step();
            if is_met(self.harness.state()) {
                self.harness.run_steps(3);
                return;
            }
            assert!(Instant::now() < deadline, "the condition is not met within 20 seconds");
            std::thread::yield_now();
        }
    }

    fn order(panel: &JobPanel<Job>) -> Vec<String> {
        (0..panel.jobs().rows()).map(|row| panel.jobs().row(row).unwrap().text.name.clone()).collect()
    }

    fn click(&mut self, label: &str) {
        self.harness.get_by_role_and_label(Role::Button, label).click();
        self.harness.run_steps(2);
    }

    fn choose(&mut self, job: &str) {
        self.harness.get_by_label(job).click();
        self.harness.run_steps(2);
    }

    fn until_order(&mut self, order: &[&str]) {
        self.until(|panel| Self::order(panel) == order);
    }

    fn until_state(&mut self, job: &'static str, state: JobState) {
        self.until(|panel| {
            panel.jobs().job(&tracker_core::task::TaskId::to_key(job)).is_some_and(|job| job.state == state)
        });
    }

    /// Runs all waiting jobs; those named "bad" fail.
    fn work(&self) {
        let run = |job: &mut Execution<Job>| if job.name == "bad" { Err("disk on fire") } else { Ok(()) };
        self.jobs.worker().run(run).unwrap();
    }
}

#[test]
fn jobs_submitted_later_appear_behind() {
    let mut window = Window::with(&["one", "two"]);
    window.jobs.submit(&Job { name: "three".to_owned() }).unwrap();
    window.until_order(&["one", "two", "three"]);
    window.harness.get_by_label("three");
    window.harness.get_by_label("Waiting 3");
}

#[test]
fn filter_shows_matching_names_and_states() {
    let mut window = Window::with(&["apple", "pear", "bad"]);
    window.work();
    window.until(|panel| panel.jobs().count(StateFilter::Done) == 2);
    window.harness.get_by_label("Failed 1").click();
    window.until_order(&["bad"]);
    window.harness.get_by_label("All 3").click();
    window.harness.run_steps(2);
    let field = window.harness.get_by_role_and_label(Role::TextInput, "Filter");
    field.focus();
    field.type_text("EAR");
    window.until_order(&["pear"]);
    window.harness.get_by_role_and_label(Role::Button, "Clear").click();
    window.until(|panel| panel.jobs().rows() == 3);
}

#[test]
fn empty_list_says_what_to_do() {
    let window = Window::with(&[]);
    window.harness.get_by_label("No jobs yet");
}

#[test]
fn pause_and_resume_by_button_and_key() {
    let mut window = Window::with(&["one", "two"]);
    window.choose("one");
    window.click("Pause");
    window.until_state("one", JobState::Paused);
    assert!(window.jobs.get("one").unwrap().unwrap().paused);
    assert!(!window.jobs.get("two").unwrap().unwrap().paused);
    window.harness.key_press(Key::Space);
    window.until_state("one", JobState::Waiting);
}

#[test]
fn failed_job_shows_its_error_and_is_retried() {
    let mut window = Window::with(&["bad"]);
    window.work();
    window.until_state("bad", JobState::Failed);
    window.choose("bad");
    assert_eq!(window.harness.get_all_by_label("disk on fire").count(), 2, "in the row and in the details");
    window.harness.key_press(Key::R);
    window.until_state("bad", JobState::Waiting);
}

#[test]
fn jobs_move_by_button_key_and_drag() {
    let mut window = Window::with(&["one", "two", "three", "four"]);
    window.choose("three");
    window.click("To the front");
    window.until_order(&["three", "one", "two", "four"]);
    window.harness.key_press_modifiers(Modifiers::COMMAND, Key::ArrowDown);
    window.until_order(&["one", "three", "two", "four"]);
    window.click("Up");
    window.until_order(&["three", "one", "two", "four"]);
    let from = window.harness.get_by_label("four").rect().center();
    let to = window.harness.get_by_label("one").rect().center();
    window.harness.drag_at(from);
    window.harness.step();
    window.harness.hover_at(from + egui::vec2(0.0, -12.0));
    window.harness.step();
    window.harness.hover_at(to);
    window.harness.step();
    window.harness.drop_at(to);
    window.until_order(&["three", "four", "one", "two"]);
    let next = window.jobs.claim().unwrap().expect("a job waits");
    assert_eq!(next.name, "three");
}

#[test]
fn cancel_remove_and_clear_finished() {
    let mut window = Window::with(&["one", "two", "three"]);
    window.choose("one");
    window.harness.key_press(Key::Delete);
    window.until_state("one", JobState::Cancelled);
    window.choose("two");
    window.click("Remove");
    window.until_order(&["three", "one"]);
    assert!(window.jobs.get("two").unwrap().is_none());
    window.click("Clear finished");
    window.until_order(&["three"]);
}

#[test]
fn pause_of_the_kind_is_shown() {
    let mut window = Window::with(&["one"]);
    window.harness.state().set_paused(true);
    window.until(JobPanel::is_paused);
    assert!(window.jobs.claim().unwrap().is_none());
    window.jobs.resume().unwrap();
    window.until(|panel| !panel.is_paused());
}
