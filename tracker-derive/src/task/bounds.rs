//! The where clause of the impl of a generic task. Called by `expand`; pure.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Type, WhereClause, parse_quote};

use super::check::Task;

/// Returns the bounds that serde's derives and the marked fields need; for a task without parameters, the declared ones.
pub(super) fn of(task: &Task) -> Option<WhereClause> {
    let declared = task.generics.where_clause.clone();
    if task.generics.params.is_empty() {
        return declared;
    }
    let tracker_core = &task.tracker_core;
    let mut bounds = declared.unwrap_or_else(|| parse_quote!(where));
    // On `Self`, because serde's derives decide what each parameter needs.
    bounds.predicates.push(parse_quote! {
        Self: #tracker_core::__private::Serialize
            + #tracker_core::__private::DeserializeOwned + ::core::marker::Send + 'static
    });
    let params: Vec<_> = task.generics.type_params().map(|param| &param.ident).collect();
    for field in task.fields {
        let ty = field.ty;
        if !mentions(ty, &params) {
            continue;
        }
        if field.id.is_some() {
            bounds.predicates.push(parse_quote!(#ty: #tracker_core::task::TaskId));
        }
        let in_key = task.uniques.iter().any(|unique| unique.fields.iter().any(|name| *name == field.name));
        if field.index || in_key {
            bounds.predicates.push(parse_quote!(#ty: #tracker_core::task::IndexValue));
        }
        if field.fingerprint {
            bounds.predicates.push(parse_quote!(#ty: #tracker_core::__private::Serialize));
        }
    }
    Some(bounds)
}

fn mentions(ty: &Type, params: &[&Ident]) -> bool {
    fn any(tokens: TokenStream, params: &[&Ident]) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Ident(ident) => params.contains(&&ident),
            TokenTree::Group(group) => any(group.stream(), params),
            TokenTree::Punct(_) | TokenTree::Literal(_) => false,
        })
    }
    any(ty.to_token_stream(), params)
}
