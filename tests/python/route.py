"""Puts events on the bus of a moto server and prints which rules routed each event.

stdin:  {"rules": [a rule's CloudFormation properties, ...], "events": [an EventBridge envelope, ...]}
stdout: [[the name of each rule that routed the first event], ...]
"""

import json
import sys

import boto3
from moto.server import ThreadedMotoServer


def main():
    given = json.load(sys.stdin)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        json.dump(route(given["rules"], given["events"], server.get_host_and_port()), sys.stdout)
    finally:
        server.stop()


def route(rules, events, address):
    def client(service):
        return boto3.client(
            service,
            endpoint_url="http://%s:%s" % address,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    bus, sqs = client("events"), client("sqs")
    queues = {}
    for rule in rules:
        # moto delivers for disabled rules too; AWS does not.
        if rule["State"] != "ENABLED":
            continue
        name = rule["Name"]
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        bus.put_rule(Name=name, EventPattern=json.dumps(rule["EventPattern"]))
        bus.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
        queues[name] = url

    def routed_by(event):
        entry = {
            "Source": event["source"],
            "DetailType": event["detail-type"],
            "Detail": json.dumps(event["detail"]),
            "Resources": event.get("resources") or [],
        }
        answer = bus.put_events(Entries=[entry])
        if answer["FailedEntryCount"]:
            raise SystemExit("the bus refused %s: %s" % (event["detail-type"], answer["Entries"]))
        names = []
        for name, url in queues.items():
            for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                if json.loads(message["Body"])["detail"] != event["detail"]:
                    raise SystemExit("%s delivered a different event" % name)
                names.append(name)
        return names

    return [routed_by(event) for event in events]


main()
