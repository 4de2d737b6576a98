//! Folders under `target/tmp` into which tools are installed once, for all tests and all runs.

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::output_text;

/// Locks the folder of this name under `target/tmp`. No other test, also of another process, uses it until the lock is
/// dropped.
pub(crate) fn reserve(name: &str) -> (PathBuf, fs::File) {
    let tools = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let lock =
        fs::File::create(tools.join(format!("{name}.lock"))).expect("target/tmp can be written to");
    lock.lock().expect("a file can be locked");
    (tools.join(name), lock)
}

/// Runs `how` to fill a folder, unless it was already filled from the same `pins`.
pub(super) fn install(
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

/// The path. Panics with the reason if the installation failed.
pub(super) fn found(installed: &Result<PathBuf, String>) -> &Path {
    match installed {
        Ok(path) => path,
        Err(problem) => panic!("{problem}"),
    }
}

/// The first two numbers of a program's version, and the whole version.
pub(super) fn version(program: &str, prefix: &str) -> Option<((u32, u32), String)> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let text = text.trim().strip_prefix(prefix)?.to_owned();
    let mut numbers = text.split('.').map(str::parse);
    let version = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    Some((version, text))
}

pub(super) fn succeed(command: &mut Command) -> Result<(), String> {
    let output = command
        .output()
        .map_err(|error| format!("cannot run {command:?}: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("{command:?}: {}", output_text(&output)))
    }
}

pub(super) fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

pub(super) fn describe(error: impl Display) -> String {
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
                "the files of the older pins are deleted"
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
        "a failed installation is tried again"
    );

    let tools = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::remove_dir_all(tools.join(&name)).unwrap();
    fs::remove_file(tools.join(format!("{name}.lock"))).unwrap();
}
