//! `make package` builds zips for the configured architecture only.

use std::ffi::OsString;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::json;

use super::package::{CARNIVAL, EXAMPLE, Package, function};
use crate::tools;

/// A copy of the project's folder with its own settings. `cargo lambda` there is either the pinned one, or a script
/// that only writes its arguments to the file `arguments`. `cargo run` there runs the command line that is already
/// built.
struct ProjectCopy {
    folder: PathBuf,
}

impl ProjectCopy {
    fn new(folder: &Path, settings: &str) -> Self {
        for entry in fs::read_dir(tools::root()).unwrap() {
            let entry = entry.unwrap();
            let left_out = [
                "target",
                "dist",
                "node_modules",
                ".git",
                ".serverless",
                "serverless.env.yml",
            ];
            if !left_out.iter().any(|name| entry.file_name() == *name) {
                symlink(entry.path(), folder.join(entry.file_name())).unwrap();
            }
        }
        fs::write(folder.join("serverless.env.yml"), settings).unwrap();
        Self {
            folder: folder.to_owned(),
        }
    }

    fn make(&self, arguments: &[&str], programs: &Path) -> std::process::Output {
        let mut path = OsString::from(programs);
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap());
        let mut make = Command::new("make");
        for name in ["MAKEFLAGS", "MAKEOVERRIDES", "ARCH", "CARGO_BUILD_TARGET"] {
            make.env_remove(name);
        }
        make.args(arguments)
            .current_dir(&self.folder)
            .env("PATH", path)
            .output()
            .expect("this test needs make")
    }

    fn package(&self, arguments: &[&str]) -> std::process::Output {
        let programs = self.folder.join("programs");
        if !programs.exists() {
            fs::create_dir(&programs).unwrap();
            write_program(&programs.join("cargo-lambda"), "exit 1");
            let command_line = format!(
                "if [ $1 = run ]; then\n    while [ $1 != -- ]; do shift; done\n    shift\n    exec {} \"$@\"\nfi\n",
                env!("CARGO_BIN_EXE_ecs-parrot")
            );
            let build = r#"echo "$@" > arguments
while [ $# -gt 1 ]; do
    case $1 in
        --bin) names="$names $2" ;;
        --lambda-dir) folder=$2 ;;
    esac
    shift
done
for name in $names; do
    mkdir -p $folder/$name
    echo "$folder $name" > $folder/$name/bootstrap.zip
done"#;
            write_program(&programs.join("cargo"), &format!("{command_line}{build}"));
        }
        let arguments: Vec<&str> = [&["package"], arguments].concat();
        self.make(&arguments, &programs)
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.folder.join(file)).unwrap()
    }
}

fn write_program(path: &Path, script: &str) {
    fs::write(path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
#[ignore = "acceptance"]
fn make_package_builds_for_the_configured_architecture() {
    for (settings, arguments, flag, other) in [
        ("mysettings:\n", vec![], "--x86-64", "--arm64"),
        (
            "mysettings:\n  architecture: arm64\n",
            vec![],
            "--arm64",
            "--x86-64",
        ),
        (
            "mysettings:\n  architecture: 'arm64' # Graviton\n",
            vec![],
            "--arm64",
            "--x86-64",
        ),
        (
            "mysettings:\n  # architecture: arm64\n",
            vec![],
            "--x86-64",
            "--arm64",
        ),
        (
            "mysettings:\n  architecture: \"x86_64\"\n",
            vec![],
            "--x86-64",
            "--arm64",
        ),
        (
            "mysettings:\n  architecture:\n  memory: 128\n",
            vec![],
            "--x86-64",
            "--arm64",
        ),
        (
            "mysettings:\n  architecture: x86_64\n",
            vec!["ARCH=arm64"],
            "--arm64",
            "--x86-64",
        ),
        (EXAMPLE, vec![], "--x86-64", "--arm64"),
        (CARNIVAL, vec![], "--x86-64", "--arm64"),
    ] {
        let folder = tools::scratch();
        let project = ProjectCopy::new(folder.path(), settings);
        let output = project.package(&arguments);
        assert!(
            output.status.success(),
            "{settings}: {}",
            tools::output_text(&output)
        );
        let build = project.read("arguments");
        let words: Vec<&str> = build.split_whitespace().collect();
        assert_eq!(words[..2], ["lambda", "build"]);
        assert!(words.contains(&"--release"), "{build}");
        assert!(
            words.contains(&flag) && !words.contains(&other),
            "{settings}: {build}"
        );
        assert!(project.read("dist/parrot.zip").contains(" parrot"));
    }
}

#[test]
#[ignore = "acceptance"]
fn make_package_refuses_an_architecture_that_does_not_exist() {
    for (settings, arguments) in [
        ("mysettings:\n  architecture: sparc\n", vec![]),
        ("mysettings:\n", vec!["ARCH=sparc"]),
    ] {
        let folder = tools::scratch();
        let project = ProjectCopy::new(folder.path(), settings);
        let output = project.package(&arguments);
        assert!(!output.status.success());
        let printed = tools::output_text(&output);
        assert!(
            printed.contains("architecture `sparc` is unknown; use x86_64 or arm64"),
            "{printed}"
        );
        assert!(
            !project.folder.join("arguments").exists(),
            "it built something"
        );
    }
}

/// A misspelt key would deploy a function that posts nothing.
#[test]
#[ignore = "acceptance"]
fn make_checks_the_settings_before_it_builds_or_deploys() {
    let settings = "mysettings:\n  slack:\n    webhook_url: https://hooks.example.com/very-secret\n  keep: stop_tsk\n";
    for target in ["config", "package", "deploy"] {
        let folder = tools::scratch();
        let project = ProjectCopy::new(folder.path(), settings);
        // This only writes the scripts; `--dry-run` builds nothing.
        let output = project.package(&["--dry-run"]);
        assert!(output.status.success(), "{}", tools::output_text(&output));
        let output = project.make(&[target], &project.folder.join("programs"));
        let printed = tools::output_text(&output);
        assert!(!output.status.success(), "{target}: {printed}");
        for expected in [
            "building ecs-parrot, which checks serverless.env.yml",
            "serverless.env.yml:3: slack.webhook_url: there is no such key; did you mean `slack.webhookurl`?",
            "serverless.env.yml:4: keep: `stop_tsk` is not a known word; did you mean `stop_task`?",
        ] {
            assert!(printed.contains(expected), "{target}: {printed}");
        }
        assert!(!printed.contains("very-secret"), "{printed}");
        assert!(
            !project.folder.join("arguments").exists(),
            "{target} built something"
        );
    }
    // The file may be left out.
    let folder = tools::scratch();
    let project = ProjectCopy::new(folder.path(), "");
    fs::remove_file(folder.path().join("serverless.env.yml")).unwrap();
    let output = project.package(&[]);
    assert!(output.status.success(), "{}", tools::output_text(&output));
}

/// `ARCH` is for trial builds. The zip and the function must still have the same architecture.
#[test]
#[ignore = "acceptance"]
fn the_architecture_of_a_trial_build_is_that_of_the_function() {
    let folder = tools::scratch();
    let project = ProjectCopy::new(folder.path(), "mysettings:\n  architecture: x86_64\n");
    for architecture in ["arm64", "x86_64"] {
        let arch = format!("ARCH={architecture}");
        let output = project.make(&["-n", "deploy", &arch], &tools::packaging());
        let commands = String::from_utf8(output.stdout).unwrap();
        let deploy = commands
            .lines()
            .find(|line| line.contains("serverless deploy"))
            .unwrap();
        assert!(
            deploy.contains(&format!("--param=architecture={architecture}")),
            "{deploy}"
        );
    }

    let package = Package::new().settings("mysettings: {architecture: x86_64}");
    let template = package.template_with(&["--param=architecture=arm64"]);
    assert_eq!(function(&template)["Architectures"], json!(["arm64"]));
}

/// The architecture in an ELF header, by Lambda's name for it.
fn machine(program: &[u8]) -> Result<&'static str, String> {
    // e_ident is the magic number, then 64 bits, then little-endian. e_machine is at offset 18.
    if program.len() < 20 || program[..6] != *b"\x7fELF\x02\x01" {
        return Err("not a 64-bit little-endian ELF file".to_owned());
    }
    match u16::from_le_bytes([program[18], program[19]]) {
        0x3e => Ok("x86_64"),
        0xb7 => Ok("arm64"),
        other => Err(format!("machine {other:#x} is not supported by Lambda")),
    }
}

#[test]
#[ignore = "acceptance"]
fn the_architecture_is_read_from_the_elf_header() {
    let header = |machine: u16| {
        let mut header = b"\x7fELF\x02\x01\x01".to_vec();
        header.resize(16, 0);
        // e_type: a position-independent program.
        header.extend(3u16.to_le_bytes());
        header.extend(machine.to_le_bytes());
        header
    };
    assert_eq!(machine(&header(62)), Ok("x86_64"));
    assert_eq!(machine(&header(183)), Ok("arm64"));
    assert_eq!(
        machine(&header(2)),
        Err("machine 0x2 is not supported by Lambda".to_owned())
    );
    assert!(machine(b"#!/bin/sh\nexec something-else\n").is_err());
    assert!(machine(b"\x7fELF").is_err());
}

/// Unpacks `bootstrap`, the only file in a function's zip.
fn bootstrap(zip: &Path) -> Vec<u8> {
    let mut zip = zip::ZipArchive::new(fs::File::open(zip).unwrap()).unwrap();
    assert_eq!(zip.len(), 1);
    let mut file = zip.by_name("bootstrap").unwrap();
    assert_eq!(
        file.unix_mode().map(|mode| mode & 0o111),
        Some(0o111),
        "bootstrap cannot be executed"
    );
    let mut program = Vec::new();
    file.read_to_end(&mut program).unwrap();
    program
}

/// Runs the real build, and returns its zips. It is for this machine's architecture, because other Rust targets may not
/// be installed.
fn packaged() -> &'static [PathBuf] {
    static ZIPS: OnceLock<Vec<PathBuf>> = OnceLock::new();
    ZIPS.get_or_init(|| {
        // The folder is always the same and uses the usual target/, so that cargo can use its earlier builds.
        let (folder, _lock) = tools::reserve("package");
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        fs::create_dir(&folder).unwrap();
        let project = ProjectCopy::new(&folder, &settings());
        symlink(target(), folder.join("target")).unwrap();
        let output = project.make(&["package"], &tools::packaging());
        assert!(output.status.success(), "{}", tools::output_text(&output));
        let zips = fs::read_dir(folder.join("dist")).unwrap();
        zips.map(|entry| entry.unwrap().path()).collect()
    })
}

/// A function's program as it is deployed.
pub(crate) fn packaged_program(name: &str) -> Vec<u8> {
    let is_wanted = |zip: &&PathBuf| zip.file_stem().is_some_and(|stem| stem == name);
    bootstrap(packaged().iter().find(is_wanted).unwrap())
}

/// This machine's architecture, by Lambda's name for it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "aarch64" => "arm64",
        other => other,
    }
}

fn settings() -> String {
    format!("mysettings:\n  architecture: {}\n", architecture())
}

#[test]
#[ignore = "acceptance"]
fn each_zip_holds_a_program_for_the_configured_architecture() {
    let template = Package::new().settings(&settings()).template();
    assert_eq!(
        function(&template)["Architectures"],
        json!([architecture()])
    );
    /// docs/performance.md says that each function's zip is smaller than this.
    const AT_MOST: u64 = 5_000_000;
    let zips = packaged();
    assert_eq!(zips.len(), ecs_parrot::config::names().len(), "{zips:?}");
    for zip in zips {
        let size = fs::metadata(zip).unwrap().len();
        println!("{}: {size} bytes", zip.display());
        assert!(size <= AT_MOST, "{} has {size} bytes", zip.display());
        assert_eq!(
            machine(&bootstrap(zip)),
            Ok(architecture()),
            "{}",
            zip.display()
        );
    }
}

/// The folder that this test was built in.
fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap()
}
