//! Checks licences, sources and bans of the dependencies against the lists below. It reads `cargo metadata` and
//! `cargo tree` without the network. `cargo deny` would do the same, but takes a C compiler and minutes to install.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{collections::BTreeSet, path::Path, process::Command, sync::LazyLock};

use serde::Deserialize;

/// Licences that a program under any licence may depend on.
const LICENSES: [&str; 12] = [
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "ISC",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "Unlicense",
    "WTFPL",
    "Zlib",
];

/// The only source of crates outside of this workspace.
const SOURCE: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Crates that no default member may depend on, each with the reason.
const BANNED: [(&str, &str); 12] = [
    ("cc", "compiles C: this workspace builds without a C compiler"),
    ("cmake", "compiles C"),
    ("bindgen", "needs clang"),
    ("openssl-sys", "links a system library"),
    ("libsqlite3-sys", "compiles C"),
    ("libz-sys", "compiles C"),
    ("ring", "compiles C"),
    ("aws-lc-sys", "compiles C"),
    ("hyper", "heavy: for crates outside of the default members"),
    ("sqlx", "heavy: for crates outside of the default members"),
    ("tokio-postgres", "heavy: for crates outside of the default members"),
    ("winit", "heavy: for crates outside of the default members"),
];

/// Default members that depend on a banned crate, each with the reason.
const EXCEPTIONS: [(&str, &str, &str); 1] =
    [("tracker-cli", "hyper", "the server of the dashboard, which a build without the feature `serve` leaves out")];

/// Crates that may link a native library, each with the reason. [`BANNED`] keeps them out of the default members.
const LINKING: [(&str, &str); 1] =
    [("ring", "brings its own C and assembler code; the encryption of tracker-postgres")];

/// Crates that a fresh look would replace, kept at one version for the stated reason.
const PINNED: [(&str, &str, &str); 1] = [(
    "bincode",
    "2.0.1",
    "the last release that encodes, and its project has ended; it is used in storage/encoding only, docs/format.md states \
     its bytes, and the decoder runs under a size limit and a fuzzer",
)];

/// Crates that the documentation calls part of a default build of tracker-core, itself included.
const CORE_CRATES: usize = 34;

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_default_members: Vec<String>,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
    links: Option<String>,
    manifest_path: String,
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--offline", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Every package that this system builds, with all features.
static METADATA: LazyLock<Metadata> = LazyLock::new(|| {
    let host = host();
    let text = cargo(&["metadata", "--format-version", "1", "--all-features", "--filter-platform", &host]);
    let metadata: Metadata = serde_json::from_str(&text).unwrap();
    assert!(metadata.packages.len() > 100, "{} packages were found", metadata.packages.len());
    metadata
});

fn host() -> String {
    let version = Command::new(env!("CARGO")).args(["--version", "--verbose"]).output().unwrap();
    let text = String::from_utf8(version.stdout).unwrap();
    text.lines().find_map(|line| line.strip_prefix("host: ")).expect("cargo names its host").to_owned()
}

/// Names of the crates that a build of `package` compiles, itself included.
fn tree(package: &str, edges: &str) -> BTreeSet<String> {
    let text = cargo(&["tree", "--package", package, "--edges", edges, "--prefix", "none", "--format", "{p}"]);
    text.lines().filter_map(|line| line.split(" (").next()).map(str::to_owned).filter(|line| !line.is_empty()).collect()
}

/// Evaluates an SPDX expression: one licence of each `OR` must be allowed, and both sides of each `AND`.
fn is_allowed(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    let allowed = either(&mut words);
    assert!(words.next().is_none(), "cannot read the licence {expression:?}");
    allowed
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn either(words: &mut Words<'_>) -> bool {
    let mut allowed = both(words);
    while words.next_if_eq(&"OR").is_some() {
        allowed |= both(words);
    }
    allowed
}

fn both(words: &mut Words<'_>) -> bool {
    let mut allowed = license(words);
    while words.next_if_eq(&"AND").is_some() {
        allowed &= license(words);
    }
    allowed
}

fn license(words: &mut Words<'_>) -> bool {
    let mut name = words.next().expect("a licence").to_owned();
    if name == "(" {
        let allowed = either(words);
        assert_eq!(words.next(), Some(")"));
        return allowed;
    }
    if words.next_if_eq(&"WITH").is_some() {
        name = format!("{name} WITH {}", words.next().expect("an exception"));
    }
    LICENSES.contains(&name.as_str())
}

#[test]
fn every_license_is_allowed() {
    let mut wrong = Vec::new();
    for package in &METADATA.packages {
        if !package.license.as_deref().is_some_and(is_allowed) {
            wrong.push(format!("{} {}: {:?}", package.name, package.version, package.license));
        }
    }
    assert!(wrong.is_empty(), "licences that are not in LICENSES:\n{}", wrong.join("\n"));
}

#[test]
fn every_crate_comes_from_crates_io_or_the_workspace() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for package in &METADATA.packages {
        match package.source.as_deref() {
            Some(source) => assert_eq!(source, SOURCE, "{}", package.name),
            None => assert!(Path::new(&package.manifest_path).starts_with(root), "{} is a path", package.name),
        }
    }
}

#[test]
fn default_members_use_no_banned_crate() {
    let members: Vec<&Package> =
        METADATA.packages.iter().filter(|package| METADATA.workspace_default_members.contains(&package.id)).collect();
    assert!(members.iter().any(|member| member.name == "tracker-core"));
    for member in members {
        let crates = tree(&member.name, "normal,build,dev");
        for (name, reason) in BANNED {
            let used = crates.iter().any(|used| used.split(' ').next() == Some(name));
            let is_excepted = EXCEPTIONS.iter().any(|(by, of, _)| *by == member.name && *of == name);
            assert_eq!(used, is_excepted, "{} uses {name}, or EXCEPTIONS is outdated: {reason}", member.name);
        }
    }
}

#[test]
fn no_crate_links_a_native_library() {
    let linking =
        METADATA.packages.iter().filter(|package| package.links.is_some()).map(|package| package.name.as_str());
    let linking: Vec<_> = linking.filter(|name| LINKING.iter().all(|(allowed, _)| name != allowed)).collect();
    assert!(linking.is_empty(), "{linking:?}");
}

#[test]
fn pinned_crates_have_their_version() {
    for (name, version, reason) in PINNED {
        let found: Vec<&str> =
            METADATA.packages.iter().filter(|p| p.name == name).map(|p| p.version.as_str()).collect();
        assert_eq!(found, [version], "{name} is pinned: {reason}");
    }
}

#[test]
fn core_without_features_has_no_runtime() {
    let crates = tree("tracker-core", "normal,build");
    assert!(!crates.iter().any(|name| name.starts_with("tokio")), "{crates:?}");
    assert!(crates.len() <= CORE_CRATES, "{} crates, README.md states {CORE_CRATES}: {crates:#?}", crates.len());
}

#[test]
fn license_expressions_follow_or_and_and() {
    for allowed in ["MIT", "MIT/Apache-2.0", "GPL-3.0 OR MIT", "(GPL-3.0 OR MIT) AND Zlib", "MIT AND (Zlib)"] {
        assert!(is_allowed(allowed), "{allowed}");
    }
    let refused = ["GPL-3.0", "MIT AND GPL-3.0", "Apache-2.0 WITH Other", "(MIT AND GPL-3.0) OR GPL-2.0", "mit"];
    for expression in refused {
        assert!(!is_allowed(expression), "{expression}");
    }
}
