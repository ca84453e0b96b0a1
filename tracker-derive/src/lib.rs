//! The derives of `tracker-core`.

mod attribute;
mod crate_path;
mod duration;
mod errors;
mod snake_case;
mod status;
mod suggest;
mod task;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Derives `TaskStatus` for an enum.
#[proc_macro_derive(TaskStatus, attributes(status))]
pub fn derive_task_status(input: TokenStream) -> TokenStream {
    status::derive(&parse_macro_input!(input as DeriveInput)).into()
}

/// Derives `TrackedTask` for a struct.
#[proc_macro_derive(TrackedTask, attributes(task))]
pub fn derive_tracked_task(input: TokenStream) -> TokenStream {
    task::derive(&parse_macro_input!(input as DeriveInput)).into()
}
