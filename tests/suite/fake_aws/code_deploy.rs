//! CodeDeploy, as far as a hook reports to it. It accepts one report for each execution.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Answer, FakeAws, Refusal};

#[derive(Default)]
pub(super) struct CodeDeploy {
    /// The reported status of each execution.
    reported: BTreeMap<String, String>,
}

impl FakeAws {
    /// The status that CodeDeploy got for an execution.
    pub(crate) fn reported_status(&self, execution: &str) -> Option<String> {
        self.state().code_deploy.reported.get(execution).cloned()
    }
}

impl CodeDeploy {
    pub(super) fn act(&mut self, operation: &str, body: &Value) -> Answer {
        assert_eq!(operation, "PutLifecycleEventHookExecutionStatus");
        let execution = body["lifecycleEventHookExecutionId"]
            .as_str()
            .unwrap()
            .to_owned();
        let status = body["status"].as_str().unwrap().to_owned();
        if !["Succeeded", "Failed"].contains(&status.as_str()) {
            let code = "InvalidLifecycleEventHookExecutionStatusException";
            return Err(Refusal::new(code, "The status is invalid."));
        }
        if self.reported.contains_key(&execution) {
            let code = "LifecycleEventAlreadyCompletedException";
            return Err(Refusal::new(
                code,
                "The lifecycle event has already completed.",
            ));
        }
        self.reported.insert(execution.clone(), status);
        Ok(json!({"lifecycleEventHookExecutionId": execution}))
    }
}
