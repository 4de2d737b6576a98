//! The clusters and task definitions that messages may use.

use serde_json::{Map, Value};

use super::RecordError;
use crate::ecs::arn;
use crate::text::globs::Globs;

/// What messages may run; by default nothing. Whoever runs a task has the permissions of its role.
#[derive(Debug, Clone, Default)]
pub struct Allowed {
    pub clusters: Patterns,
    pub task_definitions: Patterns,
}

/// Patterns with their texts, which error messages show.
#[derive(Debug, Clone, Default)]
pub struct Patterns {
    globs: Globs,
    texts: Vec<String>,
}

impl Patterns {
    /// `texts` are the patterns of `globs`.
    pub fn new(globs: Globs, texts: Vec<String>) -> Self {
        Self { globs, texts }
    }

    fn matches(&self, name: &str) -> bool {
        self.globs.matches(Some(name))
    }
}

impl Allowed {
    pub(super) fn check(&self, request: &Map<String, Value>) -> Result<(), RecordError> {
        let text = |field: &str| request.get(field).and_then(Value::as_str);
        let cluster = arn::name(text("cluster").unwrap_or("default"));
        if !self.clusters.matches(cluster) {
            let allowed = &self.clusters;
            return Err(not_allowed("cluster", cluster, "ALLOWED_CLUSTERS", allowed));
        }
        let Some(definition) = text("taskDefinition") else {
            return Ok(());
        };
        let (family, _) = arn::task_definition(definition);
        let full = arn::name(definition);
        let allowed = &self.task_definitions;
        if allowed.matches(&family) || allowed.matches(full) {
            Ok(())
        } else {
            let variable = "ALLOWED_TASK_DEFINITIONS";
            Err(not_allowed("task definition", full, variable, allowed))
        }
    }
}

fn not_allowed(
    what: &'static str,
    name: &str,
    variable: &'static str,
    allowed: &Patterns,
) -> RecordError {
    let patterns: Vec<_> = allowed.texts.iter().map(|it| format!("`{it}`")).collect();
    RecordError::NotAllowed {
        what,
        name: name.to_owned(),
        variable,
        allowed: match patterns.as_slice() {
            [] => "is not set, so nothing is allowed".to_owned(),
            patterns => format!("allows {}", patterns.join(", ")),
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_is_allowed_by_default() {
        let request = |cluster: &str, definition: &str| {
            let request = json!({"cluster": cluster, "taskDefinition": definition});
            request.as_object().unwrap().clone()
        };
        let globs =
            |pattern: &str| Patterns::new(Globs::new([pattern]).unwrap(), vec![pattern.to_owned()]);
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
        let error = Allowed::default()
            .check(&request("prod", "job-a"))
            .unwrap_err();
        assert!(
            error.to_string().contains("ALLOWED_CLUSTERS is not set"),
            "{error}"
        );
        let error = allowed.check(&request("prod", "web")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "task definition `web` is not allowed: ALLOWED_TASK_DEFINITIONS allows `job-*`"
        );
        let exact = Allowed {
            clusters: globs("prod"),
            task_definitions: globs("job-a:3"),
        };
        assert!(exact.check(&request("prod", arn)).is_ok());
        assert!(exact.check(&request("prod", "job-a:4")).is_err());
    }
}
