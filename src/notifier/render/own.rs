//! The operator's own templates: the files of `TEMPLATES_DIR`.
//!
//! A file that no message can use is said: an error where its name is none, or where nothing of the folder serves;
//! else a warning.

mod folder;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::OnceLock;

use strum::VariantArray;
use tera::Tera;

use super::functions::compile;
use super::{SUMMARY, Sort, TemplateError, View, built_in};
use crate::ecs::notice::Kind;
use crate::notifier::channel::ChannelType;
use crate::text::spelling::nearest;

/// A template as it was read: its name in the lookup, where it stands, and its text.
#[derive(Debug, Clone)]
pub struct TemplateFile {
    pub name: String,
    pub path: PathBuf,
    pub text: String,
}

/// The operator's files over the built-in ones, compiled for each channel type on first use.
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
    /// [`TemplateError`] for a file that cannot be read or does not compile, for one workload name nothing would
    /// ever look up, and for a folder of which nothing can serve.
    pub fn read(dir: &Path) -> Result<Self, TemplateError> {
        let found = folder::read(dir)?;
        let strays = found.strays.iter().map(|it| it.to_string());
        if found.files.is_empty() {
            let strays: Vec<_> = strays.collect();
            return Err(useless(dir, "there is no template in it", &strays));
        }
        let mut own = Self::compile(found.files)?;
        let idle = own.idle();
        if idle.len() == own.files.len() {
            return Err(useless(dir, "none of its templates can ever serve", &idle));
        }
        let strays = found.strays.iter().filter(|it| it.seems_meant());
        let strays = strays.map(ToString::to_string);
        own.warnings = strays.chain(idle).collect();
        Ok(own)
    }

    pub(super) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Which of the operator's templates words a sort in a channel.
    pub(super) fn name_in_force(&self, channel: ChannelType, sort: Sort) -> Option<String> {
        let name = sort.name();
        let mut names = [format!("{channel}/{name}.tera"), format!("{name}.tera")].into_iter();
        names.find(|name| self.files.contains_key(name))
    }

    /// Their names and paths.
    pub(super) fn parts_in_force(&self) -> impl Iterator<Item = (String, String)> {
        let used = self.used();
        let parts = self.files.values();
        let parts =
            parts.filter(move |it| it.name.starts_with("parts/") && used.contains(&it.name));
        parts.map(|it| {
            let name = it.name.trim_end_matches(".tera").to_owned();
            (name, it.path.display().to_string())
        })
    }

    /// The files that no message can use, and why.
    fn idle(&self) -> Vec<String> {
        let used = self.used();
        let idle = self.files.values().filter(|it| !used.contains(&it.name));
        idle.map(|file| {
            let why = match file.name.split_once('/') {
                Some(("parts", _)) => "no template that is used includes it",
                None if file.name == "default.tera" => {
                    "each kind has a template of its own, which goes before it; name it after a kind, `stop_task.tera`"
                }
                Some(_) | None => "each channel has a template of its own for it",
            };
            format!("{} is never used: {why}", file.path.display())
        })
        .collect()
    }

    /// The names of all templates in force, the operator's and the built-in ones, and of the parts that they include.
    fn used(&self) -> BTreeSet<String> {
        let mut texts = built_in_texts();
        let own = self.files.values();
        texts.extend(own.map(|file| (file.name.clone(), file.text.as_str())));
        let mut used = BTreeSet::new();
        let mut open: Vec<_> = ChannelType::VARIANTS
            .iter()
            .flat_map(|channel| Sort::all().map(|sort| (*channel, sort)))
            .map(|(channel, sort)| {
                let own = self.name_in_force(channel, sort);
                own.unwrap_or_else(|| format!("{}.tera", sort.name()))
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
        let compiled: Vec<_> = View::all().map(|_| OnceLock::new()).collect();
        // A mistake is one in every markup, so one of them finds it.
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

/// Of a folder that gives nothing, and what stands in it instead.
fn useless(dir: &Path, problem: &str, found: &[String]) -> TemplateError {
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
    texts.extend(Sort::all().flat_map(built_in::of));
    texts
}

/// All built-in templates with the operator's in their place: a part that is overridden serves every kind.
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

pub(super) fn is_sort(name: &str) -> bool {
    name == SUMMARY || Kind::from_str(name).is_ok()
}

/// A template under a name that is never looked up would be silently useless.
fn check_name(file: &TemplateFile) -> Result<(), TemplateError> {
    let stem = file.name.trim_end_matches(".tera");
    let fits = match stem.split_once('/') {
        Some(("parts", _)) => true,
        Some((channel, sort)) => ChannelType::from_str(channel).is_ok() && is_sort(sort),
        None => stem == "default" || is_sort(stem),
    };
    if fits {
        return Ok(());
    }
    Err(TemplateError {
        file: file.path.display().to_string(),
        line: None,
        problem: format!(
            "no message looks for a template of this name; {}",
            meant(stem)
        ),
    })
}

/// What to do about a name that is none: its folder first, because below that any name is wrong.
fn meant(stem: &str) -> String {
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
        return format!("templates of a channel stand in its folder, `{name}/stop_task.tera`");
    }
    if let Some(meant) = nearest(name, Sort::all().map(Sort::name).chain(["default"])) {
        let start = stem.strip_suffix(name).unwrap_or_default();
        return format!("did you mean `{start}{meant}.tera`?");
    }
    let kinds: Vec<&str> = Kind::VARIANTS.iter().map(Into::into).collect();
    format!(
        "it is `KIND.tera`, `CHANNEL/KIND.tera`, `summary.tera`, `default.tera` or `parts/….tera`, KIND one of {}, CHANNEL one of {}",
        kinds.join(", "),
        channels.join(", ")
    )
}
