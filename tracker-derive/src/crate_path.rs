//! The path of `tracker-core` in generated code: the option `crate`. Called by both derives; pure.

use quote::ToTokens;
use syn::{Path, parse_quote};

use crate::{attribute::AttributeOption, errors::Errors};

/// Returns the path of `tracker-core` without the option.
pub(crate) fn default() -> Path {
    parse_quote!(::tracker_core)
}

/// Parses `crate = ::path`. The path must be absolute, because the item may be in any module.
pub(crate) fn parse(option: &AttributeOption, errors: &mut Errors) -> Option<Path> {
    let what = "the absolute path of tracker-core";
    let path: Path = option.assigned(what, "crate = ::tracker_core", errors)?;
    let absolute = path.leading_colon.is_some() || path.segments.first().is_some_and(|first| first.ident == "crate");
    if !absolute {
        let written = path.to_token_stream().to_string().replace(' ', "");
        errors.on(&path, format!("`crate` takes an absolute path: write `crate = ::{written}`"));
    }
    absolute.then_some(path)
}
