//! The model of the tests.

#[path = "../../../tests/it/model/book.rs"]
pub mod book;
#[path = "../../../tests/it/model/call.rs"]
pub mod call;
#[path = "../../../tests/it/model/side.rs"]
pub mod side;
