//! Reads payloads from files, folders and standard input. An input that cannot be read does not stop the others.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::Value;

/// A payload, with its name in the output.
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

fn read_folder(folder: &Path) -> Vec<Input> {
    match files_of(folder) {
        Ok(paths) => paths.iter().map(|path| read_file(path)).collect(),
        Err(error) => vec![Input::new(shown(folder), Err(error))],
    }
}

/// The `*.json` files of the folder, sorted by name. Files of its subfolders are not read.
pub(crate) fn files_of(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let listed = fs::read_dir(folder).and_then(|entries| {
        entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect()
    });
    let mut paths: Vec<PathBuf> = listed.map_err(|error| cannot_read(&error))?;
    paths.retain(|path| path.is_file() && path.extension().is_some_and(|it| it == "json"));
    paths.sort();
    match paths.is_empty() {
        true => Err("there is no *.json file in this folder".to_owned()),
        false => Ok(paths),
    }
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

/// Prints which inputs failed. It is the last line of the output, because an earlier one is easily overlooked.
pub(crate) fn conclude(failed: &[String], all: usize) -> ExitCode {
    if failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    let (count, names) = (failed.len(), failed.join(", "));
    anstream::eprintln!("ecs-parrot: {count} of {all} went wrong: {names}");
    ExitCode::FAILURE
}

impl Input {
    fn new(name: String, bytes: Result<Vec<u8>, String>) -> Self {
        Self {
            name,
            payload: bytes.and_then(|bytes| parse(&bytes)),
        }
    }
}

/// Parses JSON as editors and shells write it, for example with a byte order mark.
fn parse(bytes: &[u8]) -> Result<Value, String> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err("it is UTF-16; expected UTF-8".to_owned());
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.trim_ascii().is_empty() {
        return Err("it is empty".to_owned());
    }
    let mut documents = serde_json::Deserializer::from_slice(bytes).into_iter::<Value>();
    match (documents.next(), documents.next()) {
        (Some(Ok(payload)), None) => Ok(payload),
        (Some(Ok(_)), Some(Ok(_))) => Err(
            "it contains more than one JSON document; put them into one list, for example with `jq -s .`"
                .to_owned(),
        ),
        (Some(Err(error)), _) | (_, Some(Err(error))) => Err(format!("not JSON: {error}")),
        (None, _) => Err("it is empty".to_owned()),
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn cannot_read(error: &std::io::Error) -> String {
    format!("cannot be read: {error}")
}
