//! Measures the processor time of a frame with 100,000 jobs: `cargo bench --workspace --bench frame_time`. `cargo test` draws a few
//! frames.
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

#[path = "../tests/job/mod.rs"]
mod job;

use std::time::{Duration, Instant};

use job::Job;
use rustix::time::{ClockId, clock_gettime};
use tracker_core::Tracker;
use tracker_egui::{JobPanel, JobText};

/// Processor time of this thread.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
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

fn print(state: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 100];
    println!("{state}: {} frames, median {:?}, p95 {:?}, longest {:?}", times.len(), at(50), at(95), at(100));
}

fn main() {
    // `cargo bench` passes this argument, `cargo test` does not.
    let (count, frame_count) = if std::env::args().any(|arg| arg == "--bench") { (100_000, 500) } else { (2_000, 20) };
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
    print("while loading", loading);
    print("at rest", (0..frame_count).map(|_| frames.draw(Vec::new())).collect());
    let wheel = || egui::Event::MouseWheel {
        unit: egui::MouseWheelUnit::Line,
        source: egui::MouseWheelSource::Wheel,
        delta: egui::vec2(0.0, -20.0),
        phase: egui::TouchPhase::Move,
        modifiers: egui::Modifiers::NONE,
    };
    let pointer = || egui::Event::PointerMoved(egui::pos2(300.0, 300.0));
    print("while scrolling", (0..frame_count).map(|_| frames.draw(vec![pointer(), wheel()])).collect());
    // Claims and ends from another thread at full rate.
    let worker = jobs.worker().threads(2).keep_running();
    let worker = worker.spawn(|_: &mut tracker_core::Execution<Job>| Ok::<_, std::io::Error>(())).unwrap();
    let mut times = Vec::new();
    while times.len() < frame_count {
        let start = Instant::now();
        times.push(frames.draw(Vec::new()));
        std::thread::sleep(Duration::from_millis(16).saturating_sub(start.elapsed()));
    }
    assert!(worker.shutdown(Duration::from_secs(20)).unwrap().is_complete());
    print("with a worker at full rate", times);
}
