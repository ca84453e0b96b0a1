use proc_macro2::Ident;
use syn::ext::IdentExt;

use super::field::Field;
use crate::{attribute::Word, errors::Errors, suggest};

/// A unique key as it is written.
pub(super) struct Unique {
    /// Where it is written, for errors.
    pub written: Word,
    pub fields: Vec<Ident>,
    pub while_unfinished: bool,
}

impl Unique {
    /// Reads `unique(client, request)` or `unique(reference, while = unfinished)` of the struct.
    pub fn read(word: Word, errors: &mut Errors) -> Option<Self> {
        let before = errors.count();
        let (mut fields, mut while_unfinished) = (Vec::new(), false);
        for inner in word.list("the fields of the key", "client, request", errors)? {
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
            errors.on(&word, "the key has no field: write e.g. `unique(reference, while = unfinished)`");
        }
        (errors.count() == before).then_some(Self { written: word, fields, while_unfinished })
    }

    /// The key of a field with the word `unique`.
    pub fn of_field(word: Word, field: &Ident, errors: &mut Errors) -> Option<Self> {
        if word.is_alone() {
            return Some(Self { written: word, fields: vec![field.unraw()], while_unfinished: false });
        }
        let text =
            "a field is `unique` alone: write `unique`, or above the struct `#[task(unique({}, while = unfinished))]`";
        errors.on(&word, text.replace("{}", &field.to_string()));
        None
    }

    /// Its name: the fields' names joined.
    pub fn name(&self) -> String {
        let names: Vec<_> = self.fields.iter().map(ToString::to_string).collect();
        names.join("_")
    }

    /// Whether all its fields exist; if not, says so on the field.
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

fn check_while(word: &Word, errors: &mut Errors) {
    const EXAMPLE: &str = "while = unfinished";
    if let Some(value) = word.assigned::<Ident>("the word `unfinished`", EXAMPLE, errors)
        && value != "unfinished"
    {
        errors.on(&value, format!("unknown word `{value}`: write `{EXAMPLE}`"));
    }
}
