//! Reads payloads from files, folders and standard input; what cannot be read does not stop the others.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// A payload with the name that it goes by in the output.
pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) payload: Result<Value, String>,
}

pub(crate) fn read(paths: &[PathBuf]) -> Vec<Input> {
    paths.iter().flat_map(|path| read_path(path)).collect()
}

fn read_path(path: &Path) -> Vec<Input> {
    if path == Path::new("-") {
        vec![Input::new("-".to_owned(), standard_input())]
    } else if path.is_dir() {
        read_folder(path)
    } else {
        vec![read_file(path)]
    }
}

/// The folder's own `*.json`, by name; not those of its subfolders.
fn read_folder(folder: &Path) -> Vec<Input> {
    let listed = fs::read_dir(folder).and_then(|entries| {
        entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect()
    });
    let mut paths: Vec<PathBuf> = match listed {
        Ok(paths) => paths,
        Err(error) => return vec![Input::new(shown(folder), Err(cannot_read(&error)))],
    };
    paths.retain(|path| path.is_file() && path.extension().is_some_and(|it| it == "json"));
    paths.sort();
    if paths.is_empty() {
        return vec![Input::new(
            shown(folder),
            Err("there is no *.json in this folder".to_owned()),
        )];
    }
    paths.iter().map(|path| read_file(path)).collect()
}

fn read_file(path: &Path) -> Input {
    Input::new(
        shown(path),
        fs::read(path).map_err(|error| cannot_read(&error)),
    )
}

fn standard_input() -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .read_to_end(&mut bytes)
        .map_err(|error| cannot_read(&error))?;
    Ok(bytes)
}

impl Input {
    fn new(name: String, bytes: Result<Vec<u8>, String>) -> Self {
        let payload = bytes.and_then(|bytes| {
            serde_json::from_slice(&bytes).map_err(|error| format!("not JSON: {error}"))
        });
        Self { name, payload }
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn cannot_read(error: &std::io::Error) -> String {
    format!("cannot be read: {error}")
}
