use proc_macro2::Ident;
use syn::{Attribute, LitStr, Path, Type};

use super::{field::Field, policy::Policy, unique::Unique};
use crate::{
    attribute::Word,
    crate_path,
    errors::Errors,
    suggest::{self, meant},
};

const KIND_BYTES_MAX: usize = 128;

/// The words of the struct.
pub(super) const WORDS: [&str; 16] = [
    "name",
    "status",
    "id",
    "unique",
    "crate",
    "max_attempts",
    "max_crashes",
    "lease",
    "timeout",
    "backoff",
    "jitter",
    "priority",
    "history",
    "startable",
    "retention",
    "rate",
];

/// What stands above the struct.
#[derive(Default)]
pub(super) struct Header {
    pub name: Option<LitStr>,
    pub status: Option<Type>,
    /// A word `status` is there, sound or not.
    pub names_status: bool,
    /// A word `id` is there, sound or not.
    pub generates_ids: bool,
    pub uniques: Vec<Unique>,
    pub tracker_core: Option<Path>,
    pub policy: Policy,
}

impl Header {
    pub fn parse(attrs: &[Attribute], errors: &mut Errors) -> Self {
        let mut header = Self::default();
        let mut seen: Vec<String> = Vec::new();
        for word in Word::of(attrs, "task", "status = JobStatus", errors) {
            let text = word.text();
            if seen.contains(&text) && text != "unique" && WORDS.contains(&text.as_str()) {
                errors.on(word.name(), format!("`{text}` is written twice: remove one"));
            } else {
                header.read(word, &text, errors);
            }
            seen.push(text);
        }
        header
    }

    fn read(&mut self, word: Word, text: &str, errors: &mut Errors) {
        match text {
            "name" => self.name = name(&word, errors),
            "status" => {
                self.names_status = true;
                self.status = status(&word, errors);
            }
            "id" => {
                self.generates_ids = true;
                check_id(&word, errors);
            }
            "unique" => self.uniques.extend(Unique::read(word, errors)),
            "crate" => self.tracker_core = crate_path::parse(&word, errors),
            known if Policy::WORDS.contains(&known) => self.policy.read(&word, errors),
            known if Field::WORDS.contains(&known) => {
                errors.on(word.name(), format!("`{known}` belongs to a field: write it above the field"));
            }
            _ => {
                errors.on(word.name(), suggest::unknown(text, &WORDS));
                // Whoever meant this word shall not read as well that it is missing.
                self.names_status |= meant(text, "status", &WORDS);
            }
        }
    }
}

/// Whether the kind's name can be one; if not, what to write.
pub(super) fn check_kind(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("the kind's name is empty: write e.g. `name = \"download\"`".to_owned());
    }
    if name.len() > KIND_BYTES_MAX {
        let length = name.len();
        return Err(format!("the kind's name has {length} bytes: write a `name` of at most {KIND_BYTES_MAX}"));
    }
    Ok(())
}

fn name(word: &Word, errors: &mut Errors) -> Option<LitStr> {
    let literal = word.assigned_text("the kind's name", "name = \"download\"", errors)?;
    match check_kind(&literal.value()) {
        Ok(()) => Some(literal),
        Err(error) => {
            errors.on(&literal, error);
            None
        }
    }
}

fn status(word: &Word, errors: &mut Errors) -> Option<Type> {
    let ty: Type = word.assigned("the path of the status type", "status = JobStatus", errors)?;
    let named = is_named(&ty);
    if !named {
        errors.on(&ty, "`status` takes the path of the status type: write e.g. `status = JobStatus`");
    }
    named.then_some(ty)
}

fn is_named(ty: &Type) -> bool {
    match ty {
        Type::Path(_) => true,
        // What a `macro_rules!` macro handed on.
        Type::Group(group) => is_named(&group.elem),
        _ => false,
    }
}

fn check_id(word: &Word, errors: &mut Errors) {
    if let Some(value) = word.assigned::<Ident>("the word `uuid`", "id = uuid", errors)
        && value != "uuid"
    {
        let text = "`{}` is no source of ids: write `id = uuid` for generated ids, or `#[task(id)]` above the field that is the id";
        errors.on(&value, text.replace("{}", &value.to_string()));
    }
}
