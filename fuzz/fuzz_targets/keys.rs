//! Keys, ids, cursors and tickets: whatever is taken apart is the same when it is put together again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tracker_core::{fuzz, execution::Ticket, query::Cursor};

fuzz_target!(|bytes: &[u8]| {
    fuzz::keys(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(cursor) = text.parse::<Cursor>() {
        assert_eq!(cursor.to_string().parse::<Cursor>().ok(), Some(cursor));
    }
    if let Ok(ticket) = text.parse::<Ticket>() {
        assert_eq!(ticket.to_string().parse::<Ticket>().ok(), Some(ticket));
    }
});
