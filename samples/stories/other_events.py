"""Events of other AWS services that are about ECS: alarms, scaling and AWS Health."""

import json

from ecs_events import ACCOUNT, REGION

TARGET_TRACKING = "DO NOT EDIT OR DELETE. For TargetTrackingScaling policy"


def alarm(story, at, name, state, workload, metric, value, threshold, description):
    """The state of an alarm about a service. `value` is compared as more than `threshold`."""
    was = "ALARM" if state == "OK" else "OK"
    negation = " not" if state == "OK" else ""
    minute = story.moment(at - 60)
    at_minute = f"{minute:%d/%m/%y %H:%M}:00"
    data = {
        "version": "1.0",
        "statistic": "Average",
        "period": 60,
        "recentDatapoints": [value],
        "threshold": threshold,
        "evaluatedDatapoints": [{"timestamp": f"{minute:%Y-%m-%dT%H:%M}:00.000+0000", "value": value}],
    }
    moment = story.moment(at)
    timestamp = f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}+0000"
    detail = {
        "alarmName": name,
        "configuration": {
            "description": description,
            "metrics": [
                {
                    "id": story.uuid(),
                    "metricStat": {
                        "metric": {
                            "namespace": "AWS/ECS",
                            "name": metric,
                            "dimensions": {"ClusterName": workload.cluster, "ServiceName": workload.name},
                        },
                        "period": 60,
                        "stat": "Average",
                    },
                    "returnData": True,
                }
            ],
        },
        "previousState": {"value": was},
        "state": {
            "value": state,
            "reason": f"Threshold Crossed: 1 datapoint [{value} ({at_minute})] was{negation} greater than the "
            f"threshold ({threshold}).",
            "reasonData": json.dumps(data, separators=(",", ":")),
            "timestamp": timestamp,
        },
    }
    resources = [f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}"]
    story.record(at, "CloudWatch Alarm State Change", resources, detail, source="aws.cloudwatch")


def scaled_to_max(story, at, workload, old, most):
    detail = {
        "startTime": story.second(at),
        "endTime": story.second(at + 31),
        "newDesiredCapacity": most,
        "oldDesiredCapacity": old,
        "minCapacity": 2,
        "maxCapacity": most,
        "resourceId": f"service/{workload.cluster}/{workload.name}",
        "scalableDimension": "ecs:service:DesiredCount",
        "serviceNamespace": "ecs",
        "statusCode": "Successful",
        "scaledToMax": True,
        "direction": "scale-out",
    }
    detail_type = "Application Auto Scaling Scaling Activity State Change"
    story.record(at + 32, detail_type, [], detail, source="aws.application-autoscaling")


def retirement(story, at, name, entities, starts, status="upcoming"):
    """A page of an event of AWS Health: tasks on Fargate are retired `starts` seconds after the story's beginning."""
    code = "AWS_ECS_TASK_PATCHING_RETIREMENT"
    detail = {
        "eventArn": f"arn:aws:health:{REGION}::event/ECS/{code}/{code}_{name}",
        "service": "ECS",
        "eventTypeCode": code,
        "eventTypeCategory": "scheduledChange",
        "eventScopeCode": "ACCOUNT_SPECIFIC",
        "communicationId": story.hex(64),
        "eventRegion": REGION,
        "startTime": _mail_time(story, starts),
        "endTime": _mail_time(story, starts + 2 * 86_400),
        "lastUpdatedTime": _mail_time(story, at),
        "eventStatusCode": status,
        "eventDescription": [
            {
                "language": "en_US",
                "latestDescription": "AWS Fargate has a new platform version revision and retires tasks that run on "
                "earlier ones.\\n\\nThe affected resources are listed.",
            }
        ],
        "affectedAccount": ACCOUNT,
        "page": "1",
        "totalPages": "1",
        "affectedEntities": [{"entityValue": it, "status": "PENDING"} for it in entities],
    }
    story.record(at + 3, "AWS Health Event", entities, detail, source="aws.health")


def _mail_time(story, at):
    return f"{story.moment(at):%a, %d %b %Y %H:%M:%S} GMT"
