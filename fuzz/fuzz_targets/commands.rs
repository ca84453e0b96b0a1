//! Sequences of calls, four bytes each: the tracker does what the model does, and every index and counter is right.
#![no_main]

mod model;
mod support;

use libfuzzer_sys::fuzz_target;
use model::{call::Call, pair::Pair};

fuzz_target!(|bytes: &[u8]| {
    let mut pair = Pair::on_disk();
    for call in bytes.as_chunks::<4>().0 {
        let call = Call::of(*call);
        if let Err(what) = pair.play(0, call) {
            panic!("{what}");
        }
    }
});
