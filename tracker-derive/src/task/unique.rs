//! `Unique`: parses unique keys, above the struct and above a field. Called by `header` and `field`; pure.

use proc_macro2::Ident;
use syn::ext::IdentExt;

use super::field::Field;
use crate::{attribute::AttributeOption, errors::Errors, suggest};

/// A parsed unique key.
pub(super) struct Unique {
    /// The option, for errors.
    pub written: AttributeOption,
    pub fields: Vec<Ident>,
    pub while_unfinished: bool,
}

impl Unique {
    /// Parses `unique(client, request)` or `unique(reference, while = unfinished)` of the struct.
    pub fn read(option: AttributeOption, errors: &mut Errors) -> Option<Self> {
        let before = errors.count();
        let (mut fields, mut while_unfinished) = (Vec::new(), false);
        for inner in option.list("the fields of the key", "client, request", errors)? {
            if inner.name() == "while" {
                if while_unfinished {
                    errors.on(inner.name(), "`while` is written twice: remove one");
                }
                while_unfinished = true;
                check_while(&inner, errors);
            } else if fields.contains(&inner.name().unraw()) {
                errors.on(inner.name(), format!("`{}` is in the key already: remove one", inner.name()));
            } else if inner.check_alone(errors) {
                fields.push(inner.name().unraw());
            }
        }
        if fields.is_empty() && errors.count() == before {
            errors.on(&option, "the key has no field: write e.g. `unique(reference, while = unfinished)`");
        }
        (errors.count() == before).then_some(Self { written: option, fields, while_unfinished })
    }

    /// Returns the key of a field with the option `unique`.
    pub fn of_field(option: AttributeOption, field: &Ident, errors: &mut Errors) -> Option<Self> {
        if option.is_alone() {
            return Some(Self { written: option, fields: vec![field.unraw()], while_unfinished: false });
        }
        let text =
            "a field is `unique` alone: write `unique`, or above the struct `#[task(unique({}, while = unfinished))]`";
        errors.on(&option, text.replace("{}", &field.to_string()));
        None
    }

    /// Returns the name: the names of the fields, joined.
    pub fn name(&self) -> String {
        let names: Vec<_> = self.fields.iter().map(ToString::to_string).collect();
        names.join("_")
    }

    /// Reports the fields that do not exist.
    pub fn check_fields(&self, fields: &[Field], errors: &mut Errors) {
        let names: Vec<_> = fields.iter().map(|field| field.name.as_str()).collect();
        for field in &self.fields {
            if !names.contains(&field.to_string().as_str()) {
                let meant = suggest::nearest(&field.to_string(), &names)
                    .map_or_else(|| "write the name of a field".to_owned(), |name| format!("write `{name}`"));
                errors.on(field, format!("the struct has no field `{field}`: {meant}"));
            }
        }
    }
}

fn check_while(option: &AttributeOption, errors: &mut Errors) {
    const EXAMPLE: &str = "while = unfinished";
    if let Some(value) = option.assigned::<Ident>("the word `unfinished`", EXAMPLE, errors)
        && value != "unfinished"
    {
        errors.on(&value, format!("unknown option `{value}`: write `{EXAMPLE}`"));
    }
}
