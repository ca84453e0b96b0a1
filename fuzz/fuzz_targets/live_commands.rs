//! Calls and answers of live commands: read or refused, never a panic; what was read is written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tracker_core::fuzz;

fuzz_target!(|bytes: &[u8]| fuzz::live_command(bytes));
