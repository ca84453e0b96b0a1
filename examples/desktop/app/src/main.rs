//! Hashes files in the background: a desktop application whose jobs survive a quit, a crash and a restart. This file reads the arguments.

mod add;
mod hash;
mod start;
mod window;

use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::Parser;
use eframe::egui;
use start::Started;
use window::Window;

/// Hashes files (SHA-256) in the background.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Files and folders to add. A second start hands them to the first one.
    paths: Vec<PathBuf>,
    /// The file of jobs
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
    /// Start with all jobs of the last session paused
    #[arg(long)]
    paused: bool,
    /// Files that are hashed at once, at the start
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(0..=32))]
    threads: u8,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let database = arguments.db.map_or_else(default_database, Ok)?;
    let found = add::find(arguments.paths);
    let tracker = match start::start(&database, arguments.paused, &found)? {
        Started::First(tracker) => *tracker,
        Started::Handed(imported) => {
            println!(
                "handed {} files to the window that is open ({} were in its list)",
                found.jobs.len(),
                found.jobs.len() as u64 - imported.new
            );
            for error in imported.errors {
                eprintln!("{error}");
            }
            return Ok(());
        }
    };
    let viewport = egui::ViewportBuilder::default()
        .with_title("File hashes")
        .with_app_id("file-hashes")
        .with_inner_size([1000.0, 640.0])
        .with_min_inner_size([760.0, 360.0]);
    let options = eframe::NativeOptions { viewport, event_loop_builder: x11(), ..Default::default() };
    let threads = usize::from(arguments.threads);
    let open = move |creation: &eframe::CreationContext<'_>| {
        Ok(Box::new(Window::open(tracker, found, threads, &creation.egui_ctx)?) as Box<dyn eframe::App>)
    };
    eframe::run_native("file-hashes", options, Box::new(open)).map_err(|error| anyhow!("cannot open a window: {error}"))
}

/// Without the feature `wayland` only X11 can be drawn on; winit would choose Wayland where it finds it.
fn x11() -> Option<eframe::EventLoopBuilderHook> {
    #[cfg(all(target_os = "linux", not(feature = "wayland")))]
    return Some(Box::new(|builder| {
        use winit::platform::x11::EventLoopBuilderExtX11;
        builder.with_x11();
    }));
    #[cfg(not(all(target_os = "linux", not(feature = "wayland"))))]
    None
}

/// `file-hashes/jobs.redb` in the folder for data of applications.
fn default_database() -> anyhow::Result<PathBuf> {
    let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = if cfg!(windows) { set("LOCALAPPDATA") } else { set("XDG_DATA_HOME") };
    let folder = folder.or_else(|| Some(set("HOME")?.join(".local/share")));
    Ok(folder.context("no folder for data: set HOME, or give a file with --db")?.join("file-hashes/jobs.redb"))
}
