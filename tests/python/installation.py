"""Makes an installation in the moto server at the URL in the first argument, with the fault in the second, if there is one.

It has what serverless.yml makes, as far as `ecs-parrot doctor` looks at it. Lambda and IAM are not moto's: there the first
needs containers, and the second has no SimulatePrincipalPolicy.
"""

import datetime
import json
import sys
import urllib.request

import boto3

url, fault = sys.argv[1], sys.argv[2] if sys.argv[2:] else ""
# A fault is made in a new account.
urllib.request.urlopen(urllib.request.Request(f"{url}/moto-api/reset", method="POST"))
account = dict(
    endpoint_url=url,
    region_name="eu-west-1",
    aws_access_key_id="test",
    aws_secret_access_key="test",
)
NAME = "ecs-parrot-prod"

sqs = boto3.client("sqs", **account)
dead_letters = sqs.create_queue(QueueName=f"{NAME}-dead-letters")["QueueUrl"]
arn = sqs.get_queue_attributes(QueueUrl=dead_letters, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
queue_arn = arn.replace("dead-letters", "events")
if fault != "queue_missing":
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 20})
    attributes = {} if fault == "no_dead_letter_queue" else {"RedrivePolicy": redrive}
    sqs.create_queue(QueueName=f"{NAME}-events", Attributes=attributes)
if fault == "dead_letters":
    sqs.send_message(QueueUrl=dead_letters, MessageBody="{}")

events = boto3.client("events", **account)
API = "AWS API Call via CloudTrail"
rules = {
    "api-calls": {"source": ["aws.ecs"], "detail-type": [API]},
    "ecs-events": {"source": ["aws.ecs"], "detail-type": [{"anything-but": [API]}]},
}
if fault == "rules_overlap":
    rules["by-hand"] = {"source": ["aws.ecs"], "detail-type": ["ECS Task State Change"]}
if fault == "no_rules":
    rules = {}
for name, pattern in rules.items():
    is_off = fault == "rule_off" and name == "ecs-events"
    rule = f"{NAME}-queued-{name}"
    events.put_rule(Name=rule, EventPattern=json.dumps(pattern), State="DISABLED" if is_off else "ENABLED")
    events.put_targets(Rule=rule, Targets=[{"Id": "events", "Arn": queue_arn}])

if fault != "no_trail":
    boto3.client("s3", **account).create_bucket(
        Bucket="trail", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    trails = boto3.client("cloudtrail", **account)
    trails.create_trail(Name="all", S3BucketName="trail")
    if fault == "trail_without_management_events":
        selector = {"ReadWriteType": "ReadOnly", "IncludeManagementEvents": True}
        trails.put_event_selectors(TrailName="all", EventSelectors=[selector])
    if fault != "trail_off":
        trails.start_logging(Name="all")

dynamodb = boto3.client("dynamodb", **account)
if fault != "table_missing":
    key = "key" if fault == "table_key" else "id"
    dynamodb.create_table(
        TableName=f"{NAME}-state",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
        KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    if fault != "table_expires":
        dynamodb.update_time_to_live(
            TableName=f"{NAME}-state",
            TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"},
        )

if fault != "not_invoked":
    boto3.client("cloudwatch", **account).put_metric_data(
        Namespace="AWS/Lambda",
        MetricData=[
            {
                "MetricName": "Invocations",
                "Dimensions": [{"Name": "FunctionName", "Value": f"{NAME}-parrot"}],
                "Timestamp": datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1),
                "Value": 12,
            }
        ],
    )
print(queue_arn)
