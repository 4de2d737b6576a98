//! The SAM template, as cfn-lint sees it.

use std::process::Command;

use crate::tools;

#[test]
#[ignore = "acceptance"]
fn cfn_lint_finds_nothing_in_the_sam_template() {
    let lint = Command::new(tools::python_bin().join("cfn-lint"))
        .arg(tools::root().join("deploy/sam/template.yaml"))
        .output()
        .unwrap();
    assert!(lint.status.success(), "cfn-lint: {}", tools::told(&lint));
}
