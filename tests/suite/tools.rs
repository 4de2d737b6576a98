//! What the deployment's tests run that cargo does not bring: Python packages and the Serverless framework,
//! installed once, in the versions that this project pins, under `target/tmp`.

use std::{
    ffi::OsStr,
    fmt::Display,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::OnceLock,
};

const REQUIREMENTS: &str = include_str!("../requirements.txt");

/// What a folder of Node.js packages is installed from.
struct Packages {
    folder: &'static str,
    package: &'static str,
    lock: &'static str,
}

/// The deployment's own.
const DEPLOYMENT: Packages = Packages {
    folder: "node",
    package: include_str!("../../package.json"),
    lock: include_str!("../../package-lock.json"),
};

/// The tests' own.
const TESTS: Packages = Packages {
    folder: "node-tests",
    package: include_str!("../node/package.json"),
    lock: include_str!("../node/package-lock.json"),
};

/// The Python that has the packages of `tests/requirements.txt`.
fn python() -> PathBuf {
    python_bin().join("python")
}

/// The folder of that Python's programs: `cargo-lambda` and `cfn-lint` among them.
pub(crate) fn python_bin() -> PathBuf {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let home = PYTHON.get_or_init(|| {
        install("python", REQUIREMENTS, |home| {
            let requirements = home.join("requirements.txt");
            write(&requirements, REQUIREMENTS)?;
            succeed(
                Command::new("python3")
                    .arg("-m")
                    .arg("venv")
                    .arg(home.join("venv")),
            )?;
            succeed(
                Command::new(home.join("venv/bin/pip"))
                    .args([
                        "install",
                        "--quiet",
                        "--disable-pip-version-check",
                        "--requirement",
                    ])
                    .arg(requirements),
            )
        })
    });
    found("python3 with its venv module", home).join("venv/bin")
}

/// What Node.js's packages need.
const NODE: &str = "Node.js 20.19, 22.13 or 24 on, with npm";

/// A script of `tests/python`.
pub(crate) fn script(name: &str) -> Command {
    let mut command = without_account(Command::new(python()));
    command.arg(root().join("tests/python").join(name));
    command
}

/// Runs a script with `input` on its stdin, and gives what it printed.
pub(crate) fn run_python<A: AsRef<OsStr>>(script: &str, arguments: &[A], input: &str) -> String {
    let output = run_with_input(self::script(script).args(arguments), input);
    assert!(
        output.status.success(),
        "{script} failed: {}",
        told(&output)
    );
    String::from_utf8(output.stdout).expect("a script prints UTF-8")
}

impl Packages {
    /// The folder that holds them.
    fn installed(&self) -> Result<PathBuf, String> {
        install(
            self.folder,
            &format!("{}{}", self.package, self.lock),
            |home| {
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
    let home = found(NODE, HOME.get_or_init(|| DEPLOYMENT.installed()));
    without_account(Command::new(home.join("node_modules/.bin/osls")))
}

/// A script of `tests/node`.
pub(crate) fn node_script(name: &str) -> Command {
    static HOME: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let home = found(NODE, HOME.get_or_init(|| TESTS.installed()));
    let mut command = without_account(Command::new("node"));
    command
        .arg(root().join("tests/node").join(name))
        .env("NODE_PATH", home.join("node_modules"));
    command
}

/// A page's document as a browser without a window has it, after what `arguments` of `browser.js` ask for.
pub(crate) fn browse(page: &Path, arguments: &[&OsStr]) -> String {
    // The browser unpacks itself there, once; two at a time would disturb each other.
    let (unpacked, _lock) = reserve("browser");
    fs::create_dir_all(&unpacked).expect("target/tmp can be written to");
    let output = node_script("browser.js")
        .arg(page)
        .args(arguments)
        .env("TMPDIR", unpacked)
        .output()
        .expect("node can be run");
    assert!(output.status.success(), "{}", told(&output));
    String::from_utf8(output.stdout).expect("a document is UTF-8")
}

/// The same program without this machine's AWS account, and without a proxy before our own servers.
fn without_account(mut command: Command) -> Command {
    for (name, _) in std::env::vars() {
        if name.starts_with("AWS_") || name.starts_with("SLS_") {
            command.env_remove(name);
        }
    }
    command.env("AWS_EC2_METADATA_DISABLED", "true");
    command.env("AWS_CONFIG_FILE", "/nonexistent");
    command.env("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent");
    command.env("NO_PROXY", "127.0.0.1");
    command
}

/// This project's folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A fresh folder under `target/tmp`, gone with the value.
pub(crate) fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("target/tmp can be written to")
}

pub(crate) fn run_with_input(command: &mut Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let input = input.to_owned();
    // A thread of its own: a child may fill its stdout before it has read everything.
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child
        .wait_with_output()
        .expect("the child can be waited for");
    // A child that ends without reading on is judged by its own status.
    let _ = writer.join().expect("the writer does not panic");
    output
}

/// Both streams of a program, for a message.
pub(crate) fn told(output: &Output) -> String {
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    format!("{}\n{out}{err}", output.status)
}

/// A folder of that name under `target/tmp`, for us alone, test processes beside us included, until the lock
/// is dropped.
pub(crate) fn reserve(name: &str) -> (PathBuf, fs::File) {
    let tools = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let lock =
        fs::File::create(tools.join(format!("{name}.lock"))).expect("target/tmp can be written to");
    lock.lock().expect("a file can be locked");
    (tools.join(name), lock)
}

/// Has `how` fill a folder, unless it was filled from the same `pins` before.
fn install(
    name: &str,
    pins: &str,
    how: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    let (home, _lock) = reserve(name);
    let stamp = home.join("installed");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == pins) {
        return Ok(home);
    }
    if home.exists() {
        fs::remove_dir_all(&home).map_err(describe)?;
    }
    fs::create_dir_all(&home).map_err(describe)?;
    how(&home)?;
    write(&stamp, pins)?;
    Ok(home)
}

fn found<'a>(needed: &str, home: &'a Result<PathBuf, String>) -> &'a Path {
    match home {
        Ok(home) => home,
        Err(problem) => {
            panic!("this test needs {needed}, and the packages they install: {problem}")
        }
    }
}

fn succeed(command: &mut Command) -> Result<(), String> {
    let output = command
        .output()
        .map_err(|error| format!("cannot run {command:?}: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("{command:?}: {}", told(&output)))
    }
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn describe(error: impl Display) -> String {
    error.to_string()
}

#[test]
fn an_installation_is_renewed_only_when_its_pins_change() {
    let name = format!("install-{}", std::process::id());
    let mut filled = Vec::new();
    for pins in ["one", "one", "two"] {
        install(&name, pins, |home| {
            filled.push(pins);
            assert!(
                !home.join("left").exists(),
                "what the older pins brought is gone"
            );
            write(&home.join("left"), pins)
        })
        .unwrap();
    }
    assert_eq!(filled, ["one", "two"]);

    let failed = install(&name, "three", |_| Err("no network".to_owned()));
    assert_eq!(failed, Err("no network".to_owned()));
    install(&name, "three", |_| {
        filled.push("three");
        Ok(())
    })
    .unwrap();
    assert_eq!(
        filled,
        ["one", "two", "three"],
        "what failed is tried again"
    );

    let tools = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::remove_dir_all(tools.join(&name)).unwrap();
    fs::remove_file(tools.join(format!("{name}.lock"))).unwrap();
}

/// Nobody's mirror and no folder of a machine stand in what everybody installs from.
#[test]
fn the_pins_name_versions_and_no_place_to_fetch_them_from() {
    for packages in [DEPLOYMENT, TESTS] {
        check_pins(&packages);
    }
    for line in REQUIREMENTS
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        assert!(
            line.contains("==") && !line.contains("://"),
            "`{line}` is no exact pin"
        );
    }
}

fn check_pins(packages: &Packages) {
    let lock: serde_json::Value = serde_json::from_str(packages.lock).unwrap();
    let locked = lock["packages"].as_object().unwrap();
    assert!(locked.len() > 1, "the lock file is empty");
    for (name, package) in locked {
        assert!(
            package.get("resolved").is_none(),
            "{name} names where it was downloaded from"
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
