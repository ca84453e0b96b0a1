//! `#[derive(TaskStatus)]`: parse, check, expand. Called by the compiler through `lib.rs`; pure.

mod check;
mod code;
mod expand;
mod parse;
mod role;
mod steps;

use proc_macro2::TokenStream;
use syn::DeriveInput;

use crate::errors::Errors;

pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    let mut errors = Errors::default();
    let mut declared = parse::parse(input, &mut errors);
    let checked = check::check(&mut declared, &mut errors);
    match (errors.into_compile_errors(), checked) {
        (None, Some(checked)) => expand::implement(&checked),
        (errors, _) => {
            let placeholder_impl = expand::placeholder_impl(input, &declared.tracker_core);
            quote::quote!(#errors #placeholder_impl)
        }
    }
}
