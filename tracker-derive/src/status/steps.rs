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

/// The steps in their order, and each variant's position among them.
pub(super) fn sort(variants: &[Variant], errors: &mut Errors) -> (Vec<Step>, Vec<u16>) {
    let mut steps: Vec<Step> = Vec::new();
    let mut numbers = Vec::with_capacity(variants.len());
    for variant in variants {
        if let Some(literal) = &variant.step {
            let name = literal.value();
            match steps.iter().position(|step| step.name == name) {
                None => {
                    if steps.is_empty() && !numbers.is_empty() {
                        report_first(&variants[0], &name, errors);
                    }
                    steps.push(Step::opened(literal));
                }
                Some(at) if at + 1 == steps.len() => {}
                Some(_) => {
                    let text =
                        format!("step {name:?} has ended above: move `{}` up to its other statuses", variant.ident);
                    errors.on(literal, text);
                }
            }
        }
        // No more than 1024 statuses, and so no more steps, pass the check.
        numbers.push(u16::try_from(steps.len().saturating_sub(1)).unwrap_or(u16::MAX));
    }
    if steps.is_empty() {
        steps.push(Step::whole());
    }
    (steps, numbers)
}

fn report_first(first: &Variant, later: &str, errors: &mut Errors) {
    if !first.faulty {
        let text =
            format!("this status is in no step, and {later:?} below is one: write `#[status(step = \"…\")]` above it");
        errors.on(first.ident, text);
    }
}
