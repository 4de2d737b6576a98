//! Python, with the packages that are pinned.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::install::{found, install, succeed, version};
use super::{root, run_with_input, told, without_account};

/// What the tests' scripts import.
const TESTS: Packages = Packages {
    folder: "python",
    pins: include_str!("../../requirements.txt"),
};

/// What those of the second circle import: CloudFormation and cfn-lint take twice as much.
const ACCEPTANCE: Packages = Packages {
    folder: "python-acceptance",
    pins: include_str!("../../requirements-acceptance.txt"),
};

/// What `make package` installs where there is no `cargo lambda`.
const PACKAGING: Packages = Packages {
    folder: "python-packaging",
    pins: include_str!("../../../deploy/requirements.txt"),
};

/// What a virtual environment is filled with.
struct Packages {
    folder: &'static str,
    pins: &'static str,
}

/// The oldest that the pinned packages are made for.
const OLDEST: (u32, u32) = (3, 11);

impl Packages {
    /// The folder of the environment's programs.
    fn installed(&self) -> Result<PathBuf, String> {
        let home = install(self.folder, self.pins, |home| {
            check()?;
            let venv = home.join("venv");
            succeed(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
            let requirements = home.join("requirements.txt");
            std::fs::write(&requirements, self.pins).map_err(|error| error.to_string())?;
            let mut pip = Command::new(venv.join("bin/pip"));
            // Every package is pinned, so that there is nothing to resolve; Python compiles what it imports, which is
            // less than all.
            pip.args(["install", "--quiet", "--disable-pip-version-check"])
                .args(["--no-deps", "--no-compile"]);
            succeed(pip.arg("--requirement").arg(requirements))
        })?;
        Ok(home.join("venv/bin"))
    }
}

/// What is missing, in one line.
fn check() -> Result<(), String> {
    let (found, text) = version("python3", "Python ")
        .ok_or("Python 3 is not installed; install Python 3.11 or later, with its venv module")?;
    if found < OLDEST {
        return Err(format!("Python {text} is too old; install 3.11 or later"));
    }
    let venv = Command::new("python3")
        .args(["-c", "import ensurepip, venv"])
        .output();
    match venv {
        Ok(output) if output.status.success() => Ok(()),
        _ => Err(format!(
            "Python {text} has no venv module; install it: on Debian and Ubuntu, `apt-get install python3-venv`"
        )),
    }
}

fn bin() -> PathBuf {
    static BIN: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    found(BIN.get_or_init(|| TESTS.installed())).to_owned()
}

fn acceptance() -> PathBuf {
    static BIN: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    found(BIN.get_or_init(|| ACCEPTANCE.installed())).to_owned()
}

/// The folder of `cargo-lambda`.
pub(crate) fn packaging() -> PathBuf {
    static BIN: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    found(BIN.get_or_init(|| PACKAGING.installed())).to_owned()
}

pub(crate) fn cfn_lint() -> Command {
    Command::new(acceptance().join("cfn-lint"))
}

/// A script of `tests/python`.
pub(crate) fn script(name: &str) -> Command {
    script_with(&bin(), name)
}

/// The same with what the second circle imports.
pub(crate) fn acceptance_script(name: &str) -> Command {
    script_with(&acceptance(), name)
}

fn script_with(bin: &Path, name: &str) -> Command {
    let mut command = without_account(Command::new(bin.join("python")));
    command.arg(root().join("tests/python").join(name));
    command
}

/// Runs a script with `input` on its stdin, and gives what it printed.
pub(crate) fn run_python<A: AsRef<OsStr>>(script: &str, arguments: &[A], input: &str) -> String {
    printed(self::script(script).args(arguments), input)
}

/// The same with what the second circle imports.
pub(crate) fn run_acceptance_python(script: &str, input: &str) -> String {
    printed(&mut acceptance_script(script), input)
}

fn printed(script: &mut Command, input: &str) -> String {
    let output = run_with_input(script, input);
    assert!(output.status.success(), "{script:?}: {}", told(&output));
    String::from_utf8(output.stdout).expect("a script prints UTF-8")
}

#[test]
fn the_pins_name_versions_and_no_place_to_fetch_them_from() {
    let lines = [TESTS, ACCEPTANCE, PACKAGING].map(|packages| packages.pins.lines());
    for line in lines.into_iter().flatten() {
        let is_pin = line.contains("==") && !line.contains("://");
        let is_other = line.is_empty() || line.starts_with('#');
        assert!(is_pin || is_other, "`{line}` is no exact pin");
    }
}
