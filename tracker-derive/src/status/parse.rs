use proc_macro2::Ident;
use syn::{Data, DataEnum, DeriveInput, Expr, ExprLit, ExprUnary, Fields, Lit, LitStr, Path, UnOp};

use super::role::Role;
use crate::{attribute::Word, crate_path, errors::Errors, suggest};

/// The enum as it is written.
pub(super) struct Declaration<'a> {
    pub ident: &'a Ident,
    pub tracker_core: Path,
    /// `None` where the item is no enum of statuses at all.
    pub variants: Option<Vec<Variant<'a>>>,
}

/// A variant as it is written.
pub(super) struct Variant<'a> {
    pub ident: &'a Ident,
    pub code: Option<Code<'a>>,
    pub role: Option<Role>,
    pub step: Option<LitStr>,
    /// A mistake in it was reported: what follows from the mistake is not worth a message.
    pub faulty: bool,
}

pub(super) struct Code<'a> {
    pub value: i32,
    pub written: &'a Expr,
}

pub(super) fn parse<'a>(input: &'a DeriveInput, errors: &mut Errors) -> Declaration<'a> {
    let tracker_core = enum_words(input, errors);
    if !input.generics.params.is_empty() {
        errors.on(&input.generics, "a status type has no generic parameters: remove them");
    }
    let variants = match &input.data {
        Data::Enum(data) => Some(variants(data, errors)),
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

fn variants<'a>(data: &'a DataEnum, errors: &mut Errors) -> Vec<Variant<'a>> {
    let mut free = free_code(data);
    let mut parse = |variant: &'a syn::Variant| {
        let before = errors.count();
        let code = code(variant, &mut free, errors);
        let (role, step) = variant_words(variant, errors);
        let faulty = errors.count() > before;
        Variant { ident: &variant.ident, code, role, step, faulty }
    };
    data.variants.iter().map(&mut parse).collect()
}

fn code<'a>(variant: &'a syn::Variant, free: &mut i32, errors: &mut Errors) -> Option<Code<'a>> {
    let name = &variant.ident;
    let example = |free: &mut i32| {
        let code = *free;
        *free = free.saturating_add(10);
        format!("`{name} = {code}`")
    };
    if !matches!(variant.fields, Fields::Unit) {
        let text = "a status holds no data: write {}, and keep the data in the task";
        errors.on(&variant.fields, text.replace("{}", &example(free)));
        return None;
    }
    let Some((_, written)) = &variant.discriminant else {
        let text = format!("`{name}` has no code, and codes stay on disk: write {}", example(free));
        errors.on(name, text);
        return None;
    };
    let Some((negative, literal)) = integer(written) else {
        let text = format!("the code of `{name}` is not an integer literal: write {}", example(free));
        errors.on(written, text);
        return None;
    };
    let value = literal.base10_parse::<i64>().ok().map(|value| if negative { -value } else { value });
    let Some(value) = value.and_then(|value| i32::try_from(value).ok()) else {
        let text = format!("the code of `{name}` does not fit an i32: write one, e.g. {}", example(free));
        errors.on(written, text);
        return None;
    };
    Some(Code { value, written })
}

fn integer(written: &Expr) -> Option<(bool, &syn::LitInt)> {
    match written {
        Expr::Lit(ExprLit { lit: Lit::Int(literal), .. }) => Some((false, literal)),
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) => match integer(expr)? {
            (false, literal) => Some((true, literal)),
            (true, _) => None,
        },
        // What a `macro_rules!` macro handed on.
        Expr::Group(group) => integer(&group.expr),
        _ => None,
    }
}

/// A code for examples that no variant has: the next multiple of ten.
fn free_code(data: &DataEnum) -> i32 {
    let written = data.variants.iter().filter_map(|variant| integer(&variant.discriminant.as_ref()?.1));
    let codes = written.filter_map(|(negative, literal)| literal.base10_parse::<i32>().ok().filter(|_| !negative));
    codes.max().and_then(|max| (max / 10).checked_add(1)?.checked_mul(10)).unwrap_or(10)
}

fn variant_words(variant: &syn::Variant, errors: &mut Errors) -> (Option<Role>, Option<LitStr>) {
    let (mut role, mut step, mut step_seen) = (None, None, false);
    for word in Word::of(&variant.attrs, "status", "parked", errors) {
        let name = word.text();
        if let Some(found) = Role::of_word(&name) {
            match role {
                Some(first) => errors.on(word.name(), doubled_role(first, found)),
                None if word.check_alone(errors) => role = Some(found),
                None => {}
            }
        } else if name != "step" {
            let known: Vec<_> = Role::WORDS.into_iter().chain(["step"]).collect();
            errors.on(word.name(), suggest::unknown(word.name(), &known));
        } else if step_seen {
            errors.on(word.name(), "`step` is written twice: remove one");
        } else {
            step_seen = true;
            step = step_name(&word, errors);
        }
    }
    (role, step)
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
