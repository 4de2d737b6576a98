//! The Terraform module, planned by Terraform.
//!
//! Terraform and its provider are not in a package registry, so these tests use those of the machine, and say it if there
//! are none. `terraform init` must find the provider `hashicorp/aws`: on the network, or in a
//! [local directory](https://developer.hashicorp.com/terraform/cli/config/config-file#implied-local-mirror-directories).
//! Without them the module is only parsed, in `infrastructure.rs`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::fake_aws::REGION;
use crate::moto::Moto;
use crate::tools;

/// A copy of the module, with zips that contain no program.
pub(super) struct Module {
    /// It is removed with the value.
    _copy: TempDir,
    /// The folder of the module, or of a module in it.
    folder: PathBuf,
}

impl Module {
    /// `None` if there is no Terraform, or no provider.
    pub(super) fn new() -> Option<Self> {
        Self::of("")
    }

    /// A module in the module, by its path.
    pub(super) fn of(inner: &str) -> Option<Self> {
        if Command::new("terraform").arg("version").output().is_err() {
            println!("terraform is not on the PATH: the module is parsed, and not planned");
            return None;
        }
        let folder = tools::scratch();
        for part in ["", "modules/member", "modules/rules"] {
            fs::create_dir_all(folder.path().join(part)).unwrap();
            for entry in fs::read_dir(tools::root().join("deploy/terraform").join(part)).unwrap() {
                let file = entry.unwrap().path();
                if file.is_file() {
                    let copy = folder.path().join(part).join(file.file_name().unwrap());
                    fs::copy(&file, copy).unwrap();
                }
            }
        }
        fs::create_dir(folder.path().join("dist")).unwrap();
        for (program, _) in ecs_parrot::config::names() {
            fs::write(
                folder.path().join(format!("dist/{program}.zip")),
                "no program",
            )
            .unwrap();
        }
        let module = Self {
            folder: folder.path().join(inner),
            _copy: folder,
        };
        let init = module.terraform(&["init", "-input=false", "-backend=false"]);
        let printed = tools::output_text(&init);
        if !init.status.success() && printed.contains("query available provider packages") {
            println!("terraform finds no provider: the module is parsed, and not planned");
            return None;
        }
        assert!(init.status.success(), "{printed}");
        let valid = module.terraform(&["validate"]);
        assert!(valid.status.success(), "{}", tools::output_text(&valid));
        Some(module)
    }

    fn terraform(&self, arguments: &[&str]) -> Output {
        terraform(&self.folder, None, arguments)
    }

    /// The values of the planned resources by their types and names: `aws_sqs_queue.events[0]`.
    pub(super) fn plan(&self, variables: &str) -> BTreeMap<String, Value> {
        let mut variables: Value = serde_json::from_str(variables).unwrap();
        variables["name"] = json!("ecs-parrot-prod");
        let planned = self.try_to_plan(&variables.to_string());
        assert!(planned.status.success(), "{}", tools::output_text(&planned));
        let shown = self.terraform(&["show", "-json", "plan"]);
        let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
        let resources = shown["planned_values"]["root_module"]["resources"].as_array();
        let resources = resources.unwrap().iter().map(|it| {
            let address = it["address"].as_str().unwrap().to_owned();
            (address, it["values"].clone())
        });
        resources.collect()
    }

    /// What Terraform says of wrong variables, in one line.
    pub(super) fn refusal(&self, variables: &str) -> String {
        let planned = self.try_to_plan(variables);
        let printed = tools::output_text(&planned);
        assert!(!planned.status.success(), "{variables}: {printed}");
        let words: Vec<_> = printed.split_whitespace().filter(|it| *it != "│").collect();
        words.join(" ")
    }

    fn try_to_plan(&self, variables: &str) -> Output {
        let moto = Moto::recording(&self.folder.join("recorded"));
        fs::write(self.folder.join("test.auto.tfvars.json"), variables).unwrap();
        let plan = ["plan", "-input=false", "-out=plan"];
        terraform(&self.folder, Some(moto.url()), &plan)
    }
}

fn terraform(folder: &Path, endpoint: Option<&str>, arguments: &[&str]) -> Output {
    let mut command = Command::new("terraform");
    command
        .args(arguments)
        .arg("-no-color")
        .current_dir(folder)
        .env("AWS_REGION", REGION)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("CHECKPOINT_DISABLE", "1");
    if let Some(endpoint) = endpoint {
        command.env("AWS_ENDPOINT_URL", endpoint);
    }
    command.output().unwrap()
}

/// What is wrong is said before anything is made.
#[test]
#[ignore = "acceptance"]
fn wrong_variables_are_refused() {
    let Some(module) = Module::new() else {
        return;
    };
    for (variables, expected) in [
        (r#"{"ingest": "queu"}"#, "ingest is queue or direct"),
        (
            r#"{"channels": [{"name": "a", "type": "slack", "only": "service"}]}"#,
            "use jsonencode()",
        ),
        (r#"{"archive_retention": 2}"#, "CloudWatch Logs allows"),
        (r#"{"rules": {"health": "maybe"}}"#, "a bool is required"),
        (r#"{"name": "a name"}"#, "at most 30 letters"),
        (
            r#"{"hub": {"organization": "my-organization"}}"#,
            "hub.organization is the id of an organization",
        ),
        (
            r#"{"hub": {"lookup_role": "arn:aws:iam::123456789012:role/a"}}"#,
            "hub.lookup_role is the ARN of a role with {account}",
        ),
        (
            r#"{"zip_checksums": {"parrot": "0000000000000000000000000000000000000000000000000000000000000000"}}"#,
            "is not the file of zip_checksums",
        ),
    ] {
        let printed = module.refusal(variables);
        assert!(printed.contains(expected), "{variables}: {printed}");
    }
}
