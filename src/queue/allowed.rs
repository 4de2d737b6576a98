//! What messages may run.

use serde_json::{Map, Value};

use super::Refusal;
use crate::arn;
use crate::triage::Globs;

/// What may be run; nothing by default. Running a task is acting with its role's rights.
#[derive(Debug, Clone, Default)]
pub struct Allowed {
    pub clusters: Globs,
    pub task_definitions: Globs,
}

impl Allowed {
    pub(super) fn check(&self, request: &Map<String, Value>) -> Result<(), Refusal> {
        let text = |field: &str| request.get(field).and_then(Value::as_str);
        let cluster = arn::name(text("cluster").unwrap_or("default"));
        if !self.clusters.matches(Some(cluster)) {
            return Err(refused("cluster", cluster, "ALLOWED_CLUSTERS"));
        }
        let Some(definition) = text("taskDefinition") else {
            return Ok(());
        };
        let (family, _) = arn::task_definition(definition);
        let full = arn::name(definition);
        let allowed = &self.task_definitions;
        if allowed.matches(Some(&family)) || allowed.matches(Some(full)) {
            Ok(())
        } else {
            Err(refused("task definition", full, "ALLOWED_TASK_DEFINITIONS"))
        }
    }
}

fn refused(what: &str, name: &str, variable: &str) -> Refusal {
    Refusal::NotAllowed(format!(
        "{what} `{name}` is not allowed: {variable} says which are, and without it none is"
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_is_allowed_until_it_is_said() {
        let request = |cluster: &str, definition: &str| {
            let request = json!({"cluster": cluster, "taskDefinition": definition});
            request.as_object().unwrap().clone()
        };
        let globs = |pattern: &str| Globs::new([pattern]).unwrap();
        let allowed = Allowed {
            clusters: globs("prod*"),
            task_definitions: globs("job-*"),
        };
        let arn = "arn:aws:ecs:eu-west-1:210987654321:task-definition/job-a:3";
        for (cluster, definition, is_allowed) in [
            ("prod", "job-a", true),
            (
                "arn:aws:ecs:eu-west-1:210987654321:cluster/prod-2",
                arn,
                true,
            ),
            ("prod", "web", false),
            ("staging", "job-a", false),
            ("prod", "x/job-a", true),
        ] {
            let checked = allowed.check(&request(cluster, definition));
            assert_eq!(checked.is_ok(), is_allowed, "{cluster} {definition}");
        }
        let refusal = Allowed::default()
            .check(&request("prod", "job-a"))
            .unwrap_err();
        assert!(
            refusal
                .to_string()
                .contains("ALLOWED_CLUSTERS says which are"),
            "{refusal}"
        );
        let exact = Allowed {
            clusters: globs("prod"),
            task_definitions: globs("job-a:3"),
        };
        assert!(exact.check(&request("prod", arn)).is_ok());
        assert!(exact.check(&request("prod", "job-a:4")).is_err());
    }
}
