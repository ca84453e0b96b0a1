//! Checks the declared statuses: codes, roles, steps. Called by `status::derive`; makes the `StatusEnum` that `expand` writes. Pure.

use proc_macro2::Ident;
use syn::{Path, ext::IdentExt};

use super::{
    code::FreeCodes,
    parse::{Declaration, Variant, Variants},
    role::Role,
    steps::{self, Sorting, Step},
};
use crate::{errors::Errors, suggest};

const STATUSES_MAX: usize = 1024;

/// A correct enum of statuses.
pub(super) struct StatusEnum<'a> {
    pub ident: &'a Ident,
    pub tracker_core: &'a Path,
    pub steps: Vec<String>,
    pub statuses: Vec<Status<'a>>,
}

pub(super) struct Status<'a> {
    pub ident: &'a Ident,
    pub code: i32,
    pub role: Role,
    pub step: u16,
}

/// A variant with its step and role; without a role, an error was reported.
struct Sorted<'a> {
    variant: &'a Variant<'a>,
    step: u16,
    role: Option<Role>,
}

pub(super) fn check<'a>(declared: &'a mut Declaration<'_>, errors: &mut Errors) -> Option<StatusEnum<'a>> {
    let Variants { all: variants, free } = declared.variants.as_mut()?;
    if variants.is_empty() {
        errors.on(
            declared.ident,
            "no status is declared: write e.g. `Pending = 10, InProgress = 20, Failed = 30, Succeeded = 40`",
        );
    }
    if let Some(surplus) = variants.get(STATUSES_MAX) {
        errors.on(surplus.ident, "a status type has at most 1024 statuses: remove this one and those that follow");
    }
    let Sorting { steps, numbers, sound } = steps::sort(variants, errors);
    let mut sorted: Vec<Sorted> = Vec::with_capacity(variants.len());
    for (variant, step) in variants.iter().zip(numbers) {
        check_code(variant, &sorted, free, errors);
        let name = steps[usize::from(step)].name();
        let role = if sound { role(variant, name, errors) } else { None };
        let role = role.filter(|role| is_free(*role, variant, name, step, &sorted, errors));
        sorted.push(Sorted { variant, step, role });
    }
    for (step, number) in steps.iter().zip(0_u16..).filter(|_| sound && !variants.is_empty()) {
        let members: Vec<_> = sorted.iter().filter(|status| status.step == number).collect();
        check_required(declared.ident, step, number, &members, errors);
    }
    let statuses = sorted.into_iter().map(|Sorted { variant, step, role }| {
        Some(Status { ident: variant.ident, code: variant.code.as_ref()?.value, role: role?, step })
    });
    Some(StatusEnum {
        ident: declared.ident,
        tracker_core: &declared.tracker_core,
        steps: steps.iter().map(|step| step.name().to_owned()).collect(),
        statuses: statuses.collect::<Option<_>>()?,
    })
}

fn check_code(variant: &Variant, before: &[Sorted], free: &mut FreeCodes, errors: &mut Errors) {
    let Some(code) = &variant.code else { return };
    let has_it = |other: &&Sorted| other.variant.code.as_ref().is_some_and(|other| other.value == code.value);
    if let Some(twin) = before.iter().find(has_it) {
        let (value, owner, example) = (code.value, twin.variant.ident, free.example(variant.ident));
        let text = format!("the code {value} belongs to `{owner}`: write a free one, e.g. {example}");
        errors.on(code.written, text);
    }
}

fn role(variant: &Variant, step: &str, errors: &mut Errors) -> Option<Role> {
    let name = variant.ident.unraw().to_string();
    let role = variant.role.as_ref().map(|(role, _)| *role).or_else(|| Role::from_variant(&name, step));
    if role.is_none() && !variant.faulty {
        let meant = Role::name_of_synonym(&name)
            .or_else(|| suggest::nearest(&name, &Role::NAMES).filter(|option| *option != "parked"));
        let text = if meant.is_some() {
            "the name `{name}` is not that of a role: write `#[status({example})]`, or `#[status(parked)]` for a state of your own"
        } else {
            "the name `{name}` is not that of a role: write `#[status(parked)]` for a state of your own, or `#[status(…)]` with a role: {example}"
        };
        let roles: Vec<_> = Role::NAMES.into_iter().filter(|option| *option != "parked").collect();
        let example = meant.map_or_else(|| suggest::one_of(&roles), str::to_owned);
        errors.on(variant.ident, text.replace("{name}", &name).replace("{example}", &example));
    }
    role
}

fn is_free(role: Role, variant: &Variant, step: &str, number: u16, before: &[Sorted], errors: &mut Errors) -> bool {
    let twin = before.iter().find(|other| other.step == number && other.role == Some(role) && role != Role::Parked);
    if let (Some(twin), false) = (twin, variant.faulty) {
        let place = if step.is_empty() { String::new() } else { format!(" in step {step:?}") };
        let text = "`{}` has the role {role} already{place}: write another role, or `#[status(parked)]`";
        let text = text.replace("{}", &twin.variant.ident.to_string());
        let written = variant.role.as_ref().map_or(variant.ident, |(_, option)| option);
        errors.on(written, text.replace("{role}", role.name()).replace("{place}", &place));
    }
    twin.is_none()
}

fn check_required(enum_name: &Ident, step: &Step, number: u16, members: &[&Sorted], errors: &mut Errors) {
    let endings = [Role::Failed, Role::Exhausted, Role::Ignored];
    let required: [&[Role]; 4] = [&[Role::Pending], &[Role::InProgress], &[Role::Succeeded], &endings];
    let has = |role: &Role| members.iter().any(|status| status.role == Some(*role));
    let missing: Vec<_> =
        required.into_iter().skip(usize::from(number > 0)).filter(|any| !any.iter().any(has)).collect();
    // A status with a reported error may be the missing one.
    let unresolved = members.iter().filter(|status| status.role.is_none()).count();
    if missing.len() <= unresolved {
        return;
    }
    for roles in missing {
        let names: Vec<_> = roles.iter().map(|role| role.name()).collect();
        let names = suggest::one_of(&names).replace('`', "");
        let (role, variant) = (roles[0].name(), roles[0].variant());
        if let Some(literal) = step.opened_by() {
            let camel = super::role::camel_case(step.name());
            errors.on(
                literal,
                missing_role(&names, &format!(" in step {:?}", step.name()), &format!("{camel}{variant}"), role),
            );
        } else {
            errors.on(enum_name, missing_role(&names, "", &variant.to_string(), role));
        }
    }
}

fn missing_role(roles: &str, place: &str, variant: &str, role: &str) -> String {
    format!(
        "no status{place} has the role {roles}: add e.g. `{variant} = …`, or write `#[status({role})]` on a variant"
    )
}
