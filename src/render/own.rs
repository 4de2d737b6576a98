//! The operator's own templates: the files of `TEMPLATES_DIR`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use strum::VariantArray;
use tera::Tera;

use super::{Dialect, SUMMARY, Sort, TemplateError, built_in};
use crate::notice::Kind;

/// A template as it was read: its name in the lookup, where it stands, and its text.
#[derive(Debug, Clone)]
pub struct TemplateFile {
    pub name: String,
    pub path: PathBuf,
    pub text: String,
}

/// The operator's files over the built-in ones, compiled for every dialect.
pub struct OwnTemplates {
    files: BTreeMap<String, TemplateFile>,
    compiled: Vec<Tera>,
}

impl OwnTemplates {
    /// Reads and compiles every `*.tera` of a folder and of its subfolders named after a channel or `parts`.
    ///
    /// # Errors
    ///
    /// [`TemplateError`] for a file that cannot be read or does not compile, and for one whose name nothing
    /// would ever look up.
    pub fn read(dir: &Path) -> Result<Self, TemplateError> {
        let mut files = Vec::new();
        collect(dir, "", &mut files)?;
        Self::compile(files)
    }

    /// # Errors
    ///
    /// As [`OwnTemplates::read`].
    pub fn compile(files: Vec<TemplateFile>) -> Result<Self, TemplateError> {
        let files: BTreeMap<_, _> = files
            .into_iter()
            .map(|file| (file.name.clone(), file))
            .collect();
        files.values().try_for_each(check_name)?;
        let compiled = Dialect::VARIANTS
            .iter()
            .map(|dialect| compile(*dialect, &files))
            .collect::<Result<_, _>>()?;
        Ok(Self { files, compiled })
    }

    pub(super) fn tera(&self, dialect: Dialect) -> &Tera {
        &self.compiled[dialect as usize]
    }

    pub(super) fn path_of(&self, name: &str) -> Option<String> {
        self.files
            .get(name)
            .map(|file| file.path.display().to_string())
    }

    /// Where a name is used first, in a template or in one of the operator's parts.
    pub(super) fn place_of(&self, template: &str, name: &str) -> Option<(String, usize)> {
        let parts = self
            .files
            .values()
            .filter(|file| file.name.starts_with("parts/"));
        self.files
            .get(template)
            .into_iter()
            .chain(parts)
            .find_map(|file| {
                let mut words = file.text.lines().map(|line| {
                    line.split(|c: char| !c.is_alphanumeric() && c != '_')
                        .any(|word| word == name)
                });
                Some((
                    file.path.display().to_string(),
                    words.position(|found| found)? + 1,
                ))
            })
    }
}

/// All built-in templates with the operator's in their place: a part that is overridden serves every kind.
fn compile(
    dialect: Dialect,
    files: &BTreeMap<String, TemplateFile>,
) -> Result<Tera, TemplateError> {
    let mut sources: BTreeMap<String, &str> = built_in::parts().into_iter().collect();
    let kinds = Kind::VARIANTS.iter().copied().map(Sort::Of);
    for sort in kinds.chain([Sort::Summary]) {
        sources.extend(built_in::of(sort));
    }
    sources.extend(
        files
            .iter()
            .map(|(name, file)| (name.clone(), file.text.as_str())),
    );
    dialect.compile(sources).map_err(|error| {
        TemplateError::read(&error, &|name| match files.get(name) {
            Some(file) => file.path.display().to_string(),
            None => format!("built-in {name}"),
        })
    })
}

fn collect(dir: &Path, prefix: &str, files: &mut Vec<TemplateFile>) -> Result<(), TemplateError> {
    let unreadable = |path: &Path, error: &std::io::Error| TemplateError {
        file: path.display().to_string(),
        line: None,
        problem: format!("cannot be read: {error}"),
    };
    let entries = fs::read_dir(dir).map_err(|error| unreadable(dir, &error))?;
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unreadable(dir, &error))?;
    paths.sort();
    for path in paths {
        let file_name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if file_name.starts_with('.') {
            continue;
        }
        if path.is_dir() && prefix.is_empty() {
            collect(&path, &format!("{file_name}/"), files)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "tera")
        {
            let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
            files.push(TemplateFile {
                name: format!("{prefix}{file_name}"),
                path,
                text,
            });
        }
    }
    Ok(())
}

fn is_sort(name: &str) -> bool {
    name == SUMMARY || Kind::from_str(name).is_ok()
}

/// A template under a name that is never looked up would be silently useless.
fn check_name(file: &TemplateFile) -> Result<(), TemplateError> {
    let stem = file.name.trim_end_matches(".tera");
    let fits = match stem.split_once('/') {
        Some(("parts", _)) => true,
        Some((channel, sort)) => Dialect::from_str(channel).is_ok() && is_sort(sort),
        None => stem == "default" || is_sort(stem),
    };
    if fits {
        return Ok(());
    }
    let kinds: Vec<&str> = Kind::VARIANTS.iter().map(Into::into).collect();
    let channels: Vec<&str> = Dialect::VARIANTS.iter().map(Into::into).collect();
    Err(TemplateError {
        file: file.path.display().to_string(),
        line: None,
        problem: format!(
            "no message looks for a template of this name; it is `KIND.tera`, `CHANNEL/KIND.tera`, `summary.tera`, `default.tera` or `parts/….tera`, KIND one of {}, CHANNEL one of {}",
            kinds.join(", "),
            channels.join(", ")
        ),
    })
}
