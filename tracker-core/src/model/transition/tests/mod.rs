//! Tests of the rules: by example in `rules/`, and over every sequence of commands on small status graphs, which `enumerate` explores. In
//! memory only.

mod changes;
mod commands;
mod enumerate;
mod invariants;
mod machines;
mod refusals;
mod rules;
mod task_fixture;
