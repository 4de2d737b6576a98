//! CloudTrail: API calls become events only if a trail logs management events.
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html>

use ecs_parrot::aws::service::{self, Client};
use ecs_parrot::aws::{CallError, Session};
use serde_json::{Value, json};

use super::finding::Findings;

const REMEDY: &str = "set `trail: true`, or create a trail that logs management events: API calls such as StopTask are not posted without one";

pub(super) async fn check(session: &Session, findings: &mut Findings) {
    let before = findings.findings.len();
    let client = session.service(service::CLOUD_TRAIL);
    match trails(&client).await {
        Ok(trails) if trails.is_empty() => findings.wrong(
            "no_trail",
            "there is no CloudTrail trail for this region".to_owned(),
            REMEDY.to_owned(),
        ),
        Ok(trails) if trails.contains(&Trail::Good) => {}
        Ok(trails) if trails.contains(&Trail::WithoutManagementEvents) => findings.wrong(
            "trail_without_management_events",
            "no trail that is on logs the management events that change something".to_owned(),
            REMEDY.to_owned(),
        ),
        Ok(_) => findings.wrong(
            "trail_off",
            "the trail of this region is off".to_owned(),
            "aws cloudtrail start-logging --name NAME".to_owned(),
        ),
        Err(error) => findings.not_checked("trail", &error),
    }
    findings.done("trail", before);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trail {
    Good,
    Off,
    WithoutManagementEvents,
}

async fn trails(client: &Client) -> Result<Vec<Trail>, CallError> {
    let input = json!({"includeShadowTrails": true});
    let answer = client.call("DescribeTrails", &input).await?;
    let mut found = Vec::new();
    for trail in answer["trailList"].as_array().into_iter().flatten() {
        let name = json!({"Name": trail["TrailARN"]});
        let status = client.call("GetTrailStatus", &name).await?;
        if status["IsLogging"] != true {
            found.push(Trail::Off);
            continue;
        }
        let name = json!({"TrailName": trail["TrailARN"]});
        let selectors = client.call("GetEventSelectors", &name).await?;
        found.push(match logs_management_events(&selectors) {
            true => Trail::Good,
            false => Trail::WithoutManagementEvents,
        });
    }
    Ok(found)
}

fn logs_management_events(selectors: &Value) -> bool {
    let list = |field: &str| selectors[field].as_array().cloned().unwrap_or_default();
    let basic = list("EventSelectors");
    let advanced = list("AdvancedEventSelectors");
    if basic.is_empty() && advanced.is_empty() {
        // A trail without selectors logs all management events.
        return true;
    }
    let writes =
        |it: &Value| it["IncludeManagementEvents"] != false && it["ReadWriteType"] != "ReadOnly";
    basic.iter().any(writes) || advanced.iter().any(is_of_management)
}

fn is_of_management(selector: &Value) -> bool {
    let fields = selector["FieldSelectors"].as_array().into_iter().flatten();
    let fields: Vec<_> = fields.collect();
    let equals = |field: &str, value: &str| {
        fields.iter().any(|it| {
            let values = it["Equals"].as_array().into_iter().flatten();
            it["Field"] == field && values.into_iter().any(|it| it == value)
        })
    };
    equals("eventCategory", "Management") && !equals("readOnly", "true")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trail_must_log_the_calls_that_change_something() {
        let field = |name: &str, value: &str| json!({"Field": name, "Equals": [value]});
        let advanced =
            |fields: &[Value]| json!({"AdvancedEventSelectors": [{"FieldSelectors": fields}]});
        let management = field("eventCategory", "Management");
        for (selectors, expected) in [
            (json!({}), true),
            (
                json!({"EventSelectors": [{"IncludeManagementEvents": true, "ReadWriteType": "All"}]}),
                true,
            ),
            (
                json!({"EventSelectors": [{"IncludeManagementEvents": true, "ReadWriteType": "WriteOnly"}]}),
                true,
            ),
            (
                json!({"EventSelectors": [{"IncludeManagementEvents": true, "ReadWriteType": "ReadOnly"}]}),
                false,
            ),
            (
                json!({"EventSelectors": [{"IncludeManagementEvents": false, "ReadWriteType": "All"}]}),
                false,
            ),
            (advanced(std::slice::from_ref(&management)), true),
            (advanced(&[management, field("readOnly", "true")]), false),
            (advanced(&[field("eventCategory", "Data")]), false),
        ] {
            assert_eq!(logs_management_events(&selectors), expected, "{selectors}");
        }
    }
}
