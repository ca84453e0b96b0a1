//! The processor time of a frame with 100,000 jobs. Run it optimized: `cargo test --release -p tracker-egui --test frame_time -- --nocapture`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tracker_core::{TaskStatus, TrackedTask, Tracker};
use tracker_egui::{JobPanel, JobText};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Pending = 10,
    InProgress = 20,
    Succeeded = 30,
    Exhausted = 40,
    Cancelled = 50,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "job", status = Status)]
struct Job {
    #[task(id)]
    name: String,
}

/// Processor time of this thread; its unit is the nanosecond.
fn processor_time() -> Duration {
    let schedstat = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(schedstat.split(' ').next().unwrap().parse().unwrap())
}

struct Frames<'p> {
    context: egui::Context,
    panel: &'p mut JobPanel<Job>,
    time: f64,
}

impl Frames<'_> {
    /// Draws one frame with its shapes tessellated, as a window does. Returns its processor time.
    fn draw(&mut self, events: Vec<egui::Event>) -> Duration {
        self.time += 1.0 / 60.0;
        let screen = egui::Rect::from_min_size(egui::Pos2::ZERO, egui::vec2(1000.0, 640.0));
        let input = egui::RawInput { screen_rect: Some(screen), time: Some(self.time), events, ..Default::default() };
        let start = processor_time();
        self.panel.update(&self.context);
        let mut output = self.context.run_ui(input, |ui| self.panel.ui(ui));
        let shapes = std::mem::take(&mut output.shapes);
        output.textures_delta.clear();
        let drawn = self.context.tessellate(shapes, output.pixels_per_point);
        let time = processor_time() - start;
        assert!(!drawn.is_empty());
        time
    }
}

fn print(what: &str, mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 100];
    println!("{what}: {} frames, median {:?}, p95 {:?}, longest {:?}", times.len(), at(50), at(95), at(100));
    at(50)
}

#[test]
#[cfg(target_os = "linux")]
fn frame_of_100000_jobs_takes_less_than_4_ms() {
    let count = if cfg!(debug_assertions) { 2_000 } else { 100_000 };
    let tracker = Tracker::in_memory().unwrap();
    let jobs = tracker.tasks::<Job>().unwrap();
    jobs.submit_all((0..count).map(|number| Job { name: format!("holiday/picture {number}.jpg") })).unwrap();
    let context = egui::Context::default();
    let describe = |job: &Job| JobText { name: job.name.clone(), amount: 1, ..JobText::default() };
    let mut panel = JobPanel::open(&jobs, &context, describe).unwrap();
    let mut frames = Frames { context, panel: &mut panel, time: 0.0 };

    let mut loading = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(120);
    while !frames.panel.is_loaded() {
        assert!(Instant::now() < deadline, "the jobs are not loaded within two minutes");
        loading.push(frames.draw(Vec::new()));
    }
    assert_eq!(frames.panel.jobs().rows(), count);
    let medians = [
        print("while loading", loading),
        print("at rest", (0..500).map(|_| frames.draw(Vec::new())).collect()),
        {
            let wheel = || egui::Event::MouseWheel {
                unit: egui::MouseWheelUnit::Line,
                source: egui::MouseWheelSource::Wheel,
                delta: egui::vec2(0.0, -20.0),
                phase: egui::TouchPhase::Move,
                modifiers: egui::Modifiers::NONE,
            };
            let pointer = || egui::Event::PointerMoved(egui::pos2(300.0, 300.0));
            print("while scrolling", (0..500).map(|_| frames.draw(vec![pointer(), wheel()])).collect())
        },
        {
            // Claims and ends from another thread at full rate.
            let worker = jobs.worker().threads(2).keep_running();
            let worker = worker.spawn(|_: &mut tracker_core::Execution<Job>| Ok::<_, std::io::Error>(())).unwrap();
            let mut times = Vec::new();
            while times.len() < 300 {
                let start = Instant::now();
                times.push(frames.draw(Vec::new()));
                std::thread::sleep(Duration::from_millis(16).saturating_sub(start.elapsed()));
            }
            assert!(worker.shutdown(Duration::from_secs(20)).unwrap().is_complete());
            print("with a worker at full rate", times)
        },
    ];
    if !cfg!(debug_assertions) {
        for median in medians {
            assert!(median <= Duration::from_millis(4), "a frame takes {median:?}");
        }
    }
}
