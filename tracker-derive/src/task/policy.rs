//! `Policy`: parses the options of the policy: limits, delays, priority, retention. Called by `header`; pure.

use std::{ops::RangeInclusive, time::Duration};

use proc_macro2::Ident;
use syn::{Lit, LitInt, LitStr};

use super::{backoff::Backoff, rate::Rate};
use crate::{attribute::AttributeOption, duration, errors::Errors, suggest};

/// The options of the policy; an absent one keeps the value of `Policy::DEFAULT`.
#[derive(Default)]
pub(super) struct Policy {
    pub max_attempts: Option<Attempts>,
    pub max_crashes: Option<u32>,
    pub interrupted: Option<Ident>,
    pub lease: Option<Duration>,
    pub timeout: Option<Duration>,
    pub backoff: Option<Backoff>,
    pub jitter: Option<f32>,
    pub priority: Option<u8>,
    pub history: Option<u16>,
    pub startable: Vec<Ident>,
    pub retention: Vec<Retention>,
    pub rate: Option<Rate>,
    pub max_in_progress: Option<u32>,
    pub max_waiting: Option<u64>,
    /// Names and numbers.
    pub shared_limits: Vec<(String, u32)>,
    /// Resources and amounts.
    pub needs: Vec<(Ident, NeededAmount)>,
}

/// The amount of a need: a number, or the name of the field that holds it.
pub(super) enum NeededAmount {
    Fixed(u64),
    Field(LitStr),
}

/// The limit of failures in a row.
#[derive(Clone, Copy)]
pub(super) enum Attempts {
    AtMost(u32),
    Unlimited,
}

/// How long tasks of a role are kept.
pub(super) struct Retention {
    /// A variant of `tracker_core::status::Role`.
    pub role: Ident,
    pub keep: Duration,
}

/// The terminal roles, by option and by variant.
const TERMINAL_ROLES: [(&str, &str); 4] =
    [("succeeded", "Succeeded"), ("exhausted", "Exhausted"), ("ignored", "Ignored"), ("cancelled", "Cancelled")];

impl Policy {
    /// Reads an option of [`POLICY_OPTIONS`](super::option_names::POLICY_OPTIONS).
    pub fn read(&mut self, option: &AttributeOption, errors: &mut Errors) {
        match option.text().as_str() {
            "max_attempts" => self.max_attempts = attempts(option, errors),
            "max_crashes" => self.max_crashes = number(option, 1..=u32::MAX, "max_crashes = 10", errors),
            "interrupted" => self.interrupted = interrupted(option, errors),
            "lease" => self.lease = lease(option, errors),
            "timeout" => self.timeout = time(option, "timeout = \"1h\"", errors),
            "backoff" => self.backoff = backoff(option, errors),
            "jitter" => self.jitter = jitter(option, errors),
            "priority" => self.priority = number(option, 0..=u8::MAX, "priority = 5", errors),
            "history" => self.history = number(option, 1..=u16::MAX, "history = 10", errors),
            "startable" => self.startable = startable(option, errors),
            "rate" => self.rate = rate(option, errors),
            "shared_limit" => self.shared_limits = shared_limits(option, errors),
            "needs" => self.needs = needs(option, errors),
            "max_in_progress" => {
                self.max_in_progress = number(option, 1..=u32::MAX, "max_in_progress = 4", errors);
            }
            "max_waiting" => self.max_waiting = number(option, 1..=u64::MAX, "max_waiting = 10_000", errors),
            _ => self.retention = retention(option, errors),
        }
    }
}

pub(super) fn number<T>(
    option: &AttributeOption,
    range: RangeInclusive<T>,
    example: &str,
    errors: &mut Errors,
) -> Option<T>
where
    T: Copy + Into<i128> + TryFrom<i128> + std::fmt::Display,
{
    let (least, most) = (*range.start(), *range.end());
    let what = format!("a whole number from {least} to {most}");
    let literal: LitInt = option.assigned(&what, example, errors)?;
    let value = literal.base10_parse::<i128>().ok();
    let fitting = value.filter(|value| (least.into()..=most.into()).contains(value)).and_then(|v| T::try_from(v).ok());
    if fitting.is_none() {
        errors.on(option.value(), format!("`{}` takes {what}: write e.g. `{example}`", option.name()));
    }
    fitting
}

fn attempts(option: &AttributeOption, errors: &mut Errors) -> Option<Attempts> {
    const EXAMPLE: &str = "max_attempts = 3";
    let literal: Lit = option.assigned("a whole number or \"unlimited\"", EXAMPLE, errors)?;
    match &literal {
        Lit::Str(text) if text.value() == "unlimited" => Some(Attempts::Unlimited),
        Lit::Int(number) => {
            let value = number.base10_parse::<u32>().ok().filter(|value| *value > 0);
            if value.is_none() {
                let text = format!(
                    "a task has at least 1 attempt and at most {}: write e.g. `{EXAMPLE}`, or `max_attempts = \"unlimited\"`",
                    u32::MAX
                );
                errors.on(option.value(), text);
            }
            value.map(Attempts::AtMost)
        }
        _ => {
            errors
                .on(option.value(), format!("`max_attempts` takes a whole number or \"unlimited\": write `{EXAMPLE}`"));
            None
        }
    }
}

/// A variant of `tracker_core::task::QueueEnd`.
fn interrupted(option: &AttributeOption, errors: &mut Errors) -> Option<Ident> {
    let literal = option.assigned_text("an end of the queue", "interrupted = \"front\"", errors)?;
    let variant = match literal.value().as_str() {
        "front" => "Front",
        "back" => "Back",
        other => {
            errors.on(&literal, suggest::unknown(other, &["front", "back"]));
            return None;
        }
    };
    Some(Ident::new(variant, literal.span()))
}

fn time(option: &AttributeOption, example: &str, errors: &mut Errors) -> Option<Duration> {
    let literal = option.assigned_text("a duration", example, errors)?;
    duration::parse(&literal.value()).map_err(|error| errors.on(&literal, error)).ok()
}

fn lease(option: &AttributeOption, errors: &mut Errors) -> Option<Duration> {
    let lease = time(option, "lease = \"5m\"", errors)?;
    let enough = lease >= Duration::from_millis(1);
    if !enough {
        errors.on(option.value(), "a lease lasts at least a millisecond: write e.g. `lease = \"5m\"`");
    }
    enough.then_some(lease)
}

fn backoff(option: &AttributeOption, errors: &mut Errors) -> Option<Backoff> {
    let literal = option.assigned_text("a backoff", "backoff = \"exponential(1s, 5m)\"", errors)?;
    Backoff::parse(&literal.value()).map_err(|error| errors.on(&literal, error)).ok()
}

fn rate(option: &AttributeOption, errors: &mut Errors) -> Option<Rate> {
    let literal = option.assigned_text("a rate", "rate = \"10/s\"", errors)?;
    Rate::parse(&literal.value()).map_err(|error| errors.on(&literal, error)).ok()
}

fn jitter(option: &AttributeOption, errors: &mut Errors) -> Option<f32> {
    const EXAMPLE: &str = "jitter = 0.2";
    let literal: Lit = option.assigned("a number from 0 to 1", EXAMPLE, errors)?;
    let share = match &literal {
        Lit::Float(float) => float.base10_parse::<f32>().ok(),
        Lit::Int(int) => int.base10_parse::<f32>().ok(),
        _ => None,
    };
    let share = share.filter(|share| (0.0..=1.0).contains(share));
    if share.is_none() {
        errors.on(option.value(), format!("`jitter` takes a number from 0 to 1: write e.g. `{EXAMPLE}`"));
    }
    share
}

fn startable(option: &AttributeOption, errors: &mut Errors) -> Vec<Ident> {
    let mut variants: Vec<Ident> = Vec::new();
    for inner in option.list("variants of the status type", "Ignored", errors).unwrap_or_default() {
        if variants.contains(inner.name()) {
            errors.on(inner.name(), format!("`{}` is written twice: remove one", inner.name()));
        } else if inner.check_alone(errors) {
            variants.push(inner.name().clone());
        }
    }
    variants
}

fn retention(option: &AttributeOption, errors: &mut Errors) -> Vec<Retention> {
    let mut kept: Vec<Retention> = Vec::new();
    for inner in option.list("roles and durations", "succeeded = \"30d\"", errors).unwrap_or_default() {
        let name = inner.text();
        let Some((_, role)) = TERMINAL_ROLES.into_iter().find(|(option, _)| *option == name) else {
            errors.on(inner.name(), not_terminal(&name));
            continue;
        };
        if kept.iter().any(|other| other.role == role) {
            errors.on(inner.name(), format!("`{name}` is written twice: remove one"));
        } else if let Some(keep) = time(&inner, &format!("{name} = \"30d\""), errors) {
            kept.push(Retention { role: Ident::new(role, inner.name().span()), keep });
        }
    }
    kept
}

fn shared_limits(option: &AttributeOption, errors: &mut Errors) -> Vec<(String, u32)> {
    let mut limits: Vec<(String, u32)> = Vec::new();
    for inner in option.list("names and numbers", "network = 4", errors).unwrap_or_default() {
        let name = inner.text();
        if limits.iter().any(|(other, _)| *other == name) {
            errors.on(inner.name(), format!("`{name}` is written twice: remove one"));
        } else if let Some(most) = number(&inner, 1..=u32::MAX, &format!("{name} = 4"), errors) {
            limits.push((name, most));
        }
    }
    limits
}

fn needs(option: &AttributeOption, errors: &mut Errors) -> Vec<(Ident, NeededAmount)> {
    let mut needs: Vec<(Ident, NeededAmount)> = Vec::new();
    for inner in option.list("resources and amounts", "gpu = 1, mem = \"size\"", errors).unwrap_or_default() {
        if needs.iter().any(|(other, _)| other == inner.name()) {
            errors.on(inner.name(), format!("`{}` is written twice: remove one", inner.name()));
        } else if let Some(amount) = needed_amount(&inner, errors) {
            needs.push((inner.name().clone(), amount));
        }
    }
    needs
}

fn needed_amount(option: &AttributeOption, errors: &mut Errors) -> Option<NeededAmount> {
    let what = "a whole number from 1, or the name of an indexed field in quotes";
    let example = format!("{0} = 1` or `{0} = \"size\"", option.name());
    match option.assigned::<Lit>(what, &example, errors)? {
        Lit::Str(field) => return Some(NeededAmount::Field(field)),
        Lit::Int(number) => {
            if let Some(amount) = number.base10_parse().ok().filter(|amount| *amount > 0) {
                return Some(NeededAmount::Fixed(amount));
            }
        }
        _ => {}
    }
    errors.on(option.value(), format!("`{}` takes {what}: write `{example}`", option.name()));
    None
}

fn not_terminal(name: &str) -> String {
    let roles = TERMINAL_ROLES.map(|(option, _)| option);
    if ["pending", "in_progress", "failed", "parked"].contains(&name) {
        let choice = suggest::one_of(&roles);
        return format!("`{name}` is not a terminal role, and only ended tasks are deleted: write {choice}");
    }
    suggest::unknown(name, &roles)
}
