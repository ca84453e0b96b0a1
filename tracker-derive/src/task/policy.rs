use std::{ops::RangeInclusive, time::Duration};

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::{Lit, LitInt};

use super::{backoff::Backoff, rate::Rate};
use crate::{attribute::Word, duration, errors::Errors, suggest};

/// The limits and habits of a kind as they are written; what is absent stays as `Policy::DEFAULT` has it.
#[derive(Default)]
pub(super) struct Policy {
    pub max_attempts: Option<Attempts>,
    pub max_crashes: Option<u32>,
    pub lease: Option<Duration>,
    pub timeout: Option<Duration>,
    pub backoff: Option<Backoff>,
    pub jitter: Option<f32>,
    pub priority: Option<u8>,
    pub history: Option<u16>,
    pub startable: Vec<Ident>,
    pub retention: Vec<Retention>,
    pub rate: Option<Rate>,
}

/// How often a task may fail in a row.
#[derive(Clone, Copy)]
pub(super) enum Attempts {
    AtMost(u32),
    Unlimited,
}

/// What is deleted after how long.
pub(super) struct Retention {
    /// A variant of `tracker_core::status::Role`.
    pub role: Ident,
    pub keep: Duration,
}

/// The roles in which a task rests for good, and their variants.
const ENDINGS: [(&str, &str); 4] =
    [("succeeded", "Succeeded"), ("exhausted", "Exhausted"), ("ignored", "Ignored"), ("cancelled", "Cancelled")];

impl Policy {
    /// The words that say something of the policy.
    pub const WORDS: [&'static str; 11] = [
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

    /// Takes in a word of [`Self::WORDS`].
    pub fn read(&mut self, word: &Word, errors: &mut Errors) {
        match word.text().as_str() {
            "max_attempts" => self.max_attempts = attempts(word, errors),
            "max_crashes" => self.max_crashes = number(word, 1..=u32::MAX, "max_crashes = 10", errors),
            "lease" => self.lease = lease(word, errors),
            "timeout" => self.timeout = time(word, "timeout = \"1h\"", errors),
            "backoff" => self.backoff = backoff(word, errors),
            "jitter" => self.jitter = jitter(word, errors),
            "priority" => self.priority = number(word, 0..=u8::MAX, "priority = 5", errors),
            "history" => self.history = number(word, 1..=u16::MAX, "history = 10", errors),
            "startable" => self.startable = startable(word, errors),
            "rate" => self.rate = rate(word, errors),
            _ => self.retention = retention(word, errors),
        }
    }
}

/// A value of `core::time::Duration`.
pub(super) fn duration_tokens(duration: Duration) -> TokenStream {
    let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
    quote!(::core::time::Duration::new(#seconds, #nanos))
}

pub(super) fn number<T>(word: &Word, range: RangeInclusive<T>, example: &str, errors: &mut Errors) -> Option<T>
where
    T: Copy + Into<i128> + TryFrom<i128> + std::fmt::Display,
{
    let (least, most) = (*range.start(), *range.end());
    let what = format!("a whole number from {least} to {most}");
    let literal: LitInt = word.assigned(&what, example, errors)?;
    let value = literal.base10_parse::<i128>().ok();
    let fitting = value.filter(|value| (least.into()..=most.into()).contains(value)).and_then(|v| T::try_from(v).ok());
    if fitting.is_none() {
        errors.on(word.value(), format!("`{}` takes {what}: write e.g. `{example}`", word.name()));
    }
    fitting
}

fn attempts(word: &Word, errors: &mut Errors) -> Option<Attempts> {
    const EXAMPLE: &str = "max_attempts = 3";
    let literal: Lit = word.assigned("a whole number or \"unlimited\"", EXAMPLE, errors)?;
    match &literal {
        Lit::Str(text) if text.value() == "unlimited" => Some(Attempts::Unlimited),
        Lit::Int(number) => {
            let value = number.base10_parse::<u32>().ok().filter(|value| *value > 0);
            if value.is_none() {
                let text = format!(
                    "a task has at least 1 attempt and at most {}: write e.g. `{EXAMPLE}`, or `max_attempts = \"unlimited\"`",
                    u32::MAX
                );
                errors.on(word.value(), text);
            }
            value.map(Attempts::AtMost)
        }
        _ => {
            errors.on(word.value(), format!("`max_attempts` takes a whole number or \"unlimited\": write `{EXAMPLE}`"));
            None
        }
    }
}

fn time(word: &Word, example: &str, errors: &mut Errors) -> Option<Duration> {
    let literal = word.assigned_text("a duration", example, errors)?;
    duration::parse(&literal.value()).map_err(|error| errors.on(&literal, error)).ok()
}

fn lease(word: &Word, errors: &mut Errors) -> Option<Duration> {
    let lease = time(word, "lease = \"5m\"", errors)?;
    let enough = lease >= Duration::from_millis(1);
    if !enough {
        errors.on(word.value(), "a lease lasts at least a millisecond: write e.g. `lease = \"5m\"`");
    }
    enough.then_some(lease)
}

fn backoff(word: &Word, errors: &mut Errors) -> Option<Backoff> {
    let literal = word.assigned_text("a backoff", "backoff = \"exponential(1s, 5m)\"", errors)?;
    Backoff::parse(&literal.value()).map_err(|error| errors.on(&literal, error)).ok()
}

fn rate(word: &Word, errors: &mut Errors) -> Option<Rate> {
    let literal = word.assigned_text("a rate", "rate = \"10/s\"", errors)?;
    Rate::parse(&literal.value()).map_err(|error| errors.on(&literal, error)).ok()
}

fn jitter(word: &Word, errors: &mut Errors) -> Option<f32> {
    const EXAMPLE: &str = "jitter = 0.2";
    let literal: Lit = word.assigned("a number from 0 to 1", EXAMPLE, errors)?;
    let share = match &literal {
        Lit::Float(float) => float.base10_parse::<f32>().ok(),
        Lit::Int(int) => int.base10_parse::<f32>().ok(),
        _ => None,
    };
    let share = share.filter(|share| (0.0..=1.0).contains(share));
    if share.is_none() {
        errors.on(word.value(), format!("`jitter` takes a number from 0 to 1: write e.g. `{EXAMPLE}`"));
    }
    share
}

fn startable(word: &Word, errors: &mut Errors) -> Vec<Ident> {
    let mut variants: Vec<Ident> = Vec::new();
    for inner in word.list("variants of the status type", "Ignored", errors).unwrap_or_default() {
        if variants.contains(inner.name()) {
            errors.on(inner.name(), format!("`{}` is written twice: remove one", inner.name()));
        } else if inner.check_alone(errors) {
            variants.push(inner.name().clone());
        }
    }
    variants
}

fn retention(word: &Word, errors: &mut Errors) -> Vec<Retention> {
    let mut kept: Vec<Retention> = Vec::new();
    for inner in word.list("roles and durations", "succeeded = \"30d\"", errors).unwrap_or_default() {
        let name = inner.text();
        let Some((_, role)) = ENDINGS.into_iter().find(|(word, _)| *word == name) else {
            errors.on(inner.name(), no_ending(&name));
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

fn no_ending(name: &str) -> String {
    let endings = ENDINGS.map(|(word, _)| word);
    if ["pending", "in_progress", "failed", "parked"].contains(&name) {
        let choice = suggest::one_of(&endings);
        return format!("`{name}` is no end of a task, and only ended tasks are deleted: write {choice}");
    }
    suggest::unknown(name, &endings)
}
