//! The operator's own templates: the files in `TEMPLATES_DIR`.
//!
//! A file that no message can use is reported. It is an error if its name is unknown, or if the folder contains no file
//! that can be used. Otherwise it is a warning.

mod folder;
mod tags;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::OnceLock;

use strum::VariantArray;
use tera::Tera;

use super::functions::compile;
use super::{TemplateError, TemplateKind, View, built_in, names_of_kind};
use crate::notifier::channel::ChannelType;
use crate::notifier::tag_keys::TagKeys;
use crate::text::spelling::nearest;

/// A template file: its name in the lookup, its path and its text.
#[derive(Debug, Clone)]
pub struct TemplateFile {
    pub name: String,
    pub path: PathBuf,
    pub text: String,
}

/// The operator's templates together with the built-in ones. They are compiled for each channel type on first use.
pub struct OwnTemplates {
    files: BTreeMap<String, TemplateFile>,
    /// By [`View::index`], made on first use.
    compiled: Vec<OnceLock<Result<Tera, TemplateError>>>,
    warnings: Vec<String>,
}

impl OwnTemplates {
    /// Reads and compiles every `*.tera` of a folder and of its subfolders named after a channel or `parts`.
    ///
    /// # Errors
    ///
    /// [`TemplateError`] if a file cannot be read or does not compile, if its name is unknown, or if the folder contains no
    /// file that can be used.
    pub fn read(dir: &Path) -> Result<Self, TemplateError> {
        let found = folder::read(dir)?;
        let skipped = found.skipped.iter().map(|it| it.to_string());
        if found.files.is_empty() {
            let skipped: Vec<_> = skipped.collect();
            return Err(unusable(dir, "it contains no template", &skipped));
        }
        let mut own = Self::compile(found.files)?;
        let unused = own.unused();
        if unused.len() == own.files.len() {
            return Err(unusable(dir, "none of its templates is ever used", &unused));
        }
        let skipped = found.skipped.iter().filter(|it| it.looks_like_template());
        let skipped = skipped.map(ToString::to_string);
        own.warnings = skipped.chain(unused).collect();
        Ok(own)
    }

    pub(super) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The name of the operator's template for a kind and a channel type.
    pub(super) fn name_in_use(
        &self,
        channel: ChannelType,
        template: TemplateKind,
    ) -> Option<String> {
        let names = names_of_kind(channel, template.name());
        names.into_iter().find(|name| self.files.contains_key(name))
    }

    /// The names and paths of the operator's parts.
    pub(super) fn parts_in_use(&self) -> impl Iterator<Item = (String, String)> {
        let used = self.used();
        let parts = self.files.values();
        let parts =
            parts.filter(move |it| it.name.starts_with("parts/") && used.contains(&it.name));
        parts.map(|it| {
            let name = it.name.trim_end_matches(".tera").to_owned();
            (name, it.path.display().to_string())
        })
    }

    /// The keys of the tags that the templates in use name.
    pub(super) fn tag_keys(&self) -> TagKeys {
        let used = self.used();
        let files = self.files.values().filter(|it| used.contains(&it.name));
        let mut keys = TagKeys::default();
        files.for_each(|it| keys.add(tags::tag_keys(&it.text)));
        keys
    }

    /// The files that no message can use, and the reasons.
    fn unused(&self) -> Vec<String> {
        let used = self.used();
        let unused = self.files.values().filter(|it| !used.contains(&it.name));
        unused.map(|file| {
            let why = match file.name.split_once('/') {
                Some(("parts", _)) => "no template that is used includes it",
                None if file.name == "default.tera" => {
                    "each kind has its own template, which comes first; name the file after a kind, such as `stop_task.tera`"
                }
                Some(_) | None => "each channel type has its own template for this kind",
            };
            format!("{} is never used: {why}", file.path.display())
        })
        .collect()
    }

    /// The names of all templates in use, the operator's and the built-in ones, and of the parts that they include.
    fn used(&self) -> BTreeSet<String> {
        let mut texts = built_in_texts();
        let own = self.files.values();
        texts.extend(own.map(|file| (file.name.clone(), file.text.as_str())));
        let mut used = BTreeSet::new();
        let mut open: Vec<_> = ChannelType::VARIANTS
            .iter()
            .flat_map(|channel| TemplateKind::all().map(|template| (*channel, template)))
            .map(|(channel, template)| {
                let own = self.name_in_use(channel, template);
                own.unwrap_or_else(|| format!("{}.tera", template.name()))
            })
            .collect();
        while let Some(name) = open.pop() {
            let Some(text) = texts.get(&name).filter(|_| used.insert(name)) else {
                continue;
            };
            let mentioned = texts.keys().filter(|it| {
                ["\"", "'", "`"]
                    .iter()
                    .any(|quote| text.contains(&format!("{quote}{it}{quote}")))
            });
            open.extend(mentioned.cloned());
        }
        used
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
        let compiled: Vec<_> = (0..View::COUNT).map(|_| OnceLock::new()).collect();
        // An error does not depend on the markup, so it is enough to compile for one of them.
        let view = View::of(ChannelType::Terminal);
        let first = compile_all(view, &files)?;
        let _ = compiled[view.index()].set(Ok(first));
        Ok(Self {
            files,
            compiled,
            warnings: Vec::new(),
        })
    }

    /// # Errors
    ///
    /// As [`OwnTemplates::read`].
    pub(super) fn tera(&self, view: View) -> Result<&Tera, TemplateError> {
        let compiled = self.compiled[view.index()].get_or_init(|| compile_all(view, &self.files));
        compiled.as_ref().map_err(Clone::clone)
    }

    pub(super) fn path_of(&self, name: &str) -> Option<String> {
        self.files
            .get(name)
            .map(|file| file.path.display().to_string())
    }

    /// The file and line that use a name first, in a template or in one of the operator's parts.
    pub(super) fn location_of(&self, template: &str, name: &str) -> Option<(String, usize)> {
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

/// The error for a folder without a usable template. It names some of the files in the folder.
fn unusable(dir: &Path, problem: &str, found: &[String]) -> TemplateError {
    const MOST: usize = 5;
    let found: String = found
        .iter()
        .take(MOST)
        .map(|it| format!("; {it}"))
        .collect();
    TemplateError {
        file: dir.display().to_string(),
        line: None,
        problem: format!("{problem}{found}"),
    }
}

fn built_in_texts() -> BTreeMap<String, &'static str> {
    let mut texts: BTreeMap<String, &str> = built_in::parts().into_iter().collect();
    texts.extend(TemplateKind::all().flat_map(built_in::of));
    texts
}

/// Compiles all built-in templates, with the operator's files instead of those of the same name. So an operator's part is
/// used for every kind.
fn compile_all(view: View, files: &BTreeMap<String, TemplateFile>) -> Result<Tera, TemplateError> {
    let mut sources: BTreeMap<String, &str> = built_in_texts();
    sources.extend(
        files
            .iter()
            .map(|(name, file)| (name.clone(), file.text.as_str())),
    );
    compile(view.markup(), sources).map_err(|error| {
        TemplateError::read(&error, &|name| match files.get(name) {
            Some(file) => file.path.display().to_string(),
            None => format!("built-in {name}"),
        })
    })
}

pub(super) fn is_template_kind(name: &str) -> bool {
    TemplateKind::all().any(|it| it.name() == name)
}

/// A template with an unknown name would never be used, so it is an error.
fn check_name(file: &TemplateFile) -> Result<(), TemplateError> {
    let stem = file.name.trim_end_matches(".tera");
    let fits = match stem.split_once('/') {
        Some(("parts", _)) => true,
        Some((channel, template)) => {
            ChannelType::from_str(channel).is_ok() && is_template_kind(template)
        }
        None => stem == "default" || is_template_kind(stem),
    };
    if fits {
        return Ok(());
    }
    Err(TemplateError {
        file: file.path.display().to_string(),
        line: None,
        problem: format!(
            "no message uses a template with this name; {}",
            advice(stem)
        ),
    })
}

/// The advice about an unknown name. The folder is checked first, because in an unknown folder every name is wrong.
fn advice(stem: &str) -> String {
    let channels: Vec<&str> = ChannelType::VARIANTS.iter().map(Into::into).collect();
    let folders = channels.iter().copied().chain(["parts"]);
    let (folder, name) = stem.split_once('/').unwrap_or(("", stem));
    if !folder.is_empty() && !channels.contains(&folder) {
        return match nearest(folder, folders) {
            Some(meant) => format!("`{folder}` is not a channel type; did you mean `{meant}`?"),
            None => format!(
                "`{folder}` is not a channel type; allowed: {}",
                channels.join(", ")
            ),
        };
    }
    if channels.contains(&name) {
        return format!(
            "the templates of a channel type belong in its folder, such as `{name}/stop_task.tera`"
        );
    }
    if let Some(meant) = nearest(
        name,
        TemplateKind::all()
            .map(TemplateKind::name)
            .chain(["default"]),
    ) {
        let start = stem.strip_suffix(name).unwrap_or_default();
        return format!("did you mean `{start}{meant}.tera`?");
    }
    let kinds: Vec<_> = TemplateKind::all().map(TemplateKind::name).collect();
    format!(
        "allowed: `KIND.tera`, `CHANNEL/KIND.tera`, `default.tera` or `parts/….tera`; KIND is one of {}; CHANNEL is one of {}",
        kinds.join(", "),
        channels.join(", ")
    )
}
