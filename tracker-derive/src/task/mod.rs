//! `#[derive(TrackedTask)]`: parse, check, expand. Called by the compiler through `lib.rs`; pure.

mod backoff;
mod bounds;
mod check;
mod expand;
mod field;
mod header;
mod option_names;
mod policy;
mod rate;
mod unique;

use proc_macro2::TokenStream;
use syn::DeriveInput;

use crate::errors::Errors;

pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    let mut errors = Errors::default();
    let declared = check::parse(input, &mut errors);
    let checked = check::check(&declared, &mut errors);
    match (errors.into_compile_errors(), checked) {
        (None, Some(checked)) => expand::implement(&checked),
        (errors, _) => {
            let placeholder_impl = expand::placeholder_impl(input, &declared);
            quote::quote!(#errors #placeholder_impl)
        }
    }
}
