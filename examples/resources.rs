//! Renders scenes within the memory and the graphics cards of a machine. A scene that runs out of memory asks for more and tries again.
//!
//! `cargo run --example resources`.

use std::{error::Error, io};

use serde::{Deserialize, Serialize};
use tracker_core::{Execution, TaskStatus, TrackedTask, Tracker};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum RenderStatus {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
    Exhausted = 50,
}

/// Each scene needs a graphics card, and as much memory as its field says.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "render", status = RenderStatus, max_attempts = 4, needs(gpu = 1, memory = "memory"))]
struct Render {
    #[task(id)]
    scene: String,
    /// The memory that the scene may use, in GiB.
    #[task(index)]
    memory: u64,
    /// The memory that it turns out to need, which only the renderer knows.
    needed: u64,
}

fn scene(name: &str, memory: u64, needed: u64) -> Render {
    Render { scene: name.to_owned(), memory, needed }
}

/// Renders a scene; without enough memory, the next attempt may use twice as much.
fn render(scene: &mut Execution<Render>) -> Result<(), Box<dyn Error + Send + Sync>> {
    if scene.needed <= scene.memory {
        println!("  {} with {} GiB", scene.scene, scene.memory);
        return Ok(());
    }
    println!("  {} runs out of {} GiB", scene.scene, scene.memory);
    scene.memory *= 2;
    // The changed field is stored with the failure, so the retry waits until that much is free.
    scene.fail_with_changes(io::Error::from(io::ErrorKind::OutOfMemory))?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let tracker = Tracker::in_memory()?;
    // For all processes that open the file: 8 GiB of memory. The graphics cards are a budget of the worker.
    tracker.set_budget("memory", 8)?;
    let renders = tracker.tasks::<Render>()?;
    renders.submit_all([scene("forest", 6, 5), scene("city", 1, 3), scene("lake", 2, 2)])?;

    println!("a scene that needs more than the machine has is refused:");
    if let Err(error) = renders.submit(&scene("universe", 64, 64)) {
        println!("  {error}");
    }

    println!("while the forest and the city are rendered:");
    let (mut forest, mut city) = (renders.start("forest")?, renders.start("city")?);
    println!("  lake: {}", renders.explain("lake")?);
    for budget in tracker.budgets()? {
        println!("  {} of {} GiB of {} are in use", budget.in_use, budget.amount, budget.resource);
    }
    forest.release()?;
    city.release()?;

    println!("one thread renders all:");
    let summary = renders.worker().budget("gpu", 1).run(render)?;
    println!("{} succeeded, {} failed attempts", summary.succeeded, summary.failed);
    Ok(())
}
