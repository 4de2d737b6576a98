//! How the functions' programs are linked.

/// Those that Lambda starts.
const FUNCTIONS: [&str; 3] = ["parrot", "run-from-queue", "deploy-hook"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is_linux = std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux");
    if is_linux {
        // At a fixed address: to move a program of this size to another one is most of a start (docs/performance.md).
        for function in FUNCTIONS {
            println!("cargo::rustc-link-arg-bin={function}=-no-pie");
        }
    }
}
