//! Parses the enum of statuses as it is written. Called by `status::derive`; `check` finds contradictions. Pure.

use proc_macro2::Ident;
use syn::{Data, DataEnum, DeriveInput, LitStr, Path};

use super::{
    code::{Code, FreeCodes},
    role::Role,
};
use crate::{attribute::AttributeOption, crate_path, errors::Errors, suggest};

/// The parsed enum.
pub(super) struct Declaration<'a> {
    pub ident: &'a Ident,
    pub tracker_core: Path,
    /// `None` if the item is not an enum.
    pub variants: Option<Variants<'a>>,
}

/// The parsed variants.
pub(super) struct Variants<'a> {
    pub all: Vec<Variant<'a>>,
    /// Codes for examples.
    pub free: FreeCodes,
}

/// A parsed variant.
pub(super) struct Variant<'a> {
    pub ident: &'a Ident,
    pub code: Option<Code<'a>>,
    /// The role of an attribute, and its position.
    pub role: Option<(Role, Ident)>,
    pub step: Option<LitStr>,
    /// The option `step` has no valid name.
    pub step_faulty: bool,
    /// An error was reported, so that errors that follow from it are not.
    pub faulty: bool,
}

pub(super) fn parse<'a>(input: &'a DeriveInput, errors: &mut Errors) -> Declaration<'a> {
    let tracker_core = enum_options(input, errors);
    if !input.generics.params.is_empty() {
        errors.on(&input.generics, "a status type has no generic parameters: remove them");
    }
    let variants = match &input.data {
        Data::Enum(data) => {
            let mut free = FreeCodes::of(data);
            Some(Variants { all: variants(data, &mut free, errors), free })
        }
        Data::Struct(data) => {
            refuse(data.struct_token, errors);
            None
        }
        Data::Union(data) => {
            refuse(data.union_token, errors);
            None
        }
    };
    Declaration { ident: &input.ident, tracker_core, variants }
}

fn refuse(keyword: impl quote::ToTokens, errors: &mut Errors) {
    errors.on(keyword, "a status type is an enum: write `enum`, with one variant for each status, e.g. `Pending = 10`");
}

fn enum_options(input: &DeriveInput, errors: &mut Errors) -> Path {
    let mut path = None;
    for option in AttributeOption::of(&input.attrs, "status", "crate = ::tracker_core", errors) {
        match option.text().as_str() {
            "crate" if path.is_some() => {
                errors.on(option.name(), "`crate` is written twice: remove one");
            }
            "crate" => path = Some(crate_path::parse(&option, errors)),
            name if name == "step" || Role::from_name(name).is_some() => {
                errors.on(option.name(), format!("`{name}` belongs to a variant: write it above the variant"));
            }
            name => errors.on(option.name(), suggest::unknown(name, &["crate"])),
        }
    }
    path.flatten().unwrap_or_else(crate_path::default)
}

fn variants<'a>(data: &'a DataEnum, free: &mut FreeCodes, errors: &mut Errors) -> Vec<Variant<'a>> {
    let mut parse = |variant: &'a syn::Variant| {
        let before = errors.count();
        let code = Code::parse(variant, free, errors);
        let options = VariantOptions::parse(variant, errors);
        let (step_faulty, faulty) = (options.has_step && options.step.is_none(), errors.count() > before);
        Variant { ident: &variant.ident, code, role: options.role, step: options.step, step_faulty, faulty }
    };
    data.variants.iter().map(&mut parse).collect()
}

#[derive(Default)]
struct VariantOptions {
    role: Option<(Role, Ident)>,
    step: Option<LitStr>,
    has_step: bool,
}

impl VariantOptions {
    fn parse(variant: &syn::Variant, errors: &mut Errors) -> Self {
        let mut options = Self::default();
        for option in AttributeOption::of(&variant.attrs, "status", "parked", errors) {
            options.read(&option, errors);
        }
        options
    }

    fn read(&mut self, option: &AttributeOption, errors: &mut Errors) {
        let name = option.text();
        if let Some(role) = Role::from_name(&name) {
            match &self.role {
                Some((first, _)) => errors.on(option.name(), doubled_role(*first, role)),
                None if option.check_alone(errors) => self.role = Some((role, option.name().clone())),
                None => {}
            }
        } else if name != "step" {
            let known: Vec<_> = Role::NAMES.into_iter().chain(["step"]).collect();
            errors.on(option.name(), suggest::unknown(option.name(), &known));
        } else if self.has_step {
            errors.on(option.name(), "`step` is written twice: remove one");
        } else {
            self.has_step = true;
            self.step = step_name(option, errors);
        }
    }
}

fn doubled_role(first: Role, second: Role) -> String {
    if first == second {
        format!("`{}` is written twice: remove one", second.name())
    } else {
        format!("a status has one role: write `{}` or `{}`, not both", first.name(), second.name())
    }
}

fn step_name(option: &AttributeOption, errors: &mut Errors) -> Option<LitStr> {
    let literal = option.assigned_text("the step's name", "step = \"load\"", errors)?;
    let named = !literal.value().trim().is_empty();
    if !named {
        errors.on(&literal, "the step's name is empty: write e.g. `step = \"load\"`");
    }
    named.then_some(literal)
}
