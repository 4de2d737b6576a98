//! CodeDeploy: the reports of a hook, of which it accepts one for each execution, and its deployments.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Answer, FakeAws, Refusal};

#[derive(Default)]
pub(super) struct CodeDeploy {
    /// The reported status of each execution.
    reported: BTreeMap<String, String>,
    /// The `deploymentInfo` of each deployment.
    deployments: BTreeMap<String, Value>,
    /// The `ecsServices` of each group of an application.
    groups: BTreeMap<(String, String), Value>,
}

impl FakeAws {
    /// The status that CodeDeploy got for an execution.
    pub(crate) fn reported_status(&self, execution: &str) -> Option<String> {
        self.state().code_deploy.reported.get(execution).cloned()
    }

    pub(crate) fn code_deployment(&self, id: &str, info: Value) {
        let mut state = self.state();
        state.code_deploy.deployments.insert(id.to_owned(), info);
    }

    pub(crate) fn deployment_group(&self, application: &str, group: &str, services: Value) {
        let key = (application.to_owned(), group.to_owned());
        self.state().code_deploy.groups.insert(key, services);
    }
}

impl CodeDeploy {
    pub(super) fn act(&mut self, operation: &str, body: &Value) -> Answer {
        match operation {
            "PutLifecycleEventHookExecutionStatus" => self.put_status(body),
            "GetDeployment" => self.deployment(body),
            "GetDeploymentGroup" => self.group(body),
            other => panic!("the fake CodeDeploy does not support {other}"),
        }
    }

    fn put_status(&mut self, body: &Value) -> Answer {
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

    /// <https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_GetDeployment.html>
    fn deployment(&self, body: &Value) -> Answer {
        let id = body["deploymentId"].as_str().unwrap();
        assert_eq!(*body, json!({"deploymentId": id}));
        match self.deployments.get(id) {
            Some(info) => Ok(json!({"deploymentInfo": info})),
            None => Err(Refusal::new(
                "DeploymentDoesNotExistException",
                &format!("The deployment {id} could not be found"),
            )),
        }
    }

    /// <https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_GetDeploymentGroup.html>
    fn group(&self, body: &Value) -> Answer {
        let application = body["applicationName"].as_str().unwrap();
        let group = body["deploymentGroupName"].as_str().unwrap();
        let asked = json!({"applicationName": application, "deploymentGroupName": group});
        assert_eq!(*body, asked);
        let key = (application.to_owned(), group.to_owned());
        match self.groups.get(&key) {
            Some(services) => Ok(json!({"deploymentGroupInfo": {
                "applicationName": application, "deploymentGroupName": group, "ecsServices": services,
            }})),
            None => Err(Refusal::new(
                "DeploymentGroupDoesNotExistException",
                &format!("No Deployment Group found for name: {group}"),
            )),
        }
    }
}
