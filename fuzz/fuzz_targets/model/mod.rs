//! The model of the tests.

#[path = "../../../tests/it/model/kinds.rs"]
pub mod kinds;
#[path = "../../../tests/it/model/reference.rs"]
pub mod reference;
#[path = "../../../tests/it/model/call.rs"]
pub mod call;
#[path = "../../../tests/it/model/tracker_calls.rs"]
pub mod tracker_calls;
#[path = "../../../tests/it/model/player.rs"]
pub mod player;
#[path = "../../../tests/it/model/pair.rs"]
pub mod pair;
