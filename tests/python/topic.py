"""A topic in moto with a queue that is subscribed to it.

`topic.py URL create` prints the topic's ARN, `topic.py URL read` the messages that arrived, as a JSON array.
"""

import json
import sys

import boto3

url, what = sys.argv[1:]
account = dict(
    endpoint_url=url, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
)
sns, sqs = boto3.client("sns", **account), boto3.client("sqs", **account)
if what == "create":
    topic = sns.create_topic(Name="alerts")["TopicArn"]
    queue = sqs.create_queue(QueueName="arrived")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=attributes["Attributes"]["QueueArn"])
    print(topic)
else:
    queue = sqs.get_queue_url(QueueName="arrived")["QueueUrl"]
    received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
    print(json.dumps([json.loads(it["Body"])["Message"] for it in received.get("Messages", [])]))
