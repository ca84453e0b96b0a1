//! What the rules promise: rule by rule as stories, and over every sequence of commands on small machines.

mod alphabet;
mod changes;
mod enumerate;
mod invariants;
mod machines;
mod refusals;
mod scene;
mod stories;
