//! `Field`: parses the options above a field. Called by `check`; pure.

use proc_macro2::Ident;
use syn::{Path, Type, ext::IdentExt};

use super::{
    option_names::{FIELD_OPTIONS, STRUCT_OPTIONS},
    policy::number,
    unique::Unique,
};
use crate::{
    attribute::AttributeOption,
    errors::Errors,
    suggest::{self, meant},
};

/// A field with its options.
pub(super) struct Field<'a> {
    pub ident: &'a Ident,
    /// The name without `r#`.
    pub name: String,
    pub ty: &'a Type,
    pub id: Option<Ident>,
    pub index: bool,
    /// The limit of tasks in progress with the same value, and the position of the option.
    pub limit: Option<(Ident, Option<u32>)>,
    pub fingerprint: bool,
    /// The function that returns the value to hash, and the position of the option.
    pub fingerprint_with: Option<(Ident, Option<Path>)>,
    pub priority: Option<Ident>,
    pub unique: Option<Unique>,
}

impl<'a> Field<'a> {
    pub fn parse(field: &'a syn::Field, ident: &'a Ident, errors: &mut Errors) -> Self {
        let name = ident.unraw().to_string();
        let mut parsed = Self {
            ident,
            name,
            ty: &field.ty,
            id: None,
            index: false,
            limit: None,
            fingerprint: false,
            fingerprint_with: None,
            priority: None,
            unique: None,
        };
        let mut seen: Vec<String> = Vec::new();
        for option in AttributeOption::of(&field.attrs, "task", "index", errors) {
            let text = option.text();
            if seen.contains(&text) {
                errors.on(option.name(), format!("`{text}` is written twice: remove one"));
            } else {
                parsed.read(option, &text, errors);
            }
            seen.push(text);
        }
        if let Some((option, _)) = parsed.limit.as_ref().filter(|_| !seen.iter().any(|text| text == "index")) {
            errors.on(option, "a limit counts the tasks with the same value of an index: write `index, limit = 2`");
        }
        if let Some((option, _)) = parsed.fingerprint_with.as_ref().filter(|_| parsed.fingerprint) {
            errors.on(option, "`fingerprint_with` puts the field into the fingerprint already: remove `fingerprint`");
        }
        parsed
    }

    /// Returns the function that returns the value to hash in place of the field.
    pub fn hashed_by(&self) -> Option<&Path> {
        self.fingerprint_with.as_ref().and_then(|(_, path)| path.as_ref())
    }

    fn read(&mut self, option: AttributeOption, text: &str, errors: &mut Errors) {
        match text {
            "unique" => self.unique = Unique::of_field(option, self.ident, errors),
            "id" => {
                option.check_alone(errors);
                self.id = Some(option.name().clone());
            }
            "limit" => {
                self.limit = Some((option.name().clone(), number(&option, 1..=u32::MAX, "limit = 2", errors)));
            }
            "index" if option.check_alone(errors) => self.index = true,
            "fingerprint" if option.check_alone(errors) => self.fingerprint = true,
            "fingerprint_with" => {
                let path = option.assigned("the path of a function", "fingerprint_with = sorted", errors);
                self.fingerprint_with = Some((option.name().clone(), path));
            }
            "priority" if option.check_alone(errors) => {
                check_priority(self.ty, self.ident, errors);
                self.priority = Some(option.name().clone());
            }
            // `check_alone` has reported a value.
            known if FIELD_OPTIONS.contains(&known) => {}
            known if STRUCT_OPTIONS.contains(&known) => {
                errors.on(option.name(), format!("`{known}` belongs to the struct: write it above the struct"));
            }
            _ => {
                errors.on(option.name(), suggest::unknown(text, &FIELD_OPTIONS));
                // A misspelled option is not reported as missing, too.
                self.id = self.id.take().or_else(|| meant(text, "id", &FIELD_OPTIONS).then(|| option.name().clone()));
            }
        }
    }
}

/// Refuses known types other than `u8`. The compiler refuses the rest, because an alias may be a `u8`.
fn check_priority(ty: &Type, field: &Ident, errors: &mut Errors) {
    const OTHERS: [&str; 15] = [
        "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize", "f32", "f64", "bool",
        "String",
    ];
    let Type::Path(path) = ty else { return };
    let is_option = path.path.segments.last().is_some_and(|last| last.ident == "Option");
    if is_option || path.path.get_ident().is_some_and(|ident| OTHERS.contains(&ident.to_string().as_str())) {
        errors.on(ty, format!("a priority is a u8, higher first: write `{field}: u8`"));
    }
}
