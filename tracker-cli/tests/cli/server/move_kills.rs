//! Killed moves to a server and back.

use super::schema_or_skip;
use crate::move_kills::KilledMoves;

#[test]
fn killed_move_to_a_server_and_back_is_continued() {
    let schema = schema_or_skip!();
    KilledMoves::new(&schema.fixture).play(|turn| {
        let url = schema.url.replace(&schema.name, &format!("{}_{turn}", schema.name));
        [url, format!("back-{turn}")]
    });
}
