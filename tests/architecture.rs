//! Checks the sources: each module uses only itself and the modules before it, names of tests are short, and each file has a header whose
//! names exist.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The folders, lowest first. A folder may use those before it.
const LAYERS: [&str; 8] = ["model", "storage", "engine", "dispatch", "api", "worker", "portable", "maintenance"];

/// The modules of the derives, lowest first; `lib.rs` may use all.
const DERIVE_LAYERS: [&str; 8] =
    ["errors", "suggest", "snake_case", "duration", "attribute", "crate_path", "status", "task"];

/// The modules of the program, lowest first; `main.rs` may use all.
const CLI_LAYERS: [&str; 12] = [
    "exit",
    "error",
    "human_duration",
    "output",
    "file",
    "filter",
    "task",
    "bulk",
    "report",
    "top",
    "commands",
    "args",
];

/// The modules of the dashboard, lowest first; `lib.rs` may use all.
const WEB_LAYERS: [&str; 14] = [
    "source",
    "failure",
    "format",
    "params",
    "model",
    "command",
    "html",
    "access",
    "site",
    "events",
    "guard",
    "routes",
    "dashboard",
    "serve",
];

/// The modules of the store on PostgreSQL, lowest first; `lib.rs` may use all.
const POSTGRES_LAYERS: [&str; 22] = [
    "address",
    "wire",
    "sql",
    "keys",
    "edits",
    "claim_starts",
    "load",
    "found",
    "error",
    "numbers",
    "pool",
    "options",
    "schema",
    "layout",
    "views",
    "shared",
    "listener",
    "check",
    "commit",
    "unit",
    "store",
    "caller",
];

/// Files that may use a later folder, each with the reason.
const EXCEPTIONS: [(&str, &str, &str); 0] = [];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Removes comments, so that links in documentation do not count.
fn code_of(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Returns the first path segments after each `crate::` of a file, also those in braces.
fn used_folders(code: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        let Some(list) = rest.strip_prefix('{') else {
            used.extend(first_segment(rest));
            continue;
        };
        let mut depth = 0;
        let mut item = 0;
        for (index, c) in list.char_indices() {
            match c {
                '{' => depth += 1,
                '}' | ',' if depth == 0 => {
                    used.extend(first_segment(list[item..index].trim_start()));
                    item = index + 1;
                    if c == '}' {
                        break;
                    }
                }
                '}' => depth -= 1,
                _ => {}
            }
        }
    }
    used
}

fn first_segment(path: &str) -> Option<String> {
    let name: String = path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!name.is_empty()).then_some(name)
}

fn layer_of(name: &str) -> Option<usize> {
    position(name, &LAYERS)
}

fn position(module: &str, layers: &[&str]) -> Option<usize> {
    layers.iter().position(|layer| *layer == module.trim_end_matches(".rs"))
}

/// Finds the imports of a crate against the order of its modules, and exceptions that no file needs.
fn imports_against_the_order(source: &str, layers: &[&str], exceptions: &[(&str, &str, &str)]) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(source);
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut wrong = Vec::new();
    let mut unused = exceptions.to_vec();
    for file in files {
        let name = file.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
        let module = name.split('/').next().unwrap();
        if ["lib.rs", "main.rs"].contains(&module) {
            continue;
        }
        let Some(own) = position(module, layers) else {
            wrong.push(format!("{name} is in no layer"));
            continue;
        };
        for used in used_folders(&code_of(&fs::read_to_string(&file).unwrap())) {
            let is_later = position(&used, layers).is_none_or(|layer| layer > own);
            let excepted = exceptions.iter().any(|(from, to, _)| *from == name && *to == used);
            if is_later && excepted {
                unused.retain(|(from, to, _)| *from != name || *to != used);
            } else if is_later {
                wrong.push(format!("{name} uses {used}"));
            }
        }
    }
    wrong.extend(unused.into_iter().map(|(name, to, _)| format!("{name} needs no exception for {to}")));
    wrong
}

/// Every file below a layer, with the layers that it uses.
fn uses() -> BTreeMap<String, BTreeSet<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tracker-core/src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut uses = BTreeMap::new();
    for file in files {
        let name = file.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
        if layer_of(name.split('/').next().unwrap_or_default()).is_some() {
            let folders = used_folders(&code_of(&fs::read_to_string(&file).unwrap()));
            uses.insert(name, folders.into_iter().filter(|folder| layer_of(folder).is_some()).collect());
        }
    }
    uses
}

#[test]
fn folders_use_only_earlier_folders() {
    let uses = uses();
    assert!(uses.len() > 100, "{} files were found", uses.len());
    let mut wrong = Vec::new();
    for (file, used) in &uses {
        let own = layer_of(file.split('/').next().unwrap());
        for layer in used {
            let excepted = EXCEPTIONS.iter().any(|(name, to, _)| name == file && to == layer);
            if layer_of(layer) > own && !excepted {
                wrong.push(format!("{file} uses {layer}"));
            }
        }
    }
    assert!(wrong.is_empty(), "imports against the order {LAYERS:?}:\n{}", wrong.join("\n"));
}

#[test]
fn every_source_file_belongs_to_a_layer() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tracker-core/src");
    let known: BTreeSet<&str> = LAYERS.into_iter().chain(["lib.rs", "public.rs", "__private.rs", "fuzz.rs"]).collect();
    for entry in fs::read_dir(root).unwrap() {
        let name = entry.unwrap().file_name();
        assert!(known.contains(name.to_str().unwrap()), "{name:?} is in no layer: move it, or add it to LAYERS");
    }
}

#[test]
fn modules_of_other_crates_use_only_earlier_modules() {
    let none: Vec<String> = Vec::new();
    assert_eq!(imports_against_the_order("tracker-derive/src", &DERIVE_LAYERS, &[]), none);
    assert_eq!(imports_against_the_order("tracker-cli/src", &CLI_LAYERS, &[]), none);
    assert_eq!(imports_against_the_order("tracker-web/src", &WEB_LAYERS, &[]), none);
    assert_eq!(imports_against_the_order("tracker-postgres/src", &POSTGRES_LAYERS, &[]), none);
}

#[test]
fn used_folders_finds_paths_in_every_form() {
    let code =
        "use crate::{api::{a, b::{c}}, engine, model::x};\nfn f() { crate::storage::g(); other_crate::worker::h(); }";
    let expected = ["api", "engine", "model", "storage"].map(String::from);
    assert_eq!(used_folders(code), BTreeSet::from(expected));
    assert_eq!(used_folders(&code_of("// use crate::worker::X;\nuse super::y;")), BTreeSet::new());
}

/// The longest name of a test, in bytes.
const LONGEST_TEST_NAME: usize = 60;

/// Returns the names of the functions with a test attribute.
fn test_names(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[") {
            is_test |= line.starts_with("#[test]") || line.contains("::test]") || line.contains("::test(");
        } else if is_test && !line.starts_with("//") {
            let name = line.split("fn ").nth(1).and_then(|rest| rest.split('(').next());
            names.extend(name);
            is_test = false;
        }
    }
    names
}

#[test]
fn names_of_tests_have_at_most_60_bytes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders =
        ["tests", "benches", "tracker-core", "tracker-derive", "tracker-cli", "tracker-web", "tracker-postgres"];
    let mut files = Vec::new();
    for folder in folders {
        sources(&root.join(folder), &mut files);
    }
    let (mut count, mut long) = (0, Vec::new());
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let names = test_names(&text);
        count += names.len();
        let too_long = names.into_iter().filter(|name| name.len() > LONGEST_TEST_NAME);
        long.extend(too_long.map(|name| format!("{}: {name}", file.strip_prefix(root).unwrap().display())));
    }
    assert!(count > 900, "{count} tests were found");
    assert!(long.is_empty(), "names with more than {LONGEST_TEST_NAME} bytes:\n{}", long.join("\n"));
}

#[test]
fn test_names_finds_every_form_of_test() {
    let code = "#[test]\nfn a() {}\nfn b() {}\n#[tokio::test(start_paused = true)]\n/// Text.\nasync fn c() {}\n\
                #[::std::prelude::v1::test]\n#[ignore]\nfn d() {}\n#[cfg(test)]\nmod tests {}";
    assert_eq!(test_names(code), ["a", "c", "d"]);
}

/// The crates whose files begin with a header: what the file does, what calls it, and what it touches.
const CRATES_WITH_HEADERS: [&str; 5] =
    ["tracker-core", "tracker-derive", "tracker-cli", "tracker-web", "tracker-postgres"];

/// Returns the first paragraph of the header of a file.
fn header_of(text: &str) -> String {
    let lines = text.lines().map_while(|line| line.strip_prefix("//!"));
    lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// Returns the names of types, functions and modules that a header has between backticks. Other words there are no names: commands, SQL, paths.
fn names_in(header: &str) -> impl Iterator<Item = &str> {
    let quoted = header.split('`').skip(1).step_by(2);
    let is_name = |text: &&str| {
        let starts_as_type = text.starts_with(char::is_uppercase) && text.contains(char::is_lowercase);
        (starts_as_type || text.contains('_')) && !text.contains([' ', '.'])
    };
    quoted.filter(is_name).flat_map(words)
}

#[test]
fn each_file_has_a_header_whose_names_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for name in CRATES_WITH_HEADERS {
        sources(&root.join(name).join("src"), &mut files);
    }
    let texts: Vec<_> = files.iter().map(|file| (file, fs::read_to_string(file).unwrap())).collect();
    let code: Vec<_> = texts.iter().map(|(_, text)| code_of(text)).collect();
    let mut known: BTreeSet<&str> = code.iter().flat_map(|code| words(code)).collect();
    known.extend(files.iter().flat_map(|file| words(file.to_str().unwrap())));
    let (mut count, mut wrong) = (0, Vec::new());
    for (file, text) in &texts {
        let (file, header) = (file.strip_prefix(root).unwrap().display(), header_of(text));
        if header.is_empty() {
            wrong.push(format!("{file}: no header"));
        }
        let names: Vec<_> = names_in(&header).collect();
        count += names.len();
        let unknown = names.into_iter().filter(|name| !known.contains(name));
        wrong.extend(unknown.map(|name| format!("{file}: nothing is called {name:?}")));
    }
    assert!(count > 500, "{count} names were found in headers");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn names_in_finds_types_and_paths() {
    let header = "Calls `Tasks::run`, `LISTEN`, `read_line`, `a.rs`, `api/live_x` and `tracker run`.";
    assert_eq!(names_in(header).collect::<Vec<_>>(), ["Tasks", "run", "read_line", "api", "live_x"]);
}
