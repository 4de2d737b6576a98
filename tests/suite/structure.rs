//! The folders of `src`, and which folders each may import from.

use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

/// The layers, from the programs down. A folder may import from itself and from the folders below it. The folders of
/// one row may not import from each other.
const LAYERS: [&[&str]; 8] = [
    &["bin"],
    &["env_file"],
    &["notifier", "runner"],
    &["config"],
    &["aws"],
    &["http"],
    &["ecs"],
    &["text"],
];

/// The stages without I/O must not use these.
const IMPURE: [&str; 8] = [
    "aws_sdk",
    "aws_config",
    "aws_smithy",
    "reqwest",
    "tokio",
    "std::fs",
    "std::env",
    "SystemTime::now",
];

fn layer(folder: &str) -> usize {
    let found = LAYERS.iter().position(|row| row.contains(&folder));
    found.unwrap_or_else(|| panic!("{folder} is in no layer"))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(rust_files(&path)),
            false => found.extend(
                path.extension()
                    .is_some_and(|it| it == "rs")
                    .then_some(path),
            ),
        }
    }
    found
}

/// For each file: its top-level folder, its path, and the folders that it names in `crate::…` or `ecs_parrot::…`.
fn imports() -> Vec<(String, PathBuf, Vec<String>)> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    // Comments are left out: a link in documentation may name a folder above.
    let import = Regex::new(r"(?m)^[^/\n]*?\b(?:crate|ecs_parrot)::([a-z_]+)").unwrap();
    let files = rust_files(&source).into_iter().filter_map(|path| {
        let relative = path.strip_prefix(&source).unwrap();
        let folder = relative.iter().next().unwrap().to_str().unwrap();
        let folder = folder.trim_end_matches(".rs").to_owned();
        if folder == "lib" {
            return None;
        }
        let text = fs::read_to_string(&path).unwrap();
        // A list after `crate::` would hide what it names.
        assert!(
            !text.contains("crate::{") && !text.contains("ecs_parrot::{"),
            "{path:?}"
        );
        let is_program = folder == "bin";
        let named = import.captures_iter(&text).filter_map(|it| {
            // In a program, `crate` is the program itself.
            let is_own = is_program && it[0].contains("crate::");
            (!is_own).then(|| it[1].to_owned())
        });
        Some((folder, relative.to_owned(), named.collect()))
    });
    files.collect()
}

#[test]
fn imports_go_one_way() {
    let imports = imports();
    assert!(imports.len() > 150, "{}", imports.len());
    for (folder, file, named) in imports {
        for other in named {
            assert!(
                other == folder || layer(&folder) < layer(&other),
                "src/{} imports {other}, which is in the same layer as {folder} or above it",
                file.display()
            );
        }
    }
}

#[test]
fn the_stages_that_read_events_do_no_io() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for folder in [
        "ecs",
        "text",
        "notifier/policy",
        "notifier/thread",
        "notifier/group",
        "notifier/render/context",
    ] {
        let files = rust_files(&source.join(folder));
        assert!(!files.is_empty(), "{folder}");
        let is_test = |file: &Path| {
            file.iter()
                .any(|part| part == "tests" || part == "tests.rs")
        };
        for file in files
            .into_iter()
            .filter(|it| !is_test(it.strip_prefix(&source).unwrap()))
        {
            let text = fs::read_to_string(&file).unwrap();
            for word in IMPURE {
                assert!(!text.contains(word), "{} names {word}", file.display());
            }
        }
    }
}
