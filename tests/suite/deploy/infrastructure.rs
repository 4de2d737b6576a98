//! The SAM template and the Terraform module: what can be said of them without an account.

use std::process::Command;

use ecs_parrot::config;
use serde_json::Value;

use crate::tools;

/// A program's function in the template.
fn in_sam(program: &str) -> &'static str {
    match program {
        "parrot" => "ParrotFunction",
        "run-from-queue" => "RunFromQueueFunction",
        "deploy-hook" => "DeployHookFunction",
        other => panic!("{other} is deployed by nobody"),
    }
}

fn both() -> (Value, Value) {
    let folder = tools::root().join("deploy");
    let paths = [folder.join("sam/template.yaml"), folder.join("terraform")];
    let mut both: Value =
        serde_json::from_str(&tools::run_python("infrastructure.py", &paths, "")).unwrap();
    (both["sam"].take(), both["terraform"].take())
}

#[test]
fn cfn_lint_finds_nothing_in_the_sam_template() {
    let lint = Command::new(tools::python_bin().join("cfn-lint"))
        .arg(tools::root().join("deploy/sam/template.yaml"))
        .output()
        .unwrap();
    assert!(lint.status.success(), "cfn-lint: {}", tools::told(&lint));
}

/// Each variable of each program is set by both, from a parameter of its own.
#[test]
fn every_variable_can_be_set() {
    let (sam, terraform) = both();
    let functions = &terraform["locals"][0]["functions"];
    for (program, variables) in config::names() {
        let template = &sam["Resources"][in_sam(program)]["Properties"]["Environment"]["Variables"];
        let module = &functions[program]["environment"];
        assert_eq!(
            template.as_object().unwrap().len(),
            variables.len(),
            "{program}"
        );
        assert_eq!(
            module.as_object().unwrap().len(),
            variables.len(),
            "{program}"
        );
        for variable in variables {
            let parameter = template[&variable]["Ref"].as_str().unwrap();
            assert_eq!(parameter.to_uppercase(), variable.replace('_', ""));
            assert_eq!(sam["Parameters"][parameter]["Default"], "", "{parameter}");
            let name = variable.to_lowercase();
            assert_eq!(module[&variable], format!("${{var.{name}}}"), "{program}");
            let declared = terraform["variable"].as_array().unwrap().iter();
            let quoted = format!("\"{name}\"");
            let mut declared = declared.filter_map(|it| it.get(&quoted).or_else(|| it.get(&name)));
            let declared = declared.next().unwrap_or_else(|| panic!("variable {name}"));
            assert!(
                ["", "\"\""].contains(&declared["default"].as_str().unwrap()),
                "{declared}"
            );
        }
    }
}

/// The same programs, from the zips that `make package` makes.
#[test]
fn every_program_is_deployed_from_its_zip() {
    let (sam, terraform) = both();
    for (program, _) in config::names() {
        let zip = format!("dist/{program}.zip");
        let code = sam["Resources"][in_sam(program)]["Properties"]["CodeUri"]
            .as_str()
            .unwrap();
        assert_eq!(code, format!("../../{zip}"));
        let file = terraform["locals"][0]["functions"][program]["zip"]
            .as_str()
            .unwrap();
        assert_eq!(file.trim_matches('"'), zip.replace("dist", "${var.dist}"));
    }
}

/// Roles are passed by name only, to tasks only.
#[test]
fn no_role_is_passed_by_a_wildcard() {
    let (sam, terraform) = both();
    let mut passing = Vec::new();
    for (program, _) in config::names() {
        let policies = &sam["Resources"][in_sam(program)]["Properties"]["Policies"];
        let of_sam = policies[0]["Statement"].as_array().into_iter().flatten();
        let statements = &terraform["locals"][0]["functions"][program]["statements"];
        let of_terraform = statements.as_array().into_iter().flatten();
        let all = of_sam.chain(of_terraform);
        passing.extend(
            all.filter(|it| it["Action"].to_string().contains("iam:PassRole"))
                .cloned(),
        );
    }
    assert_eq!(passing.len(), 4, "two functions, twice");
    for statement in passing {
        let resource = statement["Resource"].to_string();
        assert!(
            resource.contains("PassRoleArns") || resource.contains("local.roles"),
            "{resource}"
        );
        let condition = statement["Condition"].to_string();
        assert!(condition.contains("iam:PassedToService"), "{condition}");
        assert!(condition.contains("ecs-tasks.amazonaws.com"), "{condition}");
    }
}
