//! The tracker as its users see it: one module per behaviour.

mod crashes;
mod disk;
mod story;
