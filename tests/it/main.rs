//! The tracker as its users see it: one module per behaviour.

mod commits;
mod files;
mod kinds;
mod leases;
mod limits;
mod outcomes;
mod queries;
mod schema;
mod starts;
mod story;
mod submits;
mod workers;
