//! Tests of the rules: one by one in `rules/`, and over every sequence of commands on small status graphs.

mod changes;
mod commands;
mod enumerate;
mod invariants;
mod machines;
mod refusals;
mod rules;
mod task_fixture;
