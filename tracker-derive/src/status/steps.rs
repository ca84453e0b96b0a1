//! Assigns the variants to the steps of a pipeline. Called by `check`; pure.

use syn::LitStr;

use super::parse::Variant;
use crate::errors::Errors;

/// A step of a pipeline; a type without steps has one without a name.
pub(super) struct Step {
    name: String,
    opened_by: Option<LitStr>,
}

impl Step {
    /// Returns the name; empty for a type without steps.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the literal that opened the step.
    pub fn opened_by(&self) -> Option<&LitStr> {
        self.opened_by.as_ref()
    }

    fn whole() -> Self {
        Self { name: String::new(), opened_by: None }
    }

    fn opened(literal: &LitStr) -> Self {
        Self { name: literal.value(), opened_by: Some(literal.clone()) }
    }
}

/// The steps and their variants.
pub(super) struct Sorting {
    /// At least one step.
    pub steps: Vec<Step>,
    /// The step of each variant.
    pub numbers: Vec<u16>,
    /// False if an error was reported: then roles must not be derived from steps.
    pub sound: bool,
}

/// Assigns variants to steps: a step applies to its variant and to all that follow.
pub(super) fn sort(variants: &[Variant], errors: &mut Errors) -> Sorting {
    let before = errors.count();
    let mut steps: Vec<Step> = Vec::new();
    let mut numbers = Vec::with_capacity(variants.len());
    let mut current = 0;
    for variant in variants {
        if let Some(literal) = &variant.step {
            let name = literal.value();
            let known = steps.iter().position(|step| step.name == name);
            if known.is_none() && steps.is_empty() && !numbers.is_empty() {
                report_first(&variants[0], &name, errors);
            }
            if known.is_some_and(|at| at != current) {
                let text = format!("step {name:?} has ended above: move `{}` up to its other statuses", variant.ident);
                errors.on(literal, text);
            }
            current = known.unwrap_or(steps.len());
            if known.is_none() {
                steps.push(Step::opened(literal));
            }
        }
        // There are at most 1024 statuses, and so at most as many steps.
        numbers.push(u16::try_from(current).unwrap_or(u16::MAX));
    }
    if steps.is_empty() {
        steps.push(Step::whole());
    }
    let sound = errors.count() == before && variants.iter().all(|variant| !variant.step_faulty);
    Sorting { steps, numbers, sound }
}

fn report_first(first: &Variant, later: &str, errors: &mut Errors) {
    if !first.step_faulty {
        let text =
            format!("this status is in no step, and {later:?} below is one: write `#[status(step = \"…\")]` above it");
        errors.on(first.ident, text);
    }
}
