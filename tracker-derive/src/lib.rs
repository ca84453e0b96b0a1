//! The derives of `tracker-core`.

use proc_macro::TokenStream;

/// Derives `TaskStatus` for an enum.
#[proc_macro_derive(TaskStatus, attributes(status))]
pub fn derive_task_status(_input: TokenStream) -> TokenStream {
    TokenStream::new()
}

/// Derives `TrackedTask` for a struct.
#[proc_macro_derive(TrackedTask, attributes(task))]
pub fn derive_tracked_task(_input: TokenStream) -> TokenStream {
    TokenStream::new()
}
