//! STS: <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use super::{ACCOUNT, Answer, FakeAws, Refusal, xml_error};

pub(super) const VERSION: &str = "2011-06-15";
const NAMESPACE: &str = "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"";

#[derive(Debug, Default)]
pub(super) struct Sts {
    refusing: BTreeSet<String>,
    external_id: Option<String>,
}

impl FakeAws {
    /// The trust policy of the role in this account does not name the caller.
    pub(crate) fn refuse_roles_of(&self, account: &str) {
        self.state().sts.refusing.insert(account.to_owned());
    }

    /// The trust policies of the roles want this external id.
    pub(crate) fn want_external_id(&self, id: &str) {
        self.state().sts.external_id = Some(id.to_owned());
    }
}

impl Sts {
    /// The access key of a role is `ASIA` and the number of its account.
    pub(super) fn act(&self, operation: &str, form: &Value) -> Answer {
        match operation {
            "GetCallerIdentity" => Ok(json!(format!("<Account>{ACCOUNT}</Account>"))),
            "AssumeRole" => {
                let role = form["RoleArn"].as_str().unwrap();
                let account = role.split(':').nth(4).unwrap();
                assert!(form["RoleSessionName"].is_string(), "{form}");
                if self.refusing.contains(account)
                    || form["ExternalId"].as_str() != self.external_id.as_deref()
                {
                    return Err(denied(role));
                }
                Ok(json!(format!(
                    "<AssumedRoleUser><Arn>{role}/session</Arn></AssumedRoleUser><Credentials>\
                     <AccessKeyId>ASIA{account}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>\
                     <SessionToken>token</SessionToken><Expiration>2126-01-01T00:00:00Z</Expiration></Credentials>"
                )))
            }
            other => panic!("the fake STS does not support {other}"),
        }
    }
}

fn denied(role: &str) -> Refusal {
    Refusal {
        status: 403,
        ..Refusal::new(
            "AccessDenied",
            &format!(
                "User: arn:aws:sts::{ACCOUNT}:assumed-role/parrot/parrot is not authorized to perform: sts:AssumeRole on resource: {role}"
            ),
        )
    }
}

pub(super) fn written(operation: &str, answer: Answer) -> ResponseTemplate {
    match answer {
        Ok(result) => {
            let result = result.as_str().unwrap();
            let body = format!(
                "<{operation}Response {NAMESPACE}><{operation}Result>{result}</{operation}Result></{operation}Response>"
            );
            ResponseTemplate::new(200).set_body_raw(body, "text/xml")
        }
        Err(refusal) => xml_error(NAMESPACE, refusal),
    }
}
