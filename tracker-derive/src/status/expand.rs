//! Generates the impl of `TaskStatus`, or a placeholder for a faulty enum. Called by `status::derive`; pure.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Path, ext::IdentExt};

use super::check::{Status, StatusEnum};

/// Generates the impl of a correct enum.
pub(super) fn implement(checked: &StatusEnum) -> TokenStream {
    let StatusEnum { ident, tracker_core, steps, statuses } = checked;
    let enum_name = ident.unraw().to_string();
    let definitions = statuses.iter().map(|Status { ident, code, role, step }| {
        let (name, role) = (ident.unraw().to_string(), role.variant());
        quote!(#tracker_core::status::StatusDef { code: #code, name: #name, role: #tracker_core::status::Role::#role, step: #step })
    });
    let variants: Vec<_> = statuses.iter().map(|status| status.ident).collect();
    let codes: Vec<_> = statuses.iter().map(|status| status.code).collect();
    quote! {
        #[automatically_derived]
        #[allow(deprecated, unused_qualifications, clippy::all, clippy::pedantic, clippy::absolute_paths)]
        impl #tracker_core::TaskStatus for #ident {
            const GRAPH: #tracker_core::status::StatusGraph = #tracker_core::status::StatusGraph {
                name: #enum_name,
                steps: &[#(#steps),*],
                statuses: &[#(#definitions),*],
            };

            fn code(self) -> ::core::primitive::i32 {
                match self {
                    #(Self::#variants => #codes,)*
                }
            }

            fn from_code(__tracker_code: ::core::primitive::i32) -> ::core::option::Option<Self> {
                match __tracker_code {
                    #(#codes => ::core::option::Option::Some(Self::#variants),)*
                    _ => ::core::option::Option::None,
                }
            }
        }
    }
}

/// Generates an impl for a faulty enum, so that uses of the type cause no further errors.
pub(super) fn placeholder_impl(input: &DeriveInput, tracker_core: &Path) -> TokenStream {
    let ident = &input.ident;
    let (generics, arguments, bounds) = input.generics.split_for_impl();
    let mut bounds = bounds.cloned().unwrap_or_else(|| syn::parse_quote!(where));
    if !matches!(input.data, syn::Data::Enum(_)) || !input.generics.params.is_empty() {
        // A bound with its own lifetime is checked only at a use: the type need not be `Copy` here.
        bounds.predicates.push(syn::parse_quote! {
            for<'__tracker> Self: ::core::marker::Copy + ::core::marker::Send + ::core::marker::Sync + 'static
        });
    }
    quote! {
        #[automatically_derived]
        impl #generics #tracker_core::TaskStatus for #ident #arguments #bounds {
            const GRAPH: #tracker_core::status::StatusGraph = #tracker_core::__private::NO_STATUSES;

            fn code(self) -> ::core::primitive::i32 {
                0
            }

            fn from_code(_: ::core::primitive::i32) -> ::core::option::Option<Self> {
                ::core::option::Option::None
            }
        }
    }
}
