//! Node.js, with the packages of the lock files.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::install::{found, install, reserve, succeed, version, write};
use super::{output_text, root, without_account};

/// The files from which a folder of Node.js packages is installed.
struct Packages {
    folder: &'static str,
    package: &'static str,
    lock: &'static str,
}

/// The packages of the deployment.
const DEPLOYMENT: Packages = Packages {
    folder: "node",
    package: include_str!("../../../package.json"),
    lock: include_str!("../../../package-lock.json"),
};

/// The packages of the tests.
const TESTS: Packages = Packages {
    folder: "node-tests",
    package: include_str!("../../node/package.json"),
    lock: include_str!("../../node/package-lock.json"),
};

/// Names what is missing, in one line.
fn check() -> Result<(), String> {
    const NEEDED: &str = "20.19, 22.13 or 24 on";
    let (found, text) = version("node", "v")
        .ok_or_else(|| format!("Node.js is not installed; install {NEEDED}, with npm"))?;
    match found {
        (20, 19..) | (22, 13..) | (24.., _) => {}
        _ => return Err(format!("Node.js {text} is not supported; install {NEEDED}")),
    }
    let npm = version("npm", "");
    npm.map(|_| ()).ok_or_else(|| {
        "npm is not installed; install it: on Debian and Ubuntu, `apt-get install npm`".to_owned()
    })
}

impl Packages {
    /// The folder that holds them.
    fn installed(&self) -> Result<PathBuf, String> {
        install(
            self.folder,
            &format!("{}{}", self.package, self.lock),
            |home| {
                check()?;
                write(&home.join("package.json"), self.package)?;
                write(&home.join("package-lock.json"), self.lock)?;
                succeed(
                    Command::new("npm")
                        .args([
                            "ci",
                            "--ignore-scripts",
                            "--no-audit",
                            "--no-fund",
                            "--loglevel=error",
                        ])
                        .current_dir(home),
                )
            },
        )
    }
}

/// The pinned `osls`.
pub(crate) fn osls() -> Command {
    static HOME: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let home = found(HOME.get_or_init(|| DEPLOYMENT.installed()));
    without_account(Command::new(home.join("node_modules/.bin/osls")))
}

/// A script of `tests/node`.
pub(crate) fn node_script(name: &str) -> Command {
    static HOME: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let home = found(HOME.get_or_init(|| TESTS.installed()));
    let mut command = without_account(Command::new("node"));
    command
        .arg(root().join("tests/node").join(name))
        .env("NODE_PATH", home.join("node_modules"));
    command
}

/// Opens a page in a headless browser and returns its document. `arguments` are those of `browser.js`.
pub(crate) fn browse(page: &Path, arguments: &[&OsStr]) -> String {
    // The browser unpacks itself into this folder once. Two processes at a time would disturb each other.
    let (unpacked, _lock) = reserve("browser");
    fs::create_dir_all(&unpacked).expect("target/tmp can be written to");
    let output = node_script("browser.js")
        .arg(page)
        .args(arguments)
        .env("TMPDIR", unpacked)
        .output()
        .expect("node can be run");
    assert!(output.status.success(), "{}", output_text(&output));
    String::from_utf8(output.stdout).expect("a document is UTF-8")
}

/// Opens a page, clicks on the elements of `clicked`, and returns the texts of the visible elements of each selector.
pub(crate) fn visible_texts<const N: usize>(
    page: &Path,
    clicked: &[&str],
    selectors: [&str; N],
) -> [Vec<String>; N] {
    let question = serde_json::json!({"click": clicked, "texts": selectors.as_slice()}).to_string();
    let answer = browse(page, &[OsStr::new(&question)]);
    let texts: Vec<Vec<String>> = serde_json::from_str(&answer).expect("browser.js prints lists");
    texts.try_into().expect("there is a list for each selector")
}

/// The lock files must name neither a mirror nor a folder of one machine, because everyone installs from them.
#[test]
fn the_locks_name_versions_and_no_download_address() {
    for packages in [DEPLOYMENT, TESTS] {
        let lock: serde_json::Value = serde_json::from_str(packages.lock).unwrap();
        let locked = lock["packages"].as_object().unwrap();
        assert!(locked.len() > 1, "the lock file is empty");
        for (name, package) in locked {
            assert!(
                package.get("resolved").is_none(),
                "{name} names its download address"
            );
            assert!(
                name.is_empty() || package["integrity"].is_string(),
                "{name} has no checksum"
            );
        }
        let pinned: serde_json::Value = serde_json::from_str(packages.package).unwrap();
        for version in pinned["devDependencies"].as_object().unwrap().values() {
            assert!(
                version
                    .as_str()
                    .unwrap()
                    .starts_with(|c: char| c.is_ascii_digit()),
                "{version} is a range"
            );
        }
    }
}
