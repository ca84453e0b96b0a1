//! Records as a damaged file may hold them: refused or read, never a panic, and what is read is written the same again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tracker_core::fuzz;

fuzz_target!(|bytes: &[u8]| {
    let Some((sort, bytes)) = bytes.split_first() else { return };
    // As they come, and behind the checksum, which only chance would find.
    fuzz::record(*sort, bytes);
    fuzz::record(*sort, &fuzz::record_of(bytes));
});
