//! Valgrind, which counts a program's instructions.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::install::{found, install, succeed};

/// The Valgrind on the PATH, or Debian's package, unpacked for the tests. The program that it runs has an empty
/// environment.
pub(crate) fn valgrind() -> Command {
    let is_there = Command::new("valgrind").arg("--version").output();
    if is_there.is_ok_and(|output| output.status.success()) {
        let mut command = Command::new("valgrind");
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env_clear().env("PATH", path);
        return command;
    }
    let home = install("valgrind", "1", |home| {
        unpack(home).map_err(|error| {
            format!("Valgrind is not installed; install it: on Debian and Ubuntu, `apt-get install valgrind` ({error})")
        })
    });
    let root = found(&home).join("root/usr");
    // Debian's `valgrind` is a script that runs the program at its usual place, so that it cannot be used here.
    let mut command = Command::new(root.join("bin/valgrind.bin"));
    let symbols = root.join("lib/debug");
    command
        .arg(format!("--extra-debuginfo-path={}", symbols.display()))
        .env_clear()
        .env("VALGRIND_LIB", root.join("libexec/valgrind"));
    command
}

/// Downloads and unpacks Debian's packages of Valgrind and of the C library's symbols, which it needs.
fn unpack(home: &Path) -> Result<(), String> {
    let (lists, cache, root) = (home.join("lists"), home.join("cache"), home.join("root"));
    for folder in [
        lists.join("partial"),
        cache.join("archives/partial"),
        root.clone(),
    ] {
        fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    }
    let apt_get = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command
            .args(["--quiet", "--quiet"])
            .arg(format!("--option=Dir::State::lists={}", lists.display()))
            .arg(format!("--option=Dir::Cache={}", cache.display()))
            .args(arguments)
            .current_dir(&cache);
        succeed(&mut command)
    };
    apt_get(&["update"])?;
    apt_get(&["download", "valgrind", "libc6-dbg"])?;
    for entry in fs::read_dir(&cache).map_err(|error| error.to_string())? {
        let package = entry.map_err(|error| error.to_string())?.path();
        if package.extension().is_some_and(|it| it == "deb") {
            succeed(
                Command::new("dpkg")
                    .arg("--extract")
                    .arg(package)
                    .arg(&root),
            )?;
        }
    }
    Ok(())
}
