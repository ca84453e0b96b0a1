//! Generates the impl of `TrackedTask`, or a placeholder for a faulty struct. Called by `task::derive`; pure.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{DeriveInput, Path, WhereClause, ext::IdentExt, parse_quote, spanned::Spanned};

use super::{
    bounds,
    check::{Declaration, Task},
    field::Field,
    policy::{Attempts, NeededAmount, Policy},
    unique::Unique,
};
use crate::duration;

/// Generates the impl of a correct task.
pub(super) fn implement(task: &Task) -> TokenStream {
    let Task { ident, tracker_core, kind, status, uniques, .. } = task;
    let (generics, arguments, _) = task.generics.split_for_impl();
    let bounds = bounds::of(task);
    let (u8, u64, str) =
        (quote!(::core::primitive::u8), quote!(::core::primitive::u64), quote!(::core::primitive::str));
    let indexes: Vec<_> = task.fields.iter().filter(|field| field.index).collect();
    let index_names = indexes.iter().map(|field| &field.name);
    let index_values = indexes.iter().map(|field| encoded(field, tracker_core));
    let unique_defs = uniques.iter().map(|unique| {
        let (name, while_unfinished) = (unique.name(), unique.while_unfinished);
        quote!(#tracker_core::task::UniqueDef { name: #name, while_unfinished: #while_unfinished })
    });
    let unique_values = uniques.iter().map(|unique| unique_value(unique, task));
    let (policy, task_id, id_type) = (policy(task), task_id(task), id_type(task));
    let (fingerprint, priority) = (fingerprint(task), priority(task));
    let priority_field = task.fields.iter().find(|field| field.priority.is_some()).map(|Field { name, .. }| {
        quote! {
            const PRIORITY_FIELD: ::core::option::Option<&'static #str> = ::core::option::Option::Some(#name);
        }
    });
    let version = version(task);
    quote! {
        #[automatically_derived]
        #[allow(deprecated, unused_mut, unused_qualifications, clippy::all, clippy::pedantic, clippy::absolute_paths)]
        impl #generics #tracker_core::TrackedTask for #ident #arguments #bounds {
            type Status = #status;

            const KIND: &'static #str = #kind;

            const INDEXES: &'static [&'static #str] = &[#(#index_names),*];

            const UNIQUES: &'static [#tracker_core::task::UniqueDef] = &[#(#unique_defs),*];

            #priority_field

            #version

            fn policy() -> #tracker_core::task::Policy {
                #policy
            }

            fn id_type() -> ::core::option::Option<#tracker_core::__private::ValueType> {
                #id_type
            }

            fn task_id(&self) -> ::core::option::Option<#tracker_core::task::TaskKey> {
                #task_id
            }

            fn index_values(&self) -> ::std::vec::Vec<::std::vec::Vec<#u8>> {
                ::std::vec![#(#index_values),*]
            }

            fn unique_values(&self) -> ::std::vec::Vec<::std::vec::Vec<#u8>> {
                ::std::vec![#(#unique_values),*]
            }

            fn fingerprint(&self) -> ::core::option::Option<#u64> {
                #fingerprint
            }

            fn priority(&self) -> ::core::option::Option<#u8> {
                #priority
            }
        }
    }
}

/// The version of the payload above 1, and the call of its migration.
fn version(task: &Task) -> Option<TokenStream> {
    let (version, function) = task.version?;
    let tracker_core = &task.tracker_core;
    // Spanned on the path, so that the compiler marks a function of another form.
    let call = quote_spanned!(function.span()=> #function(__tracker_old));
    Some(quote! {
        const VERSION: ::core::primitive::u16 = #version;

        fn migrate(
            __tracker_old: #tracker_core::task::OldPayload<'_>,
        ) -> ::core::result::Result<
            Self,
            ::std::boxed::Box<dyn ::std::error::Error + ::core::marker::Send + ::core::marker::Sync>,
        > {
            ::core::result::Result::map_err(#call, ::core::convert::Into::into)
        }
    })
}

/// Generates an impl for a faulty struct, so that uses of the type cause no further errors.
pub(super) fn placeholder_impl(input: &DeriveInput, declared: &Declaration) -> TokenStream {
    let (ident, tracker_core) = (declared.ident, declared.tracker_core());
    let (generics, arguments, bounds) = input.generics.split_for_impl();
    let mut bounds: WhereClause = bounds.cloned().unwrap_or_else(|| parse_quote!(where));
    if declared.fields.is_none() || !input.generics.params.is_empty() {
        // A bound with its own lifetime is checked only at a use: the type need not be `Serialize` here.
        bounds.predicates.push(parse_quote! {
            for<'__tracker> Self: #tracker_core::__private::Serialize
                + #tracker_core::__private::DeserializeOwned + ::core::marker::Send + 'static
        });
    }
    let unknown: syn::Type = parse_quote!(#tracker_core::__private::NoStatus);
    let status = declared.header.status.as_ref().unwrap_or(&unknown);
    let (option, vec, u8) = (quote!(::core::option::Option), quote!(::std::vec::Vec), quote!(::core::primitive::u8));
    quote! {
        #[automatically_derived]
        impl #generics #tracker_core::TrackedTask for #ident #arguments #bounds {
            type Status = #status;

            const KIND: &'static ::core::primitive::str = "";

            const INDEXES: &'static [&'static ::core::primitive::str] = &[];

            const UNIQUES: &'static [#tracker_core::task::UniqueDef] = &[];

            fn policy() -> #tracker_core::task::Policy {
                #tracker_core::task::Policy::DEFAULT
            }

            fn task_id(&self) -> #option<#tracker_core::task::TaskKey> {
                #option::None
            }

            fn index_values(&self) -> #vec<#vec<#u8>> {
                #vec::new()
            }

            fn unique_values(&self) -> #vec<#vec<#u8>> {
                #vec::new()
            }

            fn fingerprint(&self) -> #option<::core::primitive::u64> {
                #option::None
            }

            fn priority(&self) -> #option<#u8> {
                #option::None
            }
        }
    }
}

fn policy(task: &Task) -> TokenStream {
    let (tracker_core, policy) = (&task.tracker_core, task.policy);
    let Policy { max_crashes, priority, history, jitter, .. } = policy;
    let attempts = policy.max_attempts.map(|attempts| match attempts {
        Attempts::AtMost(most) => quote!(::core::option::Option::Some(#most)),
        Attempts::Unlimited => quote!(::core::option::Option::None),
    });
    let timeout = policy.timeout.map(|limit| {
        let limit = duration::tokens(limit);
        quote!(::core::option::Option::Some(#limit))
    });
    let assignments = [
        ("max_attempts", attempts),
        ("max_crashes", max_crashes.map(|value| quote!(#value))),
        ("interrupted", policy.interrupted.as_ref().map(|end| quote!(#tracker_core::task::QueueEnd::#end))),
        ("lease", policy.lease.map(duration::tokens)),
        ("timeout", timeout),
        ("backoff", policy.backoff.map(|backoff| backoff.tokens(tracker_core))),
        ("jitter", jitter.map(|value| quote!(#value))),
        ("priority", priority.map(|value| quote!(#value))),
        ("history", history.map(|value| quote!(#value))),
        ("startable", startable(task)),
        ("retention", retention(task)),
        ("limits", limits(task)),
        ("rate", policy.rate.map(|rate| rate.tokens(tracker_core))),
        ("shared_limits", shared_limits(task)),
        ("needs", needs(task)),
        ("max_in_progress", policy.max_in_progress.map(|most| quote!(::core::option::Option::Some(#most)))),
        ("max_waiting", policy.max_waiting.map(|most| quote!(::core::option::Option::Some(#most)))),
    ];
    let assignments = assignments.into_iter().filter_map(|(name, value)| {
        let (field, value) = (quote::format_ident!("{name}"), value?);
        Some(quote!(__tracker_policy.#field = #value;))
    });
    quote! {
        let mut __tracker_policy = #tracker_core::task::Policy::DEFAULT;
        #(#assignments)*
        __tracker_policy
    }
}

fn startable(task: &Task) -> Option<TokenStream> {
    let (tracker_core, status, variants) = (&task.tracker_core, task.status, &task.policy.startable);
    let codes = variants.iter().map(
        |variant| quote_spanned!(variant.span()=> <#status as #tracker_core::TaskStatus>::code(<#status>::#variant)),
    );
    let owned = quote!(::std::borrow::Cow::Owned(::std::vec![#(#codes),*]));
    (!variants.is_empty()).then_some(owned)
}

fn retention(task: &Task) -> Option<TokenStream> {
    let (tracker_core, retention) = (&task.tracker_core, &task.policy.retention);
    let rules = retention.iter().map(|rule| {
        let (role, keep) = (&rule.role, duration::tokens(rule.keep));
        quote!(#tracker_core::task::Retention { role: #tracker_core::status::Role::#role, keep: #keep })
    });
    let owned = quote!(::std::borrow::Cow::Owned(::std::vec![#(#rules),*]));
    (!retention.is_empty()).then_some(owned)
}

fn shared_limits(task: &Task) -> Option<TokenStream> {
    let (tracker_core, limits) = (&task.tracker_core, &task.policy.shared_limits);
    let limits = limits.iter().map(|(name, most)| {
        quote!(#tracker_core::task::SharedLimit { name: ::std::borrow::Cow::Borrowed(#name), most: #most })
    });
    let owned = quote!(::std::borrow::Cow::Owned(::std::vec![#(#limits),*]));
    (!task.policy.shared_limits.is_empty()).then_some(owned)
}

fn needs(task: &Task) -> Option<TokenStream> {
    let (tracker_core, needs) = (&task.tracker_core, &task.policy.needs);
    let needed = needs.iter().map(|(resource, amount)| {
        let resource = resource.unraw().to_string();
        let amount = match amount {
            NeededAmount::Fixed(amount) => quote!(Fixed(#amount)),
            NeededAmount::Field(field) => quote!(Field(::std::borrow::Cow::Borrowed(#field))),
        };
        quote!(#tracker_core::task::Need {
            resource: ::std::borrow::Cow::Borrowed(#resource),
            amount: #tracker_core::task::NeededAmount::#amount,
        })
    });
    let amount_fields = task.fields.iter().filter(|field| {
        needs.iter().any(|(_, amount)| matches!(amount, NeededAmount::Field(name) if name.value() == field.name))
    });
    // Spanned on the type of the field, so that the compiler marks a type that holds no amount.
    let checks = amount_fields
        .map(|Field { ty, .. }| quote_spanned!(ty.span()=> #tracker_core::__private::check_amount::<#ty>();));
    let owned = quote!({
        #(#checks)*
        ::std::borrow::Cow::Owned(::std::vec![#(#needed),*])
    });
    (!needs.is_empty()).then_some(owned)
}

fn limits(task: &Task) -> Option<TokenStream> {
    let tracker_core = &task.tracker_core;
    let limited = task.fields.iter().filter_map(|field| Some((&field.name, field.limit.as_ref()?.1?)));
    let limits = limited.map(|(name, most)| {
        quote!(#tracker_core::task::IndexLimit { index: ::std::borrow::Cow::Borrowed(#name), most: #most })
    });
    let limits: Vec<_> = limits.collect();
    let owned = quote!(::std::borrow::Cow::Owned(::std::vec![#(#limits),*]));
    (!limits.is_empty()).then_some(owned)
}

fn id_type(task: &Task) -> TokenStream {
    let tracker_core = &task.tracker_core;
    if let Some(Field { ty, .. }) = task.id {
        quote_spanned!(ty.span()=> <#ty as #tracker_core::task::TaskId>::value_type())
    } else {
        // Generated ids.
        quote!(<#tracker_core::__private::Uuid as #tracker_core::task::TaskId>::value_type())
    }
}

fn task_id(task: &Task) -> TokenStream {
    let Some(Field { ident, ty, .. }) = task.id else { return quote!(::core::option::Option::None) };
    let tracker_core = &task.tracker_core;
    // Spanned on the type of the field, so that the compiler marks a type that cannot be an id.
    let key = quote_spanned!(ty.span()=> <#ty as #tracker_core::task::TaskId>::to_key(&self.#ident));
    quote!(::core::option::Option::Some(#key))
}

fn encoded(field: &Field, tracker_core: &Path) -> TokenStream {
    let Field { ident, ty, .. } = field;
    quote_spanned!(ty.span()=> <#ty as #tracker_core::task::IndexValue>::encoded(&self.#ident))
}

fn unique_value(unique: &Unique, task: &Task) -> TokenStream {
    let tracker_core = &task.tracker_core;
    let field = |name: &proc_macro2::Ident| task.fields.iter().find(|field| *name == field.name);
    let values: Vec<_> = unique.fields.iter().filter_map(field).map(|field| encoded(field, tracker_core)).collect();
    if let [value] = values.as_slice() {
        return quote!(#tracker_core::__private::unique_encoded(#value));
    }
    quote!(#tracker_core::__private::join_encoded(&[#(#values),*]))
}

fn fingerprint(task: &Task) -> TokenStream {
    let tracker_core = &task.tracker_core;
    let marked: Vec<_> = task.fields.iter().filter(|field| field.fingerprint || field.hashed_by().is_some()).collect();
    if marked.is_empty() {
        return quote!(::core::option::Option::None);
    }
    let start = quote!(#tracker_core::task::Fingerprint::new());
    let hashed = marked.into_iter().fold(start, |before, field| {
        let Field { ident, name, ty, .. } = field;
        if let Some(path) = field.hashed_by() {
            quote_spanned!(path.span()=> #tracker_core::task::Fingerprint::field(#before, #name, &#path(&self.#ident)))
        } else {
            quote_spanned!(ty.span()=> #tracker_core::task::Fingerprint::field(#before, #name, &self.#ident))
        }
    });
    quote!(::core::option::Option::Some(#tracker_core::task::Fingerprint::finish(#hashed)))
}

fn priority(task: &Task) -> TokenStream {
    let marked = task.fields.iter().find(|field| field.priority.is_some());
    let value = marked.map(|Field { ident, ty, .. }| quote_spanned!(ty.span()=> Some(self.#ident)));
    let value = value.unwrap_or_else(|| quote!(None));
    quote!(::core::option::Option::#value)
}
