use syn::LitStr;

use super::parse::Variant;
use crate::errors::Errors;

/// A stage of a pipeline, or the whole of a type that has no stages.
pub(super) struct Step {
    name: String,
    opened_by: Option<LitStr>,
}

impl Step {
    /// Its name; empty where there are no steps.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text that named it first.
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

/// Where the statuses belong.
pub(super) struct Sorting {
    /// The steps in their order; at least one.
    pub steps: Vec<Step>,
    /// Each variant's position among them.
    pub numbers: Vec<u16>,
    /// Whether each variant is where its author wants it. If not, roles were judged in the wrong step.
    pub sound: bool,
}

/// Sorts the variants into steps: a step holds for its variant and all that follow.
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
        // The check lets no more than 1024 statuses pass, and so no more steps.
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
