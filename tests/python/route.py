"""Puts events on the bus of a moto server and prints which rules routed each event.

stdin:  {"rules": [a rule's CloudFormation properties, ...], "events": [an EventBridge envelope, ...]}
stdout: [[the name of each rule that routed the first event], ...]
"""

import json
import sys

import boto3
import moto.events.models
from moto.server import ThreadedMotoServer


def flattened(node, prefix="", result=None):
    """The fields of an event by their paths. A field of the objects in a list has the values of all of them.

    AWS matches a pattern if one element of a list does. moto does not look into the objects of a list.
    """
    result = {} if result is None else result
    for name, value in node.items():
        path = prefix + "." + name if prefix else name
        if isinstance(value, dict) and value:
            flattened(value, path, result)
        elif isinstance(value, list) and value and all(isinstance(it, dict) for it in value):
            for element in value:
                for inner, values in flattened(element, path).items():
                    result.setdefault(inner, []).extend(values if isinstance(values, list) else [values])
        else:
            result[path] = value
    return result


moto.events.models.EventPattern._flatten_dict = staticmethod(flattened)


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
