//! Sets the link options of the functions' programs.

/// The programs that Lambda starts.
const FUNCTIONS: [&str; 3] = ["parrot", "run-from-queue", "deploy-hook"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is_linux = std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux");
    if is_linux {
        // They are linked at a fixed address. Relocating a program of this size would take most of the start time
        // (docs/performance.md).
        for function in FUNCTIONS {
            println!("cargo::rustc-link-arg-bin={function}=-no-pie");
        }
    }
}
