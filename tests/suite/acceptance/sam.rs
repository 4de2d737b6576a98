//! The SAM template, checked by cfn-lint and expanded by SAM's own translator.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::tools;

/// The CloudFormation template that AWS makes of the SAM template, with these parameters.
pub(super) fn expanded(parameters: &[(&str, &str)]) -> Value {
    let parameters: BTreeMap<_, _> = parameters.iter().copied().collect();
    let template = tools::root().join("deploy/sam/template.yaml");
    let printed =
        tools::run_acceptance_python("expand_sam.py", &[template], &json!(parameters).to_string());
    serde_json::from_str(&printed).unwrap()
}

#[test]
#[ignore = "acceptance"]
fn cfn_lint_finds_nothing_in_the_templates() {
    for template in [
        "deploy/sam/template.yaml",
        "deploy/cloudformation/member.yaml",
    ] {
        let lint = tools::cfn_lint()
            .arg(tools::root().join(template))
            .output()
            .unwrap();
        assert!(
            lint.status.success(),
            "{template}: {}",
            tools::output_text(&lint)
        );
    }
}
