//! `Header`: parses the options above the struct. Called by `check`; pure.

use proc_macro2::Ident;
use syn::{Attribute, LitStr, Path, Type};

use super::{
    option_names::{FIELD_OPTIONS, POLICY_OPTIONS, STRUCT_OPTIONS},
    policy::{self, Policy},
    unique::Unique,
};
use crate::{
    attribute::AttributeOption,
    crate_path,
    errors::Errors,
    suggest::{self, meant},
};

const KIND_BYTES_MAX: usize = 128;

/// The options above the struct.
#[derive(Default)]
pub(super) struct Header {
    pub name: Option<LitStr>,
    pub status: Option<Type>,
    /// The option `status` is present, correct or not.
    pub names_status: bool,
    /// The option `id` is present, correct or not.
    pub generates_ids: bool,
    pub uniques: Vec<Unique>,
    /// The option for the version of the payload, and its value if that is correct.
    pub version: Option<(Ident, Option<u16>)>,
    /// The option that names the function for payloads of earlier versions, and the path if it is one.
    pub migrate: Option<(Ident, Option<Path>)>,
    pub tracker_core: Option<Path>,
    pub policy: Policy,
}

impl Header {
    pub fn parse(attrs: &[Attribute], errors: &mut Errors) -> Self {
        let mut header = Self::default();
        let mut seen: Vec<String> = Vec::new();
        for option in AttributeOption::of(attrs, "task", "status = JobStatus", errors) {
            let text = option.text();
            if seen.contains(&text) && text != "unique" && STRUCT_OPTIONS.contains(&text.as_str()) {
                errors.on(option.name(), format!("`{text}` is written twice: remove one"));
            } else {
                header.read(option, &text, errors);
            }
            seen.push(text);
        }
        header
    }

    fn read(&mut self, option: AttributeOption, text: &str, errors: &mut Errors) {
        match text {
            "name" => self.name = name(&option, errors),
            "status" => {
                self.names_status = true;
                self.status = status(&option, errors);
            }
            "id" => {
                self.generates_ids = true;
                check_id(&option, errors);
            }
            "unique" => self.uniques.extend(Unique::read(option, errors)),
            "version" => {
                let version = policy::number(&option, 1..=u16::MAX, "version = 2", errors);
                self.version = Some((option.name().clone(), version));
            }
            "migrate" => {
                let function = option.assigned("the path of a function", "migrate = from_old", errors);
                self.migrate = Some((option.name().clone(), function));
            }
            "crate" => self.tracker_core = crate_path::parse(&option, errors),
            known if POLICY_OPTIONS.contains(&known) => self.policy.read(&option, errors),
            known if FIELD_OPTIONS.contains(&known) => {
                errors.on(option.name(), format!("`{known}` belongs to a field: write it above the field"));
            }
            _ => {
                errors.on(option.name(), suggest::unknown(text, &STRUCT_OPTIONS));
                // A misspelled option is not reported as missing, too.
                self.names_status |= meant(text, "status", &STRUCT_OPTIONS);
            }
        }
    }
}

/// Checks the name of a kind.
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

fn name(option: &AttributeOption, errors: &mut Errors) -> Option<LitStr> {
    let literal = option.assigned_text("the kind's name", "name = \"download\"", errors)?;
    match check_kind(&literal.value()) {
        Ok(()) => Some(literal),
        Err(error) => {
            errors.on(&literal, error);
            None
        }
    }
}

fn status(option: &AttributeOption, errors: &mut Errors) -> Option<Type> {
    let ty: Type = option.assigned("the path of the status type", "status = JobStatus", errors)?;
    let named = is_named(&ty);
    if !named {
        errors.on(&ty, "`status` takes the path of the status type: write e.g. `status = JobStatus`");
    }
    named.then_some(ty)
}

fn is_named(ty: &Type) -> bool {
    match ty {
        Type::Path(_) => true,
        // From a `macro_rules!` macro.
        Type::Group(group) => is_named(&group.elem),
        _ => false,
    }
}

fn check_id(option: &AttributeOption, errors: &mut Errors) {
    if let Some(value) = option.assigned::<Ident>("the word `uuid`", "id = uuid", errors)
        && value != "uuid"
    {
        let text = "unknown source of ids `{}`: write `id = uuid` for generated ids, or `#[task(id)]` above the field that is the id";
        errors.on(&value, text.replace("{}", &value.to_string()));
    }
}
