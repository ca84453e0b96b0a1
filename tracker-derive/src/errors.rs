use std::fmt::Display;

use proc_macro2::TokenStream;
use quote::ToTokens;

/// Gathers every mistake of one item, so that the user sees them all at once.
#[derive(Default)]
pub(crate) struct Errors {
    all: Option<syn::Error>,
    count: usize,
}

impl Errors {
    /// Adds a message on these tokens.
    pub fn on(&mut self, tokens: impl ToTokens, message: impl Display) {
        let error = syn::Error::new_spanned(tokens, message);
        match &mut self.all {
            Some(all) => all.combine(error),
            None => self.all = Some(error),
        }
        self.count += 1;
    }

    /// How many there are: compared before and after, it tells whether a part is sound.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The mistakes as `compile_error!`s; `None` where there are none.
    pub fn into_compile_errors(self) -> Option<TokenStream> {
        self.all.map(syn::Error::into_compile_error)
    }
}
