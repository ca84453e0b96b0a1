//! The peers that keep their queue in a PostgreSQL server.

mod databases;
mod page;
mod processes;
mod rows;
mod server;
#[cfg(test)]
mod tests;

pub use databases::Databases;
pub use page::measured;
pub use rows::{ROWS, columns};
pub use server::{Server, run_with_server};
