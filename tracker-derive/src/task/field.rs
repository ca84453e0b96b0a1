use proc_macro2::Ident;
use syn::{Path, Type, ext::IdentExt};

use super::{header, policy::number, unique::Unique};
use crate::{
    attribute::Word,
    errors::Errors,
    suggest::{self, meant},
};

/// A field of the task and the words it bears.
pub(super) struct Field<'a> {
    pub ident: &'a Ident,
    /// Its name without `r#`.
    pub name: String,
    pub ty: &'a Type,
    pub id: Option<Ident>,
    pub index: bool,
    /// How many tasks with the same value may be in progress, and the word that says it.
    pub limit: Option<(Ident, Option<u32>)>,
    pub fingerprint: bool,
    /// The function that gives the value to hash, and the word that names it.
    pub fingerprint_with: Option<(Ident, Option<Path>)>,
    pub priority: Option<Ident>,
    pub unique: Option<Unique>,
}

impl<'a> Field<'a> {
    /// The words of a field.
    pub const WORDS: [&'static str; 7] =
        ["id", "index", "limit", "fingerprint", "fingerprint_with", "priority", "unique"];

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
        for word in Word::of(&field.attrs, "task", "index", errors) {
            let text = word.text();
            if seen.contains(&text) {
                errors.on(word.name(), format!("`{text}` is written twice: remove one"));
            } else {
                parsed.read(word, &text, errors);
            }
            seen.push(text);
        }
        if let Some((word, _)) = parsed.limit.as_ref().filter(|_| !seen.iter().any(|text| text == "index")) {
            errors.on(word, "a limit counts the tasks with the same value of an index: write `index, limit = 2`");
        }
        if let Some((word, _)) = parsed.fingerprint_with.as_ref().filter(|_| parsed.fingerprint) {
            errors.on(word, "`fingerprint_with` puts the field into the fingerprint already: remove `fingerprint`");
        }
        parsed
    }

    /// The function that gives the value to hash in place of the field.
    pub fn hashed_by(&self) -> Option<&Path> {
        self.fingerprint_with.as_ref().and_then(|(_, path)| path.as_ref())
    }

    fn read(&mut self, word: Word, text: &str, errors: &mut Errors) {
        match text {
            "unique" => self.unique = Unique::of_field(word, self.ident, errors),
            "id" => {
                word.check_alone(errors);
                self.id = Some(word.name().clone());
            }
            "limit" => {
                self.limit = Some((word.name().clone(), number(&word, 1..=u32::MAX, "limit = 2", errors)));
            }
            "index" if word.check_alone(errors) => self.index = true,
            "fingerprint" if word.check_alone(errors) => self.fingerprint = true,
            "fingerprint_with" => {
                let path = word.assigned("the path of a function", "fingerprint_with = sorted", errors);
                self.fingerprint_with = Some((word.name().clone(), path));
            }
            "priority" if word.check_alone(errors) => {
                check_priority(self.ty, self.ident, errors);
                self.priority = Some(word.name().clone());
            }
            // What bears a value was reported by `check_alone`.
            known if Self::WORDS.contains(&known) => {}
            known if header::WORDS.contains(&known) => {
                errors.on(word.name(), format!("`{known}` belongs to the struct: write it above the struct"));
            }
            _ => {
                errors.on(word.name(), suggest::unknown(text, &Self::WORDS));
                // Whoever meant this word shall not read as well that it is missing.
                self.id = self.id.take().or_else(|| meant(text, "id", &Self::WORDS).then(|| word.name().clone()));
            }
        }
    }
}

/// Other types of the prelude are refused here; whatever else is no u8 (an alias may be one), the compiler refuses.
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
