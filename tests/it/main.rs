//! The tracker as its users see it: one module per behaviour.

mod files;
mod kinds;
mod leases;
mod outcomes;
mod queries;
mod schema;
mod story;
mod workers;
