//! Events from around ECS, each with the rule that takes it, by the end of the rule's name. The empty text means that no
//! rule takes it.

use serde_json::{Value, json};

/// The name, the event and the rule, all rules being on.
pub(super) fn around_ecs() -> Vec<(&'static str, Value, &'static str)> {
    let lists = [health(), scaling(), alarms(), deployments(), instances()];
    lists.into_iter().flatten().collect()
}

fn event(source: &str, detail_type: &str, detail: &Value) -> Value {
    json!({
        "version": "0",
        "id": "1b9d3a52-6f5c-4c39-9d0e-6a4f0c2b7e11",
        "source": source,
        "detail-type": detail_type,
        "account": "210987654321",
        "time": "2026-11-05T12:34:56Z",
        "region": "eu-west-1",
        "resources": [],
        "detail": detail,
    })
}

/// <https://docs.aws.amazon.com/health/latest/ug/aws-health-events-eventbridge-schema.html>
fn health() -> Vec<(&'static str, Value, &'static str)> {
    let about = |service: &str, category: &str| {
        let detail = json!({
            "eventArn": format!("arn:aws:health:eu-west-1::event/{service}/X/1"),
            "service": service,
            "eventTypeCode": "AWS_ECS_TASK_PATCHING_RETIREMENT",
            "eventTypeCategory": category,
            "eventRegion": "eu-west-1",
            "affectedEntities": [{"entityValue": "prod|web"}, {"entityValue": "prod|api"}],
        });
        event("aws.health", "AWS Health Event", &detail)
    };
    let mut forwarded = about("ECS", "scheduledChange");
    forwarded["source"] = "my.health".into();
    vec![
        ("retirement", about("ECS", "scheduledChange"), "health"),
        ("issue", about("ECS", "issue"), "health"),
        ("fargate", about("FARGATE", "issue"), "health"),
        ("host", about("EC2", "scheduledChange"), "instances"),
        ("EC2's issue", about("EC2", "issue"), ""),
        ("a database", about("RDS", "scheduledChange"), ""),
        ("not AWS's", forwarded, ""),
    ]
}

/// <https://docs.aws.amazon.com/autoscaling/application/userguide/monitoring-eventbridge.html>
fn scaling() -> Vec<(&'static str, Value, &'static str)> {
    let scaled = |namespace: &str, is_at_maximum: bool| {
        let detail = json!({
            "resourceId": "service/prod/web",
            "serviceNamespace": namespace,
            "scalableDimension": "ecs:service:DesiredCount",
            "oldDesiredCapacity": 8,
            "newDesiredCapacity": 10,
            "maxCapacity": 10,
            "scaledToMax": is_at_maximum,
            "direction": "scale-out",
        });
        let detail_type = "Application Auto Scaling Scaling Activity State Change";
        event("aws.application-autoscaling", detail_type, &detail)
    };
    vec![
        ("at the maximum", scaled("ecs", true), "scaling"),
        ("below the maximum", scaled("ecs", false), ""),
        ("a table at its maximum", scaled("dynamodb", true), ""),
    ]
}

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html>
fn alarms() -> Vec<(&'static str, Value, &'static str)> {
    let alarm = |name: &str, state: &str, configuration: Value| {
        let detail = json!({
            "alarmName": name,
            "state": {"value": state, "reason": "Threshold Crossed"},
            "previousState": {"value": "OK"},
            "configuration": configuration,
        });
        event("aws.cloudwatch", "CloudWatch Alarm State Change", &detail)
    };
    let metric = |id: &str, namespace: &str| {
        let metric = json!({"namespace": namespace, "name": "CPUUtilization", "dimensions": {}});
        json!({"id": id, "metricStat": {"metric": metric, "period": 60, "stat": "Average"}})
    };
    let on = |namespace: &str| json!({"metrics": [metric("m1", namespace)]});
    // An expression has no metricStat, and the metric of ECS need not be the first.
    let expression = json!({"id": "e1", "expression": "m1 / m2"});
    let several = json!({"metrics": [expression, metric("m1", "AWS/ApplicationELB"), metric("m2", "AWS/ECS")]});
    let target = "TargetTracking-service/prod/web-AlarmHigh-0f3b2c1d";
    let of_table = "TargetTracking-table/posted-AlarmHigh-0f3b2c1d";
    let rule = json!({"alarmRule": "ALARM(web-cpu) OR ALARM(web-errors)"});
    vec![
        ("alarm", alarm("cpu", "ALARM", on("AWS/ECS")), "alarms"),
        ("ok", alarm("cpu", "OK", on("AWS/ECS")), "alarms"),
        (
            "no data",
            alarm("cpu", "INSUFFICIENT_DATA", on("AWS/ECS")),
            "alarms",
        ),
        (
            "insights",
            alarm("restarts", "ALARM", on("ECS/ContainerInsights")),
            "alarms",
        ),
        ("several", alarm("ratio", "ALARM", several), "alarms"),
        (
            "target tracking",
            alarm(target, "ALARM", on("AWS/ApplicationELB")),
            "alarms",
        ),
        ("composite", alarm("web", "ALARM", rule), "alarms"),
        // As the alarms of ecs-parrot's own stack.
        ("a queue", alarm("letters", "ALARM", on("AWS/SQS")), ""),
        (
            "failures",
            alarm("deliveries", "ALARM", on("ecs-parrot")),
            "",
        ),
        ("errors", alarm("errors", "ALARM", on("AWS/Lambda")), ""),
        ("a table", alarm(of_table, "ALARM", on("AWS/DynamoDB")), ""),
        (
            "an alarm that was deleted",
            event(
                "aws.cloudwatch",
                "CloudWatch Alarm Configuration Change",
                &json!({"alarmName": "cpu", "operation": "delete", "configuration": on("AWS/ECS")}),
            ),
            "alarms",
        ),
        (
            "an alarm of another service that was deleted",
            event(
                "aws.cloudwatch",
                "CloudWatch Alarm Configuration Change",
                &json!({"alarmName": "cpu", "operation": "delete", "configuration": on("AWS/EC2")}),
            ),
            "",
        ),
    ]
}

/// <https://docs.aws.amazon.com/codedeploy/latest/userguide/monitoring-cloudwatch-events.html>
fn deployments() -> Vec<(&'static str, Value, &'static str)> {
    let detail = json!({
        "application": "web",
        "deploymentGroup": "prod",
        "deploymentId": "d-ABC123456",
        "region": "eu-west-1",
        "state": "FAILURE",
    });
    let of = |detail_type: &str| event("aws.codedeploy", detail_type, &detail);
    vec![
        (
            "deployment",
            of("CodeDeploy Deployment State-change Notification"),
            "code-deploy",
        ),
        (
            "an instance of a deployment",
            of("CodeDeploy Instance State-change Notification"),
            "",
        ),
    ]
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html>,
/// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-event-reference.html>
fn instances() -> Vec<(&'static str, Value, &'static str)> {
    let detail = json!({"instance-id": "i-0123456789abcdef0", "instance-action": "terminate"});
    let ec2 = |detail_type: &str| event("aws.ec2", detail_type, &detail);
    let detail = json!({"AutoScalingGroupName": "ecs-web", "EC2InstanceId": "i-0123456789abcdef0"});
    let group = |detail_type: &str| event("aws.autoscaling", detail_type, &detail);
    vec![
        (
            "interruption",
            ec2("EC2 Spot Instance Interruption Warning"),
            "instances",
        ),
        (
            "rebalance",
            ec2("EC2 Instance Rebalance Recommendation"),
            "instances",
        ),
        ("state", ec2("EC2 Instance State-change Notification"), ""),
        (
            "launch failed",
            group("EC2 Instance Launch Unsuccessful"),
            "instances",
        ),
        (
            "ends",
            group("EC2 Instance-terminate Lifecycle Action"),
            "instances",
        ),
        ("launched", group("EC2 Instance Launch Successful"), ""),
        // Each detail-type counts only with its own source.
        (
            "of another source",
            group("EC2 Spot Instance Interruption Warning"),
            "",
        ),
    ]
}
