//! The dashboard of a [tracker](tracker_core): the work of a file in a browser, live, with commands.
//!
//! [`Dashboard`] makes an axum router that a service mounts under any path; the program `tracker serve` serves it for a file. Pages
//! are plain HTML: they work without JavaScript and load nothing from other hosts.
//!
//! | module | content |
//! |---|---|
//! | `source` | where the dashboard reads, and how it changes tasks |
//! | `failure` | why a request fails |
//! | `format`, `params` | numbers, times and foreign text for people; query strings and forms |
//! | `model` | what the pages show, read from the tracker |
//! | `command` | the commands of forms |
//! | `html` | the pages, pure functions of the model |
//! | `access` | which requests may be answered |
//! | `site` | reads and commands beside the async threads |
//! | `events` | live updates |
//! | `guard`, `routes` | the guard before every request, and the paths |
//! | `dashboard`, `serve` | the options, and a server |
//!
//! Each module uses only those before it in this table; `tests/architecture.rs` checks this.
#![warn(missing_docs, missing_debug_implementations)]

mod access;
mod command;
mod dashboard;
mod events;
mod failure;
mod format;
mod guard;
mod html;
mod model;
mod params;
mod routes;
#[cfg(feature = "serve")]
mod serve;
mod site;
mod source;

pub use dashboard::Dashboard;
pub use source::{Source, SourceError};

pub use axum;
