//! A request to run tasks: the input of RunTask, whichever front end made it.
//!
//! It is the SDK's own type, so that new fields of RunTask need no code here. A request that ECS would not accept
//! because of its size or form is an error here, before anything is created for it.
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html>

mod reader;

use std::cell::RefCell;

use aws_sdk_ecs::operation::run_task::RunTaskInput;
use aws_sdk_ecs::types::{
    AssignPublicIp, AwsVpcConfiguration, LaunchType, NetworkConfiguration, PlacementConstraintType,
    PlacementStrategyType, PropagateTags,
};
use aws_smithy_json::codec::JsonCodec;
use aws_smithy_schema::codec::Codec as _;
use aws_smithy_schema::serde::{SerializableStruct, ShapeSerializer as _};
use serde_json::Value;

use crate::text::spelling::nearest;
use reader::Reader;

#[derive(Debug, Clone, PartialEq)]
pub struct RunRequest(RunTaskInput);

/// All problems of a request.
#[derive(Debug, thiserror::Error)]
#[error("{}", join(.0))]
pub struct InvalidRequest(pub Vec<RequestProblem>);

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestProblem {
    #[error("this is not a RunTask request: {0}")]
    Json(String),
    #[error("RunTask has no field `{key}`{}", or_meant(.meant.as_deref()))]
    UnknownKey { key: String, meant: Option<String> },
    #[error("`{field}` must be {wanted}, but is {given}")]
    Form {
        field: String,
        wanted: &'static str,
        given: &'static str,
    },
    #[error("`{field}`: `{value}` is not a known value; allowed: {}{}", .allowed.join(", "), or_meant(nearest(.value, .allowed.iter().copied())))]
    Value {
        field: &'static str,
        value: String,
        allowed: &'static [&'static str],
    },
    #[error("`taskDefinition` is missing")]
    NoTaskDefinition,
    #[error("`count` is {0}; allowed: 1 to 10")]
    Count(i32),
    #[error("{count} {what}; allowed: at most {limit}")]
    TooMany {
        what: &'static str,
        count: usize,
        limit: usize,
    },
    #[error(
        "`overrides` has {0} bytes of JSON; allowed: at most 8,192; store large values elsewhere, for example in Amazon S3"
    )]
    OverridesTooLarge(usize),
    #[error("expected a launch type or a capacity provider, not both")]
    LaunchTypeAndProvider,
    #[error("`startedBy` is `{0}`; allowed: up to 128 letters, digits, `-`, `_` and `/`")]
    StartedBy(String),
    #[error("`clientToken`: allowed: 1 to 64 characters from `!` to `~`")]
    ClientToken,
    #[error(
        "`propagateTags`: allowed: TASK_DEFINITION, NONE; a task that is run by itself has no service"
    )]
    PropagatesServiceTags,
}

fn or_meant(meant: Option<&str>) -> String {
    meant.map_or_else(String::new, |it| format!(" (did you mean `{it}`?)"))
}

fn join(problems: &[RequestProblem]) -> String {
    let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
    lines.join("; ")
}

/// The largest size of a request's overrides, in bytes of JSON.
pub const MAX_OVERRIDES: usize = 8_192;

impl RunRequest {
    pub fn new(input: RunTaskInput) -> Result<Self, InvalidRequest> {
        let request = Self(input);
        let problems = request.problems();
        if problems.is_empty() {
            Ok(request)
        } else {
            Err(InvalidRequest(problems))
        }
    }

    /// Reads a request with the field names of RunTask, `{"cluster": …, "taskDefinition": …}`. An unknown field is an
    /// error: without it, another task would run than the sender wanted. The suggestion for it may be one of `aliases`.
    pub fn from_json(json: &Value, aliases: &[&'static str]) -> Result<Self, InvalidRequest> {
        let problems = RefCell::new(Vec::new());
        let read = RunTaskInput::deserialize(&mut Reader::new(json, aliases, &problems));
        let problems = problems.into_inner();
        match read {
            Ok(input) if problems.is_empty() => Self::new(input),
            Ok(_) => Err(InvalidRequest(problems)),
            Err(error) => Err(InvalidRequest(vec![RequestProblem::Json(
                error.to_string(),
            )])),
        }
    }

    pub fn input(&self) -> &RunTaskInput {
        &self.0
    }

    /// The cluster's name or ARN. Without one, AWS uses the cluster `default`.
    pub fn cluster(&self) -> &str {
        self.0.cluster().unwrap_or("default")
    }

    /// The same request for another task definition.
    #[must_use]
    pub fn for_definition(&self, definition: &str) -> Self {
        let mut input = self.0.clone();
        input.task_definition = Some(definition.to_owned());
        Self(input)
    }

    /// The same request with another client token, so that ECS handles it as a new one.
    #[must_use]
    pub fn with_token(&self, token: String) -> Self {
        let mut input = self.0.clone();
        input.client_token = Some(token);
        Self(input)
    }

    pub fn has_tags(&self) -> bool {
        !self.0.tags().is_empty()
    }

    /// The same request without tags, for callers without permission to set tags.
    #[must_use]
    pub fn without_tags(&self) -> Self {
        let mut input = self.0.clone();
        input.tags = None;
        Self(input)
    }

    /// The JSON that is sent to AWS.
    pub fn to_json(&self) -> Value {
        to_json(RunTaskInput::SCHEMA, &self.0)
    }

    fn problems(&self) -> Vec<RequestProblem> {
        let it = &self.0;
        let mut problems = Vec::new();
        let mut check = |is_wrong: bool, problem: RequestProblem| {
            if is_wrong {
                problems.push(problem);
            }
        };
        let has_definition = it.task_definition().is_some_and(|name| !name.is_empty());
        check(!has_definition, RequestProblem::NoTaskDefinition);
        let count = it.count().unwrap_or(1);
        check(!(1..=10).contains(&count), RequestProblem::Count(count));
        for (what, count, limit) in self.sizes() {
            check(
                count > limit,
                RequestProblem::TooMany { what, count, limit },
            );
        }
        let overrides = self.overrides_size();
        check(
            overrides > MAX_OVERRIDES,
            RequestProblem::OverridesTooLarge(overrides),
        );
        let both = it.launch_type().is_some() && !it.capacity_provider_strategy().is_empty();
        check(both, RequestProblem::LaunchTypeAndProvider);
        if let Some(text) = it.started_by() {
            check(
                !is_started_by(text),
                RequestProblem::StartedBy(text.to_owned()),
            );
        }
        if let Some(token) = it.client_token() {
            check(!is_token(token), RequestProblem::ClientToken);
        }
        for (field, value, allowed) in self.enumerations() {
            let value = value.to_owned();
            let is_wrong = !allowed.contains(&value.as_str());
            let problem = RequestProblem::Value {
                field,
                value,
                allowed,
            };
            check(is_wrong, problem);
        }
        let propagates_service = it.propagate_tags() == Some(&PropagateTags::Service);
        check(propagates_service, RequestProblem::PropagatesServiceTags);
        problems
    }

    /// Each field that is an enumeration, with its value and the values that AWS knows.
    fn enumerations(&self) -> Vec<(&'static str, &str, &'static [&'static str])> {
        let it = &self.0;
        let network = it
            .network_configuration()
            .and_then(NetworkConfiguration::awsvpc_configuration);
        let public_ip = network.and_then(AwsVpcConfiguration::assign_public_ip);
        let one = [
            it.launch_type()
                .map(|it| ("launchType", it.as_str(), LaunchType::values())),
            it.propagate_tags()
                .map(|it| ("propagateTags", it.as_str(), PropagateTags::values())),
            public_ip.map(|it| ("assignPublicIp", it.as_str(), AssignPublicIp::values())),
        ];
        let constraints = it.placement_constraints().iter();
        let constraints = constraints.filter_map(|it| {
            let allowed = PlacementConstraintType::values();
            Some(("placementConstraints.type", it.r#type()?.as_str(), allowed))
        });
        let strategies = it.placement_strategy().iter();
        let strategies = strategies.filter_map(|it| {
            let allowed = PlacementStrategyType::values();
            Some(("placementStrategy.type", it.r#type()?.as_str(), allowed))
        });
        let one = one.into_iter().flatten();
        one.chain(constraints).chain(strategies).collect()
    }

    fn sizes(&self) -> [(&'static str, usize, usize); 6] {
        let network = self
            .0
            .network_configuration()
            .and_then(NetworkConfiguration::awsvpc_configuration);
        let subnets = network.map_or(0, |it| it.subnets().len());
        let groups = network.map_or(0, |it| it.security_groups().len());
        [
            ("subnets", subnets, 16),
            ("security groups", groups, 5),
            (
                "placement constraints",
                self.0.placement_constraints().len(),
                10,
            ),
            ("placement strategies", self.0.placement_strategy().len(), 5),
            (
                "capacity providers",
                self.0.capacity_provider_strategy().len(),
                20,
            ),
            ("tags", self.0.tags().len(), 50),
        ]
    }

    fn overrides_size(&self) -> usize {
        let json = self.to_json();
        json.get("overrides").map_or(0, |it| it.to_string().len())
    }
}

/// A value of the SDK as the JSON that is sent to AWS.
fn to_json(schema: &aws_smithy_schema::Schema<'_>, value: &dyn SerializableStruct) -> Value {
    let mut serializer = JsonCodec::default().create_serializer();
    match serializer.write_struct(schema, value) {
        Ok(()) => serde_json::from_slice(&serializer.finish()).unwrap_or_default(),
        Err(_) => Value::Null,
    }
}

fn is_started_by(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/');
    text.len() <= 128 && text.chars().all(allowed)
}

fn is_token(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| (33..=126).contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ecs::operation::run_task::builders::RunTaskInputBuilder;
    use aws_sdk_ecs::types::{
        AwsVpcConfiguration, CapacityProviderStrategyItem, ContainerOverride, LaunchType,
        TaskOverride,
    };

    fn input() -> RunTaskInputBuilder {
        RunTaskInput::builder()
            .cluster("prod")
            .task_definition("web:1")
    }

    fn problems(input: RunTaskInputBuilder) -> Vec<RequestProblem> {
        match RunRequest::new(input.build().unwrap()) {
            Ok(_) => Vec::new(),
            Err(InvalidRequest(problems)) => problems,
        }
    }

    fn network(subnets: usize) -> NetworkConfiguration {
        let awsvpc = AwsVpcConfiguration::builder()
            .set_subnets(Some(vec!["subnet-1".to_owned(); subnets]))
            .build()
            .unwrap();
        NetworkConfiguration::builder()
            .awsvpc_configuration(awsvpc)
            .build()
    }

    fn command(bytes: usize) -> TaskOverride {
        let container = ContainerOverride::builder()
            .name("app")
            .command("x".repeat(bytes));
        TaskOverride::builder()
            .container_overrides(container.build())
            .build()
    }

    #[test]
    fn a_request_that_ecs_would_not_accept_is_an_error() {
        let provider = CapacityProviderStrategyItem::builder()
            .capacity_provider("FARGATE")
            .build()
            .unwrap();
        let both = input()
            .launch_type(LaunchType::Fargate)
            .capacity_provider_strategy(provider);
        for (input, expected) in [
            (input(), vec![]),
            (input().count(10), vec![]),
            (input().count(11), vec![RequestProblem::Count(11)]),
            (input().count(0), vec![RequestProblem::Count(0)]),
            (
                RunTaskInput::builder(),
                vec![RequestProblem::NoTaskDefinition],
            ),
            (input().network_configuration(network(16)), vec![]),
            (
                input().network_configuration(network(17)),
                vec![RequestProblem::TooMany {
                    what: "subnets",
                    count: 17,
                    limit: 16,
                }],
            ),
            (input().overrides(command(8_000)), vec![]),
            (
                input().overrides(command(8_192)),
                vec![RequestProblem::OverridesTooLarge(8_246)],
            ),
            (both, vec![RequestProblem::LaunchTypeAndProvider]),
            (input().started_by("ci/job-1_2"), vec![]),
            (
                input().started_by("ci job"),
                vec![RequestProblem::StartedBy("ci job".to_owned())],
            ),
            (
                input().client_token("a".repeat(65)),
                vec![RequestProblem::ClientToken],
            ),
            (
                input().client_token("a b"),
                vec![RequestProblem::ClientToken],
            ),
            (
                input().propagate_tags(PropagateTags::Service),
                vec![RequestProblem::PropagatesServiceTags],
            ),
            (
                RunTaskInput::builder().count(12).client_token(""),
                vec![
                    RequestProblem::NoTaskDefinition,
                    RequestProblem::Count(12),
                    RequestProblem::ClientToken,
                ],
            ),
        ] {
            assert_eq!(problems(input), expected);
        }
    }

    #[test]
    fn a_request_with_the_field_names_of_run_task() {
        let json = serde_json::json!({
            "cluster": "prod", "taskDefinition": "web", "launchType": "FARGATE", "count": 2,
            "overrides": {"containerOverrides": [{"name": "app", "cpu": 256, "environment": [{"name": "A", "value": "b"}]}]},
            "tags": [], "group": null, "enableExecuteCommand": false,
        });
        let request = RunRequest::from_json(&json, &[]).unwrap();
        assert_eq!(request.input().count(), Some(2));
        let problem = |json: Value| {
            let read = RunRequest::from_json(&json, &["task_def"]);
            read.unwrap_err().to_string()
        };
        for (json, expected) in [
            (
                serde_json::json!({"taskDefinition": "web", "overides": {}, "overrides": {"containerOverrides": [{"nme": "x"}]}}),
                "RunTask has no field `overides` (did you mean `overrides`?); RunTask has no field `overrides.containerOverrides[0].nme` (did you mean `overrides.containerOverrides[0].name`?)",
            ),
            (
                serde_json::json!({"taskDefinitoin": "web"}),
                "RunTask has no field `taskDefinitoin` (did you mean `taskDefinition`?)",
            ),
            (
                serde_json::json!({"taskdef": "web"}),
                "RunTask has no field `taskdef` (did you mean `task_def`?)",
            ),
            (
                serde_json::json!({"taskDefinition": "web", "colour": 1}),
                "RunTask has no field `colour`",
            ),
            (
                serde_json::json!({"taskDefinition": "web", "count": 11}),
                "`count` is 11; allowed: 1 to 10",
            ),
            (
                serde_json::json!({"taskDefinition": "web", "count": "2", "enableExecuteCommand": "true"}),
                "`count` must be a whole number, but is text; `enableExecuteCommand` must be true or false, but is text",
            ),
            (
                serde_json::json!({"taskDefinition": "web", "count": 3_000_000_000_u32}),
                "`count` must be a whole number, but is a number with a fraction or too large",
            ),
            (
                serde_json::json!({"taskDefinition": "web", "overrides": {"containerOverrides": [{"command": "ls"}]}}),
                "`overrides.containerOverrides[0].command` must be a list, but is text",
            ),
            (
                serde_json::json!({"taskDefinition": "web", "tags": [{"key": "a", "value": 1}]}),
                "`tags[0].value` must be text, but is a number",
            ),
            (
                serde_json::json!({"taskDefinition": ["web"]}),
                "`taskDefinition` must be text, but is a list",
            ),
            (
                serde_json::json!({"taskDefinition": "web", "launchType": "FARGAT"}),
                "`launchType`: `FARGAT` is not a known value; allowed: EC2, EXTERNAL, FARGATE, MANAGED_INSTANCES (did you mean `FARGATE`?)",
            ),
            (
                serde_json::json!({"taskDefinition": "web", "placementStrategy": [{"type": "spraed"}]}),
                "`placementStrategy.type`: `spraed` is not a known value; allowed: binpack, random, spread (did you mean `spread`?)",
            ),
            (
                serde_json::json!("web"),
                "this is not a RunTask request: it must be an object, but is text",
            ),
        ] {
            assert_eq!(problem(json), expected);
        }
    }

    #[test]
    fn the_json_that_is_sent() {
        let request =
            RunRequest::new(input().count(2).overrides(command(1)).build().unwrap()).unwrap();
        let expected = serde_json::json!({
            "cluster": "prod",
            "count": 2,
            "taskDefinition": "web:1",
            "overrides": {"containerOverrides": [{"name": "app", "command": ["x"]}]},
        });
        assert_eq!(request.to_json(), expected);
    }
}
