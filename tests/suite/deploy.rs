//! What is deployed: the stack that serverless.yml describes, the zip that `make package` builds, and the
//! commands that README names, against moto's AWS.

mod infrastructure;
mod make;
pub(crate) use make::packaged_program;
mod running;
mod stack;
mod upgrade;

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::tools;

const EXAMPLE: &str = include_str!("../../serverless.env.yml.example");
const CARNIVAL: &str = include_str!("../carnival/serverless.env.yml");

/// What describes the service: serverless.yml and the files of its functions, by name.
pub(crate) fn service_files() -> Vec<(String, String)> {
    let mut names = vec!["serverless.yml".to_owned()];
    let folder = "deploy/serverless";
    for entry in fs::read_dir(tools::root().join(folder)).unwrap() {
        let name = entry.unwrap().file_name();
        names.push(format!("{folder}/{}", name.to_str().unwrap()));
    }
    let read = |name: String| {
        let text = fs::read_to_string(tools::root().join(&name)).unwrap();
        (name, text)
    };
    names.into_iter().map(read).collect()
}

/// A copy of this service with site settings of its own and a zip that holds no program.
pub(crate) struct Package {
    folder: TempDir,
}

impl Package {
    /// Without a serverless.env.yml.
    pub(crate) fn new() -> Self {
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

    pub(crate) fn settings(self, yaml: &str) -> Self {
        fs::write(self.folder.path().join("serverless.env.yml"), yaml).unwrap();
        self
    }

    fn osls(&self, arguments: &[&str]) -> std::process::Output {
        tools::osls()
            .args(arguments)
            .current_dir(&self.folder)
            .output()
            .unwrap()
    }

    /// The CloudFormation template, which cfn-lint finds nothing wrong with.
    pub(crate) fn template(&self) -> Value {
        self.template_with(&[])
    }

    fn template_with(&self, options: &[&str]) -> Value {
        let output = self.osls(&[&["package"], options].concat());
        assert!(
            output.status.success(),
            "osls package: {}",
            tools::told(&output)
        );
        let template = self
            .folder
            .path()
            .join(".serverless/cloudformation-template-update-stack.json");
        let lint = Command::new(tools::python_bin().join("cfn-lint"))
            .arg(&template)
            .output()
            .unwrap();
        assert!(lint.status.success(), "cfn-lint: {}", tools::told(&lint));
        parse(&template)
    }

    /// What `osls package` says against the settings.
    fn refusal(&self) -> String {
        let output = self.osls(&["package"]);
        assert!(
            !output.status.success(),
            "osls package accepted it: {}",
            tools::told(&output)
        );
        tools::told(&output)
    }
}

pub(crate) fn parse(path: &Path) -> Value {
    let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn function(template: &Value) -> &Value {
    &template["Resources"]["ParrotLambdaFunction"]["Properties"]
}

fn environment(template: &Value) -> &Value {
    &function(template)["Environment"]["Variables"]
}

/// The rule whose name ends like this.
fn rule<'a>(template: &'a Value, name: &str) -> &'a Value {
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
