//! `Code`: the numbers of statuses, which the file stores. Parsed by `parse`; `FreeCodes` proposes unused ones in error messages. Pure.

use proc_macro2::Ident;
use syn::{DataEnum, Expr, ExprLit, ExprUnary, Fields, Lit, LitInt, UnOp};

use crate::errors::Errors;

pub(super) struct Code<'a> {
    pub value: i32,
    pub written: &'a Expr,
}

impl<'a> Code<'a> {
    /// Parses the code of a variant. Reports an error unless it is a unit variant with a literal discriminant.
    pub fn parse(variant: &'a syn::Variant, free: &mut FreeCodes, errors: &mut Errors) -> Option<Self> {
        let name = &variant.ident;
        if !matches!(variant.fields, Fields::Unit) {
            let example = free.example(name);
            errors
                .on(&variant.fields, format!("a status holds no data: write {example}, and keep the data in the task"));
            return None;
        }
        let Some((_, written)) = &variant.discriminant else {
            let example = free.example(name);
            errors.on(name, format!("`{name}` has no code, which is what the file stores: write {example}"));
            return None;
        };
        let Some(literal) = integer(written) else {
            let example = free.example(name);
            errors.on(written, format!("the code of `{name}` is not an integer literal: write {example}"));
            return None;
        };
        let value = value(literal);
        if value.is_none() {
            let example = free.example(name);
            errors
                .on(written, format!("the code of `{name}` does not fit an i32: write one that does, e.g. {example}"));
        }
        Some(Self { value: value?, written })
    }
}

/// Unused codes for examples in messages: multiples of ten.
pub(super) struct FreeCodes {
    next: i32,
}

impl FreeCodes {
    pub fn of(data: &DataEnum) -> Self {
        let literals = data.variants.iter().filter_map(|variant| integer(&variant.discriminant.as_ref()?.1));
        let highest = literals.filter_map(value).max().unwrap_or(0).max(0);
        Self { next: (highest / 10).saturating_add(1).saturating_mul(10) }
    }

    /// Returns "`Failed = 30`", with a new code at each call.
    pub fn example(&mut self, name: &Ident) -> String {
        let code = self.next;
        self.next = self.next.saturating_add(10);
        format!("`{name} = {code}`")
    }
}

/// Returns an integer literal, and whether it is negative.
fn integer(written: &Expr) -> Option<(bool, &LitInt)> {
    match written {
        Expr::Lit(ExprLit { lit: Lit::Int(literal), .. }) => Some((false, literal)),
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) => match integer(expr)? {
            (false, literal) => Some((true, literal)),
            (true, _) => None,
        },
        // From a `macro_rules!` macro.
        Expr::Group(group) => integer(&group.expr),
        _ => None,
    }
}

fn value((negative, literal): (bool, &LitInt)) -> Option<i32> {
    let value = literal.base10_parse::<i64>().ok()?;
    i32::try_from(if negative { -value } else { value }).ok()
}
