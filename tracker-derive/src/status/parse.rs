use proc_macro2::Ident;
use syn::{Data, DataEnum, DeriveInput, LitStr, Path};

use super::{
    code::{Code, FreeCodes},
    role::Role,
};
use crate::{attribute::Word, crate_path, errors::Errors, suggest};

/// The enum as it is written.
pub(super) struct Declaration<'a> {
    pub ident: &'a Ident,
    pub tracker_core: Path,
    /// `None` where the item is no enum of statuses at all.
    pub variants: Option<Variants<'a>>,
}

/// The variants as they are written.
pub(super) struct Variants<'a> {
    pub all: Vec<Variant<'a>>,
    /// Codes that none of them has.
    pub free: FreeCodes,
}

/// A variant as it is written.
pub(super) struct Variant<'a> {
    pub ident: &'a Ident,
    pub code: Option<Code<'a>>,
    /// The role that an attribute names, and where.
    pub role: Option<(Role, Ident)>,
    pub step: Option<LitStr>,
    /// The word `step` is there without a name.
    pub step_faulty: bool,
    /// A mistake in it was reported: what follows from the mistake is not worth a message.
    pub faulty: bool,
}

pub(super) fn parse<'a>(input: &'a DeriveInput, errors: &mut Errors) -> Declaration<'a> {
    let tracker_core = enum_words(input, errors);
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

fn enum_words(input: &DeriveInput, errors: &mut Errors) -> Path {
    let mut path = None;
    for word in Word::of(&input.attrs, "status", "crate = ::tracker_core", errors) {
        match word.text().as_str() {
            "crate" if path.is_some() => {
                errors.on(word.name(), "`crate` is written twice: remove one");
            }
            "crate" => path = Some(crate_path::parse(&word, errors)),
            name if name == "step" || Role::of_word(name).is_some() => {
                errors.on(word.name(), format!("`{name}` belongs to a variant: write it above the variant"));
            }
            name => errors.on(word.name(), suggest::unknown(name, &["crate"])),
        }
    }
    path.flatten().unwrap_or_else(crate_path::default)
}

fn variants<'a>(data: &'a DataEnum, free: &mut FreeCodes, errors: &mut Errors) -> Vec<Variant<'a>> {
    let mut parse = |variant: &'a syn::Variant| {
        let before = errors.count();
        let code = Code::parse(variant, free, errors);
        let words = VariantWords::parse(variant, errors);
        let (step_faulty, faulty) = (words.has_step && words.step.is_none(), errors.count() > before);
        Variant { ident: &variant.ident, code, role: words.role, step: words.step, step_faulty, faulty }
    };
    data.variants.iter().map(&mut parse).collect()
}

#[derive(Default)]
struct VariantWords {
    role: Option<(Role, Ident)>,
    step: Option<LitStr>,
    has_step: bool,
}

impl VariantWords {
    fn parse(variant: &syn::Variant, errors: &mut Errors) -> Self {
        let mut words = Self::default();
        for word in Word::of(&variant.attrs, "status", "parked", errors) {
            words.read(&word, errors);
        }
        words
    }

    fn read(&mut self, word: &Word, errors: &mut Errors) {
        let name = word.text();
        if let Some(role) = Role::of_word(&name) {
            match &self.role {
                Some((first, _)) => errors.on(word.name(), doubled_role(*first, role)),
                None if word.check_alone(errors) => self.role = Some((role, word.name().clone())),
                None => {}
            }
        } else if name != "step" {
            let known: Vec<_> = Role::WORDS.into_iter().chain(["step"]).collect();
            errors.on(word.name(), suggest::unknown(word.name(), &known));
        } else if self.has_step {
            errors.on(word.name(), "`step` is written twice: remove one");
        } else {
            self.has_step = true;
            self.step = step_name(word, errors);
        }
    }
}

fn doubled_role(first: Role, second: Role) -> String {
    if first == second {
        format!("`{}` is written twice: remove one", second.word())
    } else {
        format!("a status has one role: write `{}` or `{}`, not both", first.word(), second.word())
    }
}

fn step_name(word: &Word, errors: &mut Errors) -> Option<LitStr> {
    let literal = word.assigned_text("the step's name", "step = \"load\"", errors)?;
    let named = !literal.value().trim().is_empty();
    if !named {
        errors.on(&literal, "the step's name is empty: write e.g. `step = \"load\"`");
    }
    named.then_some(literal)
}
