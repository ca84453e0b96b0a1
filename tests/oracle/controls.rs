//! The checker can fail: each wrong log is rejected.

use std::path::Path;

pub fn run_child(_name: &str, _file: &Path, what: &str) {
    panic!("unknown role {what}");
}
