//! The files of a folder of templates, and what else lies there.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{TemplateError, TemplateFile, is_sort};

#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) files: Vec<TemplateFile>,
    pub(super) strays: Vec<Stray>,
}

/// What is not read.
#[derive(Debug)]
pub(super) struct Stray {
    path: PathBuf,
    is_folder: bool,
}

impl Stray {
    /// Not a README or a licence that lies beside the templates.
    pub(super) fn seems_meant(&self) -> bool {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let stem = name.split('.').next().unwrap_or_default();
        let is_parts = |folder: &Path| folder.file_name().is_some_and(|it| it == "parts");
        self.is_folder
            || is_sort(stem)
            || stem == "default"
            || name.contains(".tera")
            || self.path.parent().is_some_and(is_parts)
    }
}

impl fmt::Display for Stray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.is_folder {
            true => "folders within folders are not looked at",
            false => "a template's name ends in `.tera`",
        };
        write!(f, "{} is not read: {why}", self.path.display())
    }
}

/// Every `*.tera` of a folder and of its subfolders, whatever they are called.
pub(super) fn read(dir: &Path) -> Result<Found, TemplateError> {
    let mut found = Found::default();
    collect(dir, "", &mut found)?;
    Ok(found)
}

fn collect(dir: &Path, prefix: &str, found: &mut Found) -> Result<(), TemplateError> {
    for path in paths(dir).map_err(|error| unreadable(dir, &error))? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_template = path
            .extension()
            .is_some_and(|extension| extension == "tera");
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() && prefix.is_empty() {
            collect(&path, &format!("{name}/"), found)?;
        } else if is_template && !path.is_dir() {
            let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
            found.files.push(TemplateFile {
                name: format!("{prefix}{name}"),
                path,
                text,
            });
        } else {
            found.strays.push(Stray {
                is_folder: path.is_dir(),
                path,
            });
        }
    }
    Ok(())
}

/// Sorted, so that what is wrong is said in the same order everywhere.
fn paths(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let paths = fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = paths.collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn unreadable(path: &Path, error: &io::Error) -> TemplateError {
    TemplateError {
        file: path.display().to_string(),
        line: None,
        problem: format!("cannot be read: {error}"),
    }
}
