//! IAM, as far as the calls need it: which permissions each call needs, and whether a policy allows them.
//!
//! Actions, resources and condition keys are those of the Service Authorization Reference:
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerservice.html>,
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatchlogs.html>.

use std::collections::{BTreeMap, BTreeSet};

use globset::GlobBuilder;
use serde_json::{Value, json};

use super::ecs::Ecs;
use super::{ACCOUNT, Call, REGION, Refusal, arn};

/// A permission that a call needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Need {
    action: String,
    resource: String,
    keys: BTreeMap<&'static str, String>,
}

impl Need {
    fn new(action: &str, resource: String) -> Self {
        Self {
            action: action.to_owned(),
            resource,
            keys: BTreeMap::new(),
        }
    }

    fn with(mut self, key: &'static str, value: String) -> Self {
        self.keys.insert(key, value);
        self
    }

    /// The error, in AWS's words.
    pub(super) fn refusal(&self) -> Refusal {
        let (action, resource) = (&self.action, &self.resource);
        Refusal::new(
            "AccessDeniedException",
            &format!(
                "User: arn:aws:sts::{ACCOUNT}:assumed-role/ci/session is not authorized to perform: {action} \
                 on resource: {resource} because no identity-based policy allows the {action} action"
            ),
        )
    }
}

/// The permissions for a call to another AWS server, whose task definitions are not known here.
pub(crate) fn needs_elsewhere(call: &Call) -> Vec<Need> {
    needs(call, &Ecs::default())
}

pub(super) fn needs(call: &Call, ecs: &Ecs) -> Vec<Need> {
    match call.service {
        "ecs" => of_ecs(&call.operation, &call.body, ecs),
        // IAM supports no narrower resource for this action.
        "iam" => vec![Need::new(
            &format!("iam:{}", call.operation),
            "*".to_owned(),
        )],
        "sts" => vec![Need::new(
            &format!("sts:{}", call.operation),
            call.body["RoleArn"].as_str().unwrap_or("*").to_owned(),
        )],
        "logs" => vec![of_logs(&call.operation, &call.body)],
        "sqs" => {
            let url = call.body["QueueUrl"].as_str();
            let queue = url
                .or(call.body["QueueName"].as_str())
                .unwrap()
                .rsplit('/')
                .next()
                .unwrap();
            let queue = format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}");
            // A batch call needs the same permission as the single call.
            let action = call.operation.trim_end_matches("Batch");
            vec![Need::new(&format!("sqs:{action}"), queue)]
        }
        "ssm" => {
            let name = call.body["Name"].as_str().unwrap();
            let arn = if name.starts_with("arn:") {
                name.to_owned()
            } else {
                // The ARN in IAM does not contain the version of a parameter.
                let name = name.split(':').next().unwrap().trim_start_matches('/');
                format!("arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/{name}")
            };
            vec![Need::new("ssm:GetParameter", arn)]
        }
        // Secrets Manager appends six random characters to the ARN of a secret.
        "secretsmanager" => {
            let id = call.body["SecretId"].as_str().unwrap();
            let arn = format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{id}-Qm4xZr");
            vec![Need::new("secretsmanager:GetSecretValue", arn)]
        }
        "dynamodb" => {
            let by_table = call.body["RequestItems"].as_object();
            let of_batch = by_table.and_then(|it| it.keys().next()).map(String::as_str);
            let table = of_batch.or(call.body["TableName"].as_str()).unwrap();
            let table = format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}");
            vec![Need::new(&format!("dynamodb:{}", call.operation), table)]
        }
        "cloudwatch" => {
            let alarms = format!("arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:*");
            vec![Need::new(&format!("cloudwatch:{}", call.operation), alarms)]
        }
        // https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/automating-updates-to-serverless-apps.html
        service => {
            let group = format!("arn:aws:{service}:{REGION}:{ACCOUNT}:deploymentgroup:web/prod");
            vec![Need::new(&format!("{service}:{}", call.operation), group)]
        }
    }
}

/// The permissions for the calls that find the cluster of an instance.
#[test]
fn each_call_about_instances_needs_its_own_resource() {
    let needs = |operation: &str, body: Value| {
        let needs = of_ecs(operation, &body, &Ecs::default()).into_iter();
        needs.map(|it| it.resource).collect::<Vec<_>>()
    };
    let cluster = arn("cluster/prod");
    assert_eq!(needs("ListClusters", json!({})), ["*"]);
    assert_eq!(
        needs("ListContainerInstances", json!({"cluster": cluster})),
        [cluster.as_str()]
    );
    assert_eq!(
        needs(
            "ListTasks",
            json!({"cluster": "prod", "containerInstance": "1a2b"})
        ),
        [arn("container-instance/prod/1a2b")]
    );
    assert_eq!(
        needs("DescribeClusters", json!({"clusters": ["prod", cluster]})),
        [cluster.as_str(), cluster.as_str()]
    );
    assert_eq!(
        needs(
            "DescribeCapacityProviders",
            json!({"capacityProviders": ["spot"]})
        ),
        [arn("capacity-provider/spot")]
    );
}

fn of_logs(operation: &str, body: &Value) -> Need {
    let group = body["logGroupName"].as_str().unwrap();
    let group = format!("arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}");
    let resource = match body["logStreamName"].as_str() {
        Some(stream) => format!("{group}:log-stream:{stream}"),
        None => format!("{group}:*"),
    };
    Need::new(&format!("logs:{operation}"), resource)
}

fn of_ecs(operation: &str, body: &Value, ecs: &Ecs) -> Vec<Need> {
    let action = format!("ecs:{operation}");
    let cluster = body["cluster"]
        .as_str()
        .unwrap_or("default")
        .rsplit('/')
        .next()
        .unwrap();
    let in_cluster = |kind: &str, name: &str| {
        let name = name.rsplit('/').next().unwrap();
        Need::new(&action, arn(&format!("{kind}/{cluster}/{name}")))
            .with("ecs:cluster", arn(&format!("cluster/{cluster}")))
    };
    let each = |list: &str, kind: &str| {
        let names = body[list].as_array().unwrap().iter();
        names
            .map(|name| in_cluster(kind, name.as_str().unwrap()))
            .collect()
    };
    match operation {
        "DescribeTasks" => each("tasks", "task"),
        "DescribeServices" => each("services", "service"),
        "DescribeContainerInstances" => each("containerInstances", "container-instance"),
        "ListContainerInstances" => vec![Need::new(&action, arn(&format!("cluster/{cluster}")))],
        "ListTasks" => {
            let instance = body["containerInstance"].as_str().unwrap_or("*");
            vec![in_cluster("container-instance", instance)]
        }
        "DescribeClusters" => named(&action, &body["clusters"], "cluster"),
        "DescribeCapacityProviders" => {
            named(&action, &body["capacityProviders"], "capacity-provider")
        }
        "DescribeServiceRevisions" => {
            let arns = body["serviceRevisionArns"].as_array().unwrap().iter();
            arns.map(|arn| Need::new(&action, arn.as_str().unwrap().to_owned()))
                .collect()
        }
        "StopTask" => vec![in_cluster("task", body["task"].as_str().unwrap())],
        "RegisterTaskDefinition" => {
            let family = body["family"].as_str().unwrap();
            let tagged = tagging(body, operation, arn(&format!("task-definition/{family}:*")));
            let register = Need::new(&action, "*".to_owned());
            [register]
                .into_iter()
                .chain(passing(body))
                .chain(tagged)
                .collect()
        }
        "RunTask" => {
            let name = body["taskDefinition"].as_str().unwrap();
            let definition = ecs.find(name);
            let run = Need::new(&action, definition.map_or(name, |it| it.arn()).to_owned())
                .with("ecs:cluster", arn(&format!("cluster/{cluster}")));
            let roles = definition.map(|it| passing(&Value::Object(it.body.clone())));
            let overriding = passing(&body["overrides"]);
            let tagged = tagging(body, operation, arn(&format!("task/{cluster}/*")));
            let roles = roles.unwrap_or_default();
            [run]
                .into_iter()
                .chain(roles)
                .chain(overriding)
                .chain(to_ecs(body))
                .chain(tagged)
                .collect()
        }
        _ => vec![Need::new(&action, "*".to_owned())],
    }
}

/// A permission for each of these resources, which are not in a cluster.
fn named(action: &str, names: &Value, kind: &str) -> Vec<Need> {
    let names = names.as_array().into_iter().flatten();
    let names = names.filter_map(|it| it.as_str()?.rsplit('/').next());
    names
        .map(|name| Need::new(action, arn(&format!("{kind}/{name}"))))
        .collect()
}

/// A call that creates a resource with tags also needs the permission to tag it.
fn tagging(body: &Value, operation: &str, resource: String) -> Option<Need> {
    body.get("tags")?;
    Some(Need::new("ecs:TagResource", resource).with("ecs:CreateAction", operation.to_owned()))
}

fn passing(body: &Value) -> Vec<Need> {
    let roles = ["taskRoleArn", "executionRoleArn"].into_iter();
    roles
        .filter_map(|role| body.get(role)?.as_str())
        .map(|role| {
            Need::new("iam:PassRole", role.to_owned())
                .with("iam:PassedToService", "ecs-tasks.amazonaws.com".to_owned())
        })
        .collect()
}

/// ECS itself creates the EBS volumes, with a role that it is passed.
fn to_ecs(body: &Value) -> Vec<Need> {
    let volumes = body["volumeConfigurations"].as_array();
    let roles = volumes.into_iter().flatten();
    let roles = roles.filter_map(|it| it["managedEBSVolume"]["roleArn"].as_str());
    let need = |role: &str| Need::new("iam:PassRole", role.to_owned());
    roles
        .map(|role| need(role).with("iam:PassedToService", "ecs.amazonaws.com".to_owned()))
        .collect()
}

/// The Allow statements of a policy. Everything else is implicitly denied. Deny statements are not supported.
#[derive(Debug)]
pub(crate) struct Policy {
    statements: Vec<Value>,
    used: BTreeSet<String>,
}

impl Policy {
    pub(crate) fn new(document: &Value) -> Self {
        let statements = document["Statement"]
            .as_array()
            .expect("a policy has statements")
            .clone();
        assert!(
            statements.iter().all(|it| it["Effect"] == "Allow"),
            "the fake IAM supports only Allow"
        );
        Self {
            statements,
            used: BTreeSet::new(),
        }
    }

    pub(crate) fn allows(&mut self, need: &Need) -> bool {
        let Some(statement) = self.statements.iter().find(|it| matches(it, need)) else {
            return false;
        };
        self.used
            .insert(statement["Sid"].as_str().unwrap_or_default().to_owned());
        true
    }

    pub(super) fn used(&self) -> Vec<String> {
        self.used.iter().cloned().collect()
    }
}

fn matches(statement: &Value, need: &Need) -> bool {
    let any = |of: &Value, text: &str| several(of).any(|pattern| like(pattern, text));
    any(&statement["Action"], &need.action)
        && any(&statement["Resource"], &need.resource)
        && meets(&statement["Condition"], need)
}

/// The items of a string or of a list of strings.
fn several(value: &Value) -> impl Iterator<Item = &str> {
    let list = value
        .as_array()
        .map_or(std::slice::from_ref(value), Vec::as_slice);
    list.iter().filter_map(Value::as_str)
}

fn meets(condition: &Value, need: &Need) -> bool {
    let operators = condition.as_object().into_iter().flatten();
    operators.into_iter().all(|(operator, keys)| {
        assert!(
            ["StringEquals", "StringLike", "ArnEquals", "ArnLike"].contains(&operator.as_str()),
            "the fake IAM does not support {operator}"
        );
        keys.as_object().unwrap().iter().all(|(key, allowed)| {
            let value = need.keys.get(key.as_str());
            value.is_some_and(|value| {
                several(allowed).any(|it| match operator.as_str() {
                    "StringEquals" => it == value,
                    _ => like(it, value),
                })
            })
        })
    })
}

/// Matches a pattern of IAM: `*` and `?` also match `/` and `:`.
fn like(pattern: &str, text: &str) -> bool {
    let escaped = pattern.replace('[', "[[]").replace('{', "[{]");
    let glob = GlobBuilder::new(&escaped)
        .literal_separator(false)
        .build()
        .unwrap();
    glob.compile_matcher().is_match(text)
}

#[test]
fn a_policy_allows_only_what_it_names() {
    let document = serde_json::json!({"Statement": [
        {"Sid": "Run", "Effect": "Allow", "Action": "ecs:RunTask",
         "Resource": "arn:aws:ecs:*:210987654321:task-definition/web-*:*",
         "Condition": {"ArnEquals": {"ecs:cluster": arn("cluster/prod")}}},
        {"Sid": "Pass", "Effect": "Allow", "Action": ["iam:PassRole"], "Resource": "arn:aws:iam::210987654321:role/web",
         "Condition": {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}},
        {"Sid": "Read", "Effect": "Allow", "Action": "logs:Get*", "Resource": "*"},
    ]});
    let run = |definition: &str, cluster: &str| {
        Need::new("ecs:RunTask", arn(&format!("task-definition/{definition}")))
            .with("ecs:cluster", arn(&format!("cluster/{cluster}")))
    };
    let pass = |service: &str| {
        Need::new(
            "iam:PassRole",
            "arn:aws:iam::210987654321:role/web".to_owned(),
        )
        .with("iam:PassedToService", service.to_owned())
    };
    for (need, allowed) in [
        (run("web-migrate:3", "prod"), true),
        (run("web-migrate:3", "staging"), false),
        (run("api-migrate:3", "prod"), false),
        (pass("ecs-tasks.amazonaws.com"), true),
        (pass("ec2.amazonaws.com"), false),
        (
            Need::new(
                "iam:PassRole",
                "arn:aws:iam::210987654321:role/web".to_owned(),
            ),
            false,
        ),
        (Need::new("logs:GetLogEvents", "anything".to_owned()), true),
        (
            Need::new("logs:CreateLogGroup", "anything".to_owned()),
            false,
        ),
    ] {
        let mut policy = Policy::new(&document);
        assert_eq!(policy.allows(&need), allowed, "{need:?}");
        assert_eq!(policy.used().len(), usize::from(allowed));
    }
}
