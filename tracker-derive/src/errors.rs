//! `Errors`: collects the mistakes of an item, so that the compiler reports all of them at once. Used by every parser and check; pure.

use std::fmt::Display;

use proc_macro2::TokenStream;
use quote::ToTokens;

#[derive(Default)]
pub(crate) struct Errors {
    all: Option<syn::Error>,
    count: usize,
}

impl Errors {
    /// Adds an error at these tokens.
    pub fn on(&mut self, tokens: impl ToTokens, message: impl Display) {
        let error = syn::Error::new_spanned(tokens, message);
        match &mut self.all {
            Some(all) => all.combine(error),
            None => self.all = Some(error),
        }
        self.count += 1;
    }

    /// Returns the number of errors. Equal counts before and after a part mean that the part is correct.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Returns the errors as `compile_error!`s; `None` without errors.
    pub fn into_compile_errors(self) -> Option<TokenStream> {
        self.all.map(syn::Error::into_compile_error)
    }
}
