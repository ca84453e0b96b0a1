//! The derives use absolute paths: they need no prelude, and names of the user do not shadow theirs.
#![no_implicit_prelude]
#![allow(dead_code, non_camel_case_types)]
#![deny(warnings)]

pub struct Result;
pub struct Option;
pub struct Vec;
pub struct String;
pub struct Policy;
pub struct Role;
pub struct Duration;
pub mod std {}
pub mod core {}
pub mod tracker_core {}
pub trait Trait {
    fn code(self);
    fn to_key(&self) {}
    fn encoded(&self) {}
    fn finish(self);
}
impl<T> Trait for T {
    fn code(self) {}
    fn finish(self) {}
}

#[derive(::tracker_core::TaskStatus, ::core::clone::Clone, ::core::marker::Copy)]
enum Status {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
    Ignored = 50,
}

#[derive(::tracker_core::TrackedTask, ::serde::Serialize, ::serde::Deserialize)]
#[task(
    status = Status,
    max_attempts = 3,
    max_crashes = 1,
    lease = "5m",
    timeout = "1h",
    backoff = "exponential(1s, 5m)",
    jitter = 0.2,
    retention(succeeded = "30d"),
    startable(Ignored),
    priority = 1,
    history = 1,
    unique(id, index)
)]
struct Task {
    #[task(id)]
    id: ::std::string::String,
    #[task(index, unique)]
    index: ::core::option::Option<::std::string::String>,
    #[task(fingerprint)]
    fingerprint: ::core::primitive::u64,
    #[task(priority)]
    priority: ::core::primitive::u8,
}

/// The derive of serde needs the names of the primitive types; these derives do not.
mod shadowed_primitives {
    pub struct u16;
    pub struct i32;
    pub struct str;

    #[derive(::tracker_core::TaskStatus, ::core::clone::Clone, ::core::marker::Copy)]
    pub enum Status {
        Pending = 10,
        InProgress = 20,
        Failed = 30,
        Succeeded = 40,
    }
}

#[::std::prelude::v1::test]
fn derive_needs_no_imported_name() {
    ::std::assert_eq!(<Task as ::tracker_core::TrackedTask>::KIND, "task");
    ::std::assert!(<Status as ::tracker_core::TaskStatus>::from_code(50).is_some());
}
