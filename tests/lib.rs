//! The root package holds examples, tests and benchmarks; it has no library of its own.
