//! Describes the machine of a measurement.

use std::{fs, process::Command};

use serde::{Deserialize, Serialize};

/// The machine of a measurement.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Machine {
    pub processor: String,
    pub cores: usize,
    pub system: String,
    pub file_system: String,
    pub rustc: String,
    /// The load before and after the measurement.
    pub load: Vec<String>,
}

impl Machine {
    pub fn read(dir: &std::path::Path) -> Self {
        let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown");
        let mount = first_line_of("findmnt", &["-n", "-o", "FSTYPE", "-T", &dir.display().to_string()]);
        Self {
            processor: model.trim_start_matches([' ', '\t', ':']).to_owned(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            system: format!("{} {}", first_line_of("uname", &["-s", "-r"]), first_line_of("uname", &["-m"])),
            file_system: mount,
            rustc: first_line_of("rustc", &["--version"]),
            load: vec![load()],
        }
    }
}

/// The load of the machine in the last minute.
pub fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("unknown").to_owned()
}

/// The first line that a program prints.
pub fn first_line_of(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or("unknown").trim().to_owned()
}
