"""Prints the functions, queues, rules and stacks of the moto server at the URL in the argument."""

import json
import sys

import boto3


def client(service):
    return boto3.client(
        service,
        endpoint_url=sys.argv[1],
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


found = {
    "functions": client("lambda").list_functions()["Functions"],
    "queues": client("sqs").list_queues().get("QueueUrls", []),
    "rules": client("events").list_rules()["Rules"],
    "stacks": client("cloudformation").describe_stacks()["Stacks"],
}
json.dump(found, sys.stdout, default=str)
