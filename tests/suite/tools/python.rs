//! Python, with the pinned packages.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::install::{found, install, succeed, version};
use super::{output_text, root, run_with_input, without_account};

/// The packages that the scripts of the tests import.
const TESTS: Packages = Packages {
    folder: "python",
    pins: include_str!("../../requirements.txt"),
};

/// The packages for the acceptance tests. With CloudFormation and cfn-lint they need twice as much space.
const ACCEPTANCE: Packages = Packages {
    folder: "python-acceptance",
    pins: include_str!("../../requirements-acceptance.txt"),
};

/// The packages that `make package` installs where `cargo lambda` is missing.
const PACKAGING: Packages = Packages {
    folder: "python-packaging",
    pins: include_str!("../../../deploy/requirements.txt"),
};

/// The packages of a virtual environment.
struct Packages {
    folder: &'static str,
    pins: &'static str,
}

/// The oldest Python that the pinned packages support.
const OLDEST: (u32, u32) = (3, 11);

impl Packages {
    /// Installs them if necessary. Returns the `bin` folder of the virtual environment.
    fn installed(&self) -> Result<PathBuf, String> {
        let home = install(self.folder, self.pins, |home| {
            check()?;
            let venv = home.join("venv");
            succeed(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
            let requirements = home.join("requirements.txt");
            std::fs::write(&requirements, self.pins).map_err(|error| error.to_string())?;
            let mut pip = Command::new(venv.join("bin/pip"));
            // Every package is pinned, so that pip need not resolve dependencies. Python compiles only what it imports,
            // so that pip need not compile everything.
            pip.args(["install", "--quiet", "--disable-pip-version-check"])
                .args(["--no-deps", "--no-compile"]);
            succeed(pip.arg("--requirement").arg(requirements))
        })?;
        Ok(home.join("venv/bin"))
    }
}

/// Names what is missing, in one line.
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

/// The folder that contains `cargo-lambda`.
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

/// A script of `tests/python`, with the packages of the acceptance tests.
pub(crate) fn acceptance_script(name: &str) -> Command {
    script_with(&acceptance(), name)
}

fn script_with(bin: &Path, name: &str) -> Command {
    let mut command = without_account(Command::new(bin.join("python")));
    command.arg(root().join("tests/python").join(name));
    command
}

/// Runs a script with `input` on its stdin. Returns its stdout.
pub(crate) fn run_python<A: AsRef<OsStr>>(script: &str, arguments: &[A], input: &str) -> String {
    printed(self::script(script).args(arguments), input)
}

/// As [`run_python`], with the packages of the acceptance tests.
pub(crate) fn run_acceptance_python<A: AsRef<OsStr>>(
    script: &str,
    arguments: &[A],
    input: &str,
) -> String {
    printed(acceptance_script(script).args(arguments), input)
}

fn printed(script: &mut Command, input: &str) -> String {
    let output = run_with_input(script, input);
    assert!(
        output.status.success(),
        "{script:?}: {}",
        output_text(&output)
    );
    String::from_utf8(output.stdout).expect("a script prints UTF-8")
}

#[test]
fn the_pins_name_versions_and_no_download_address() {
    let lines = [TESTS, ACCEPTANCE, PACKAGING].map(|packages| packages.pins.lines());
    for line in lines.into_iter().flatten() {
        let is_pin = line.contains("==") && !line.contains("://");
        let is_other = line.is_empty() || line.starts_with('#');
        assert!(is_pin || is_other, "`{line}` is not an exact pin");
    }
}
