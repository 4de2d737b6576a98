//! Runs `osls package` on a copy of serverless.yml, with the settings of a test.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::infrastructure::service_files;
use crate::{events, tools};

pub(super) const EXAMPLE: &str = include_str!("../../../serverless.env.yml.example");
pub(super) const CARNIVAL: &str = include_str!("../../carnival/serverless.env.yml");

/// Each switch below `rules`, with the end of its rule's name.
pub(super) const RULES: [(&str, &str); 7] = [
    ("api_calls", "api-calls"),
    ("native", "ecs-events"),
    ("health", "health"),
    ("scaling", "scaling"),
    ("alarms", "alarms"),
    ("code_deploy", "code-deploy"),
    ("instances", "instances"),
];

/// A copy of this service, with its own settings and with zips that contain no program.
pub(super) struct Package {
    pub(super) folder: TempDir,
}

impl Package {
    /// Without a serverless.env.yml.
    pub(super) fn new() -> Self {
        let folder = tools::scratch();
        for (name, text) in service_files() {
            let file = folder.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        fs::create_dir(folder.path().join("dist")).unwrap();
        for (program, _) in ecs_parrot::config::names() {
            let zip = format!("dist/{program}.zip");
            fs::write(folder.path().join(zip), "no program").unwrap();
        }
        Self { folder }
    }

    pub(super) fn settings(self, yaml: &str) -> Self {
        fs::write(self.folder.path().join("serverless.env.yml"), yaml).unwrap();
        self
    }

    pub(super) fn osls(&self, arguments: &[&str]) -> std::process::Output {
        tools::osls()
            .args(arguments)
            .current_dir(&self.folder)
            .output()
            .unwrap()
    }

    /// The CloudFormation template. cfn-lint must find no problem in it.
    pub(super) fn template(&self) -> Value {
        self.template_with(&[])
    }

    pub(super) fn template_with(&self, options: &[&str]) -> Value {
        let output = self.osls(&[&["package"], options].concat());
        assert!(
            output.status.success(),
            "osls package: {}",
            tools::output_text(&output)
        );
        let template = self
            .folder
            .path()
            .join(".serverless/cloudformation-template-update-stack.json");
        let lint = tools::cfn_lint().arg(&template).output().unwrap();
        assert!(
            lint.status.success(),
            "cfn-lint: {}",
            tools::output_text(&lint)
        );
        events::read(&template)
    }

    /// The error of `osls package` about the settings.
    pub(super) fn refusal(&self) -> String {
        let output = self.osls(&["package"]);
        assert!(
            !output.status.success(),
            "osls package accepted it: {}",
            tools::output_text(&output)
        );
        tools::output_text(&output)
    }
}

pub(super) fn function(template: &Value) -> &Value {
    &template["Resources"]["ParrotLambdaFunction"]["Properties"]
}

pub(super) fn environment(template: &Value) -> &Value {
    &function(template)["Environment"]["Variables"]
}

/// The rule whose name ends with `name`.
pub(super) fn rule<'a>(template: &'a Value, name: &str) -> &'a Value {
    let mut rules = template["Resources"]
        .as_object()
        .unwrap()
        .values()
        .filter(|resource| {
            resource["Type"] == "AWS::Events::Rule"
                && resource["Properties"]["Name"]
                    .as_str()
                    .unwrap()
                    .ends_with(name)
        });
    let rule = rules.next().unwrap_or_else(|| panic!("no rule `{name}`"));
    assert!(rules.next().is_none(), "two rules `{name}`");
    &rule["Properties"]
}
