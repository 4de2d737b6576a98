//! The role: whether it allows what the settings need.

use ecs_parrot::aws::Session;
use ecs_parrot::aws::secret::{Reference, Secret, SecretSource};
use ecs_parrot::aws::service::iam;
use ecs_parrot::ecs::arn;
use serde_json::Value;

use super::finding::Findings;
use super::installation::Installation;

/// A permission, and the setting that needs it.
#[derive(Debug, PartialEq, Eq)]
struct Need {
    action: &'static str,
    resource: String,
    setting: &'static str,
}

pub(super) async fn check(session: &Session, it: &Installation, findings: &mut Findings) {
    let before = findings.findings.len();
    let client = session.iam_with_short_timeout();
    for need in needs(it) {
        match iam::is_allowed(&client, &it.role, need.action, &need.resource).await {
            Ok(true) => {}
            Ok(false) => findings.wrong(
                "role",
                format!(
                    "{} needs {} on {}, which the role does not allow",
                    need.setting, need.action, need.resource
                ),
                format!(
                    "deploy again with the setting, or add the permission to {}",
                    it.role
                ),
            ),
            Err(error) => {
                findings.not_checked("role", &error);
                break;
            }
        }
    }
    findings.done("role", before);
}

fn needs(it: &Installation) -> Vec<Need> {
    let (account, region) = (&it.account, &it.region);
    let partition = arn::partition(region);
    let mut needs = Vec::new();
    let mut need = |setting: &'static str, action: &'static str, resource: String| {
        needs.push(Need {
            action,
            resource,
            setting,
        });
    };
    for (queue, _) in &it.sources {
        for action in [
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:ChangeMessageVisibility",
            "sqs:SendMessage",
        ] {
            need("the event queue", action, queue.clone());
        }
    }
    let table = it.variable("STATE_TABLE");
    if let Some(table) = table.filter(|it| !it.eq_ignore_ascii_case("disabled")) {
        let table = match table.starts_with("arn:") {
            true => table.to_owned(),
            false => format!("arn:{partition}:dynamodb:{region}:{account}:table/{table}"),
        };
        for action in [
            "dynamodb:BatchGetItem",
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
            "dynamodb:DeleteItem",
        ] {
            need("STATE_TABLE", action, table.clone());
        }
    }
    let enriches = !it
        .variable("ENRICH")
        .is_some_and(|it| it.eq_ignore_ascii_case("false"));
    if enriches {
        let ecs =
            |resource: &str| format!("arn:{partition}:ecs:{region}:{account}:{resource}/any/any");
        need("ENRICH", "ecs:DescribeTasks", ecs("task"));
        need("ENRICH", "ecs:DescribeServices", ecs("service"));
        need(
            "ENRICH",
            "ecs:DescribeContainerInstances",
            ecs("container-instance"),
        );
        need("ENRICH", "ecs:DescribeTaskDefinition", "*".to_owned());
        if it
            .variable("ACCOUNT_NAMES")
            .is_some_and(|it| it.contains("ALIAS"))
        {
            need("ACCOUNT_NAMES", "iam:ListAccountAliases", "*".to_owned());
        }
        if let Some(role) = it.variable("LOOKUP_ROLE") {
            need(
                "LOOKUP_ROLE",
                "sts:AssumeRole",
                role.replace("{account}", "000000000000"),
            );
        }
    }
    for (setting, reference) in references(it) {
        let scope = |service: &str| format!("arn:{partition}:{service}:{region}:{account}");
        match reference {
            Reference::Parameter(name) if name.starts_with("arn:") => {
                let arn: Vec<_> = name.split(':').take(6).collect();
                need(setting, "ssm:GetParameter", arn.join(":"));
            }
            Reference::Parameter(name) => {
                let name = name.split(':').next().unwrap_or_default();
                let name = name.trim_start_matches('/');
                let resource = format!("{}:parameter/{name}", scope("ssm"));
                need(setting, "ssm:GetParameter", resource);
            }
            Reference::SecretsManager { id, .. } => {
                // Secrets Manager appends six characters to a name.
                let resource = match id.starts_with("arn:") {
                    true => id,
                    false => format!("{}:secret:{id}-abcdef", scope("secretsmanager")),
                };
                need(setting, "secretsmanager:GetSecretValue", resource);
            }
        }
    }
    needs
}

/// The secrets that the settings name, each with its variable.
fn references(it: &Installation) -> Vec<(&'static str, Reference)> {
    let mut found = Vec::new();
    for variable in ["CHANNELS", "SLACK_WEBHOOKURL", "FLOWDOCK_API_TOKEN"] {
        let value = it.variable(variable).unwrap_or_default();
        let texts = match serde_json::from_str::<Value>(value) {
            Ok(list) => texts(&list),
            Err(_) => vec![value.to_owned()],
        };
        let sources = texts
            .into_iter()
            .map(|it| SecretSource::read(&Secret::new(it)));
        found.extend(sources.filter_map(|source| match source {
            Ok(SecretSource::Reference(reference)) => Some((variable, reference)),
            Ok(SecretSource::Inline(_)) | Err(_) => None,
        }));
    }
    found
}

/// Every text in a value, at any depth.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}
