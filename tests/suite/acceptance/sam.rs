//! The SAM template, checked by cfn-lint and compared with serverless.yml.

use super::package::{Package, rule};
use crate::{infrastructure, tools};

/// The rules take the same events in both. Another test compares the SAM template with the Terraform module.
#[test]
#[ignore = "acceptance"]
fn the_rules_are_those_of_serverless_yml() {
    let template = Package::new().template();
    for (name, pattern) in infrastructure::patterns_of_sam() {
        let rule = rule(&template, &format!("-{name}"));
        assert_eq!(rule["EventPattern"], pattern, "{name}");
    }
}

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
