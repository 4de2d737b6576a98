//! Reads the files of a folder of templates.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{TemplateError, TemplateFile, is_template_kind};

#[derive(Debug, Default)]
pub(super) struct FolderContents {
    pub(super) files: Vec<TemplateFile>,
    pub(super) skipped: Vec<SkippedPath>,
}

/// A file or folder that is not read.
#[derive(Debug)]
pub(super) struct SkippedPath {
    path: PathBuf,
    is_folder: bool,
}

impl SkippedPath {
    /// False for a README or a licence beside the templates.
    pub(super) fn looks_like_template(&self) -> bool {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let stem = name.split('.').next().unwrap_or_default();
        let is_parts = |folder: &Path| folder.file_name().is_some_and(|it| it == "parts");
        self.is_folder
            || is_template_kind(stem)
            || stem == "default"
            || name.contains(".tera")
            || self.path.parent().is_some_and(is_parts)
    }
}

impl fmt::Display for SkippedPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.is_folder {
            true => "only one level of folders is read",
            false => "the name of a template must end with `.tera`",
        };
        write!(f, "{} is not read: {why}", self.path.display())
    }
}

/// Reads every `*.tera` file of a folder and of its subfolders, with any name.
pub(super) fn read(dir: &Path) -> Result<FolderContents, TemplateError> {
    let mut found = FolderContents::default();
    collect(dir, "", &mut found)?;
    Ok(found)
}

fn collect(dir: &Path, prefix: &str, found: &mut FolderContents) -> Result<(), TemplateError> {
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
            found.skipped.push(SkippedPath {
                is_folder: path.is_dir(),
                path,
            });
        }
    }
    Ok(())
}

/// The paths are sorted, so that problems have the same order on every computer.
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
