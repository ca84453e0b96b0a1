use quote::ToTokens;
use syn::{Path, parse_quote};

use crate::{attribute::Word, errors::Errors};

/// Where the generated code finds `tracker-core`.
pub(crate) fn default() -> Path {
    parse_quote!(::tracker_core)
}

/// The path of `crate = ::path`: absolute, since it must mean the same wherever the item stands.
pub(crate) fn parse(word: &Word, errors: &mut Errors) -> Option<Path> {
    let what = "the absolute path of tracker-core";
    let path: Path = word.assigned(what, "crate = ::tracker_core", errors)?;
    let absolute = path.leading_colon.is_some() || path.segments.first().is_some_and(|first| first.ident == "crate");
    if !absolute {
        let written = path.to_token_stream().to_string().replace(' ', "");
        errors.on(&path, format!("`crate` takes an absolute path: write `crate = ::{written}`"));
    }
    absolute.then_some(path)
}
