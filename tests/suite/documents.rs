//! The documents say what the program does: variables, words, template names, files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ecs_parrot::config;
use ecs_parrot::ecs::diagnosis::Cause;
use ecs_parrot::ecs::notice::Kind;
use ecs_parrot::env_file::keys::{self, Allows};
use ecs_parrot::notifier::channel::{Capabilities, ChannelType};
use ecs_parrot::notifier::policy::{CallWord, DropReason};
use ecs_parrot::notifier::render;
use ecs_parrot::notifier::route::fields::{RouteField, Values};
use regex::Regex;
use saphyr::{LoadableYamlNode as _, Yaml};
use strum::VariantArray as _;

use crate::infrastructure;

fn text(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

fn missing(words: impl IntoIterator<Item = String>, document: &str) -> Vec<String> {
    words
        .into_iter()
        .filter(|word| !document.contains(&format!("`{word}`")))
        .collect()
}

/// Every program's.
fn variables() -> impl Iterator<Item = String> {
    config::names().into_iter().flat_map(|(_, names)| names)
}

#[test]
fn the_configuration_page_has_every_variable() {
    assert_eq!(
        missing(variables(), &text("docs/configuration.md")),
        [""; 0]
    );
}

/// A page explains the variables of each function. Two functions have a page of their own.
#[test]
fn each_function_has_a_page_that_explains_its_variables() {
    for (function, names) in config::names() {
        let page = match function {
            "parrot" => "docs/configuration.md".to_owned(),
            _ => format!("docs/{function}.md"),
        };
        assert_eq!(missing(names, &text(&page)), [""; 0], "{page}");
    }
}

#[test]
fn the_example_configuration_has_every_variable() {
    let example = text("serverless.env.yml.example");
    let files = infrastructure::service_files().into_iter();
    let deployment: String = files.map(|(_, text)| text).collect();
    for name in variables() {
        assert!(
            example.contains(&name),
            "{name} in serverless.env.yml.example"
        );
        assert!(
            deployment.contains(&format!("{name}:")),
            "{name} in the service's files"
        );
    }
}

/// Every path of a mapping that is no mapping itself, with the names around it.
fn paths(node: &Yaml<'_>, prefix: &str) -> Vec<String> {
    let entries = node.as_mapping().into_iter().flatten();
    let found = entries.flat_map(|(key, value)| {
        let path = format!("{prefix}{}", key.as_str().unwrap());
        match value.is_mapping() {
            true => paths(value, &format!("{path}.")),
            false => vec![path],
        }
    });
    found.collect()
}

fn sorted(paths: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut paths: Vec<_> = paths.into_iter().collect();
    paths.sort();
    paths.dedup();
    paths
}

/// The keys that the file is checked against are those that the deployment reads, no more and no less.
#[test]
fn every_key_is_read_by_the_deployment() {
    let files: String = infrastructure::service_files()
        .into_iter()
        .map(|(_, text)| text)
        .collect();
    let is_of_path = |it: char| it.is_ascii_lowercase() || it == '_' || it == '.';
    let named = files.split("mysettings.").skip(1);
    let named = named.map(|rest| rest.split(|it| !is_of_path(it)).next().unwrap().to_owned());
    // How arns.js reads them: by a function that takes the path.
    let quoted = files
        .split("setting(context, '")
        .chain(files.split("await read('"))
        .skip(1);
    let quoted = quoted.map(|rest| rest.split('\'').next().unwrap().to_owned());
    let is_path = |path: &String| !path.is_empty() && path.chars().all(is_of_path);
    let read = sorted(named.chain(quoted).filter(is_path));
    let known = sorted(keys::KEYS.iter().map(|key| key.path.to_owned()));
    assert_eq!(read, known);
    for key in &keys::KEYS {
        if let Allows::Variable(name) = key.allows {
            let set = files
                .lines()
                .find(|line| line.trim().starts_with(&format!("{name}:")));
            let set = set.unwrap_or_else(|| panic!("{name} is not set"));
            let is_set = set.contains(&format!("mysettings.{},", key.path));
            // These two are made of the key elsewhere.
            assert!(
                is_set || ["STATE_TABLE", "HOOK_EVENTS"].contains(&name),
                "{name}: {set}"
            );
        }
    }
}

#[test]
fn the_example_configuration_has_every_key() {
    let example = text("serverless.env.yml.example");
    let example = Yaml::load_from_str(&example).unwrap().remove(0);
    let shown = sorted(paths(&example["mysettings"], ""));
    let known = keys::KEYS.iter().map(|key| key.path);
    // carnival-ecs-parrot's other spelling is read, and not recommended.
    let known = known.filter(|path| !path.starts_with("ignore."));
    assert_eq!(shown, sorted(known.map(str::to_owned)));
}

#[test]
fn the_configuration_page_explains_every_key_and_what_it_allows() {
    let page = text("docs/configuration.md");
    for key in &keys::KEYS {
        let quoted = format!("`{}`", key.path);
        let mut rows = page
            .lines()
            .filter(|line| line.starts_with("| `") && line.contains(&quoted));
        let found = match key.allows {
            Allows::Variable(name) => rows.any(|row| row.contains(&format!("`{name}`"))),
            allows => rows.any(|row| row.contains(&format!("| {allows} |"))),
        };
        assert!(
            found,
            "no row of docs/configuration.md has {quoted} and what it allows: {:?}",
            key.allows
        );
    }
}

#[test]
fn the_events_page_explains_every_word_of_keep_and_drop() {
    let words = Kind::VARIANTS
        .iter()
        .map(ToString::to_string)
        .chain(Cause::VARIANTS.iter().map(ToString::to_string))
        .chain(CallWord::VARIANTS.iter().map(ToString::to_string))
        .chain(DropReason::VARIANTS.iter().map(ToString::to_string));
    assert_eq!(missing(words, &text("docs/events.md")), [""; 0]);
}

#[test]
fn the_routes_page_explains_every_field_and_its_values() {
    let page = text("docs/routes.md");
    let fields = RouteField::VARIANTS.iter().map(|it| match it {
        RouteField::Tags => "tags.KEY".to_owned(),
        other => other.to_string(),
    });
    assert_eq!(missing(fields, &page), [""; 0]);
    // The kinds and the causes are on the page about events.
    let listed = [
        RouteField::Severity,
        RouteField::Thread,
        RouteField::LaunchType,
    ];
    let values = listed.iter().flat_map(|it| match it.values() {
        Values::Closed(words) | Values::Known(words) => words,
        Values::Flag | Values::Account | Values::Any => Vec::new(),
    });
    assert_eq!(missing(values.map(str::to_owned), &page), [""; 0]);
}

#[test]
fn the_templates_page_lists_every_name_that_a_template_can_use() {
    assert_eq!(
        missing(render::names(), &text("docs/templates.md")),
        [""; 0]
    );
}

#[test]
fn the_code_map_has_every_folder() {
    let map = text("ARCHITECTURE.md");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders: BTreeSet<_> = files(&root.join("src"))
        .into_iter()
        .map(|file| file.parent().unwrap().to_owned())
        .collect();
    for folder in folders {
        let name = folder.strip_prefix(root).unwrap().display().to_string();
        assert!(
            map.contains(&format!("`{name}/`")),
            "{name} in ARCHITECTURE.md"
        );
    }
}

/// `cargo test` leaves out what stands in the second circle, and nothing else.
#[test]
fn every_ignored_test_is_of_the_second_circle() {
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite");
    let second = suite.join("acceptance");
    let mut counted = 0;
    let is_rust = |file: &PathBuf| file.extension().is_some_and(|it| it == "rs");
    for file in files(&suite).into_iter().filter(is_rust) {
        let text = fs::read_to_string(&file).unwrap();
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        for (line, next) in lines.iter().zip(&lines[1..]) {
            if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                let is_ignored = next.starts_with("#[ignore = \"acceptance");
                assert!(
                    is_ignored || !next.starts_with("#[ignore"),
                    "{file:?}: {next}"
                );
                assert!(is_ignored || !file.starts_with(&second), "{file:?}: {next}");
                counted += usize::from(is_ignored);
            }
        }
    }
    assert!(counted > 40, "{counted}");
}

/// For both ways in which events reach the function.
#[test]
fn the_deploy_page_names_what_the_stack_makes() {
    let service = text("serverless.yml");
    let documents = Yaml::load_from_str(&service).unwrap();
    let custom = &documents[0]["custom"];
    let prefixes = ["queue", "direct"].map(|way| custom["rulePrefix"][way].as_str().unwrap());
    let rules = text("deploy/serverless/rules.js");
    let ends = rules.lines().filter_map(|line| {
        let name = line.trim().strip_prefix("name: '")?;
        name.strip_suffix("',")
    });
    let ends: Vec<_> = ends.collect();
    let rules = prefixes.iter().flat_map(|prefix| {
        let names = ends.iter().map(move |end| format!("{prefix}-{end}"));
        names.collect::<Vec<_>>()
    });
    let queue = deploy_text("event-queue.yml", "QueueName: ");
    let table = deploy_text("parrot.yml", "TableName: ");
    let archive = custom["archiveName"].as_str().unwrap().to_owned();
    let archiving = custom["rulePrefix"]["archive"].as_str().unwrap().to_owned();
    let names = rules.chain([queue, table, archive, archiving]);
    let names: Vec<_> = names
        .map(|name| name.replace("${self:service}-${sls:stage}", "ecs-parrot-dev"))
        .collect();
    assert_eq!(names.len(), 2 * 7 + 4);
    assert_eq!(missing(names, &text("docs/deploy.md")), [""; 0]);
}

/// How long events are tried depends on `ingest`, and an alarm's text does not.
#[test]
fn no_alarm_says_how_long_events_are_tried() {
    let stack = text("deploy/serverless/parrot.yml");
    let described: Vec<_> = stack
        .lines()
        .filter(|line| line.contains("AlarmDescription: "))
        .collect();
    assert!(described.len() >= 5, "{described:?}");
    let with_time = described.iter().filter(|it| it.contains("hours"));
    assert_eq!(with_time.count(), 0, "{described:?}");
    let ends = described
        .iter()
        .filter(|it| it.ends_with("tried again, and then go to the dead-letter queue"));
    assert_eq!(ends.count(), 2, "{described:?}");
}

/// What stands behind a key in a part of the deployment.
fn deploy_text(file: &str, key: &str) -> String {
    let text = text(&format!("deploy/serverless/{file}"));
    let value = text.lines().find_map(|line| line.trim().strip_prefix(key));
    value.unwrap().to_owned()
}

#[test]
fn readme_starts_with_the_two_commands() {
    let readme = text("README.md");
    let notify = readme.find("cargo run -- notify samples").unwrap();
    let test = readme.find("cargo test").unwrap();
    assert!(notify < test);
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

/// The messages that the pages show are those that `notify` prints for the samples. A line may be cut, at an ellipsis.
#[test]
fn the_messages_that_the_pages_show_are_real() {
    for (page, expected) in [("README.md", 2), ("docs/events.md", 4)] {
        let page = text(page);
        let mut found = 0;
        for part in page.split("(`samples/").skip(1) {
            let Some((name, rest)) = part.split_once(".json`):\n\n```text\n") else {
                continue;
            };
            let (shown, _) = rest.split_once("\n```").unwrap();
            compare_message(name, shown);
            found += 1;
        }
        assert_eq!(found, expected);
    }
}

/// The message of the sample as `notify` prints it, after the line with the file's name.
fn compare_message(name: &str, shown: &str) {
    let printed = ecs_parrot(&["notify", &format!("samples/{name}.json")]);
    let (_, real) = printed.split_once('\n').unwrap();
    let real = real.trim_end();
    assert_eq!(
        shown.lines().count(),
        real.lines().count(),
        "{name}\n{real}"
    );
    for (shown, real) in shown.lines().zip(real.lines()) {
        match shown.strip_suffix('…') {
            Some(beginning) => assert!(real.starts_with(beginning), "{name}: {real}"),
            None => assert_eq!(shown, real, "{name}"),
        }
    }
}

/// What the command line prints with the default settings.
fn ecs_parrot(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ecs-parrot"));
    let folder = env!("CARGO_MANIFEST_DIR");
    let output = command.args(arguments).env_clear().current_dir(folder);
    let output = output.output().unwrap();
    assert!(output.status.success(), "{arguments:?} {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The timelines that the pages show are what the command above each of them prints.
#[test]
fn the_timelines_that_the_pages_show_are_real() {
    let timeline =
        "```sh\ncargo run -q -- (replay [^|\n]*) \\| grep -v '\\^ '\n```\n\n```text\n((?s).*?)```";
    let timeline = Regex::new(timeline).unwrap();
    for (page, expected) in [("README.md", 1), ("docs/events.md", 2)] {
        let content = text(page);
        let shown: Vec<_> = timeline.captures_iter(&content).collect();
        assert_eq!(shown.len(), expected, "{page}");
        for shown in shown {
            let arguments: Vec<_> = shown[1].split_whitespace().collect();
            let printed = ecs_parrot(&arguments);
            let headlines = printed.lines().filter(|line| !line.starts_with(' '));
            let headlines: String = headlines.map(|line| format!("{line}\n")).collect();
            assert_eq!(
                &shown[2], headlines,
                "{page} shows something else than `{}` prints; run the command that stands above it there, and put \
                 its output into the page",
                &shown[1]
            );
        }
    }
}

/// The outcomes that the tables of docs/events.md allow for a word: a kind, a cause or a reason for dropping.
fn documented_decisions() -> BTreeMap<String, BTreeSet<String>> {
    let outcome = Regex::new("drop|(?:urgent, )?(?:critical|warning|info|success)").unwrap();
    let word = Regex::new("`([a-z_]+)`").unwrap();
    let page = text("docs/events.md");
    let (_, section) = page
        .split_once("\n## API calls (from CloudTrail)\n")
        .unwrap();
    let (section, _) = section.split_once("\n## Reasons for dropping\n").unwrap();
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in section.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").collect();
        // call, kind, default, reason; or cause, sign, default
        let (words, default) = match cells[..] {
            [_, kind, default, reason] => (format!("{kind} {reason}"), default),
            [cause, _, default] => (format!("{cause} {default}"), default),
            _ => panic!("{row}"),
        };
        for word in word.captures_iter(&words) {
            let outcomes = outcome.find_iter(default).map(|it| it.as_str().to_owned());
            found
                .entry(word[1].to_owned())
                .or_default()
                .extend(outcomes);
        }
    }
    found
}

/// The tables of docs/events.md allow each sample's decision.
#[test]
fn the_tables_of_decisions_agree_with_the_samples() {
    let documented = documented_decisions();
    assert!(documented.len() > 30, "{documented:?}");
    for line in include_str!("decisions.tsv").lines().skip(1) {
        let fields: Vec<_> = line.split('\t').collect();
        let [_, decision, reason, severity, urgent] = fields[..] else {
            panic!("{line}");
        };
        let outcome = match (decision, urgent) {
            ("drop", _) => "drop".to_owned(),
            (_, "yes") => format!("urgent, {severity}"),
            (_, _) => severity.to_owned(),
        };
        // A sentence below the tables says it.
        if reason == "not_ecs" {
            continue;
        }
        let allowed = documented
            .get(reason)
            .unwrap_or_else(|| panic!("docs/events.md lacks {reason}"));
        assert!(
            allowed.contains(&outcome),
            "{line}: docs/events.md has {allowed:?}"
        );
    }
}

/// README is for the first ten minutes; everything else has a page.
#[test]
fn readme_is_short_and_lists_every_page() {
    let readme = text("README.md");
    assert!(
        readme.lines().count() <= 250,
        "{} lines",
        readme.lines().count()
    );
    for page in pages() {
        assert!(readme.contains(&format!("]({page})")), "{page} in README");
    }
}

/// The documents in `docs`, and those beside README.
fn pages() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let in_docs = files(&root.join("docs"));
    let in_docs = in_docs
        .iter()
        .filter(|file| file.extension().is_some_and(|it| it == "md"))
        .map(|file| file.strip_prefix(root).unwrap().display().to_string());
    let beside = ["ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(str::to_owned);
    in_docs.chain(beside).collect()
}

/// How GitHub makes an anchor of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

fn anchors(page: &str) -> BTreeSet<String> {
    // Every second part stands between the marks of a code block.
    let text = page.split("```").step_by(2);
    let headings = text
        .flat_map(str::lines)
        .filter(|line| line.starts_with('#'));
    headings
        .map(|line| anchor(line.trim_start_matches('#').trim()))
        .collect()
}

#[test]
fn every_link_between_the_pages_leads_somewhere() {
    let link = Regex::new(r"\]\(([^()\s]+)\)").unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = 0;
    for page in pages().into_iter().chain(["README.md".to_owned()]) {
        let content = text(&page);
        for target in link.captures_iter(&content) {
            let target = &target[1];
            if target.contains("://") {
                continue;
            }
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let file = match file {
                "" => root.join(&page),
                file => root.join(&page).parent().unwrap().join(file),
            };
            assert!(file.exists(), "{page}: {target}");
            if !heading.is_empty() {
                let headings = anchors(&fs::read_to_string(&file).unwrap());
                assert!(headings.contains(heading), "{page}: {target}");
            }
            found += 1;
        }
    }
    assert!(found > 80, "{found}");
}

/// Files have moved before, and the documents kept their old names.
#[test]
fn the_files_that_the_architecture_names_exist() {
    let path = Regex::new(r"`((?:src|tests|benches|deploy|docs|fuzz)/[a-z0-9_./-]+)`").unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = text("ARCHITECTURE.md");
    let named: BTreeSet<_> = path
        .captures_iter(&page)
        .map(|it| it[1].to_owned())
        .collect();
    assert!(named.len() > 40, "{named:?}");
    for path in named {
        assert!(root.join(&path).exists(), "{path}");
    }
}

/// docs/run.md has a row for each statement of the policy.
#[test]
fn the_run_page_explains_its_policy() {
    let policy: serde_json::Value = serde_json::from_str(&text("docs/policies/run.json")).unwrap();
    let page = text("docs/run.md");
    let statements = policy["Statement"].as_array().unwrap();
    assert!(!statements.is_empty());
    for statement in statements {
        let sid = statement["Sid"].as_str().unwrap();
        let row = page
            .lines()
            .find(|line| line.starts_with(&format!("| `{sid}` |")));
        let row = row.unwrap_or_else(|| panic!("{sid} in docs/run.md"));
        let actions = match &statement["Action"] {
            serde_json::Value::Array(actions) => actions.clone(),
            action => vec![action.clone()],
        };
        for action in actions {
            assert!(row.contains(action.as_str().unwrap()), "{row}: {action}");
        }
    }
}

/// docs/channels.md says what each type can do, and has a section with all its settings.
#[test]
fn the_channels_page_has_a_section_for_each_type() {
    let page = text("docs/channels.md");
    let yes_or_no = |is: bool| if is { "yes" } else { "no" };
    for channel_type in ChannelType::VARIANTS {
        let definition = channel_type.definition();
        let Capabilities { edits, replies } = definition.capabilities;
        let (edits, replies) = (yes_or_no(edits), yes_or_no(replies));
        let row = Regex::new(&format!(
            r"(?m)^\| \[`{channel_type}`\]\(#([a-z-]+)\) \| {edits} \| {replies} \| "
        ));
        let found = row.unwrap();
        let found = found.captures(&page);
        let anchor =
            found.unwrap_or_else(|| panic!("no right row of `{channel_type}`"))[1].to_owned();
        let mut sections = page.split("\n## ").skip(1);
        let section = sections.find(|it| {
            let title = it.lines().next().unwrap_or_default().to_lowercase();
            title.replace(' ', "-") == anchor
        });
        let section = section.unwrap_or_else(|| panic!("no section #{anchor}"));
        for setting in definition.settings {
            let row = format!("\n| `{}` |", setting.name);
            assert!(section.contains(&row), "{channel_type}: {}", setting.name);
        }
    }
}

/// The files that a type of channel touches besides its own, by the type that was added last.
#[test]
fn a_channel_touches_the_files_that_contributing_lists() {
    let contributing = text("CONTRIBUTING.md");
    let (_, section) = contributing.split_once("## Add a channel").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let item = Regex::new(r"(?m)^\d\. `([^`]+)`").unwrap();
    let listed: BTreeSet<_> = item
        .captures_iter(section)
        .map(|it| it[1].to_owned())
        .collect();
    assert!(listed.len() <= 7, "{listed:?}");
    let own = Regex::new(r"/teams\.rs$|payloads_of_teams\.snap$").unwrap();
    let name = Regex::new(r"(?i)\bteams\b").unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [
        "src",
        "tests",
        "docs",
        "templates",
        "deploy",
        "benches",
        "fuzz/fuzz_targets",
    ];
    let below = folders.iter().flat_map(|it| files(&root.join(it)));
    let top = fs::read_dir(root).unwrap().map(|it| it.unwrap().path());
    let top = top.filter(|it| it.is_file());
    let touched = below.chain(top).filter_map(|file| {
        let text = fs::read_to_string(&file).ok()?;
        let path = file.strip_prefix(root).unwrap().display().to_string();
        // The test itself names it too.
        let is_here = path == "tests/suite/documents.rs";
        (!is_here && !own.is_match(&path) && name.is_match(&text)).then_some(path)
    });
    assert_eq!(touched.collect::<BTreeSet<_>>(), listed);
}
