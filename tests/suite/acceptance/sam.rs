//! The SAM template, checked by cfn-lint.

use crate::tools;

#[test]
#[ignore = "acceptance"]
fn cfn_lint_finds_nothing_in_the_sam_template() {
    let lint = tools::cfn_lint()
        .arg(tools::root().join("deploy/sam/template.yaml"))
        .output()
        .unwrap();
    assert!(
        lint.status.success(),
        "cfn-lint: {}",
        tools::output_text(&lint)
    );
}
