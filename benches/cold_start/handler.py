"""A simple function without ecs-parrot: it posts a stopped task to Slack, with a headline and three facts."""

import json
import os
import urllib.request

COLOURS = {"bad": "danger", "good": "good"}


def name(arn):
    return arn.rsplit("/", 1)[-1]


def escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def subject(detail):
    kind, _, rest = detail.get("group", "").partition(":")
    return rest if kind == "service" else name(detail["taskDefinitionArn"])


def why(detail):
    reasons = [detail.get("stoppedReason", "")]
    for container in detail.get("containers", []):
        code = container.get("exitCode")
        if code:
            reasons.append(f"{container['name']} exited {code} {container.get('reason', '')}")
    return "; ".join(escape(reason.strip()) for reason in reasons if reason)


def link(event, detail):
    region, cluster = event["region"], name(detail["clusterArn"])
    task = name(detail["taskArn"])
    return f"https://{region}.console.aws.amazon.com/ecs/v2/clusters/{cluster}/tasks/{task}?region={region}"


def message(event):
    detail = event["detail"]
    failed = any(container.get("exitCode") for container in detail.get("containers", []))
    text = f"*{escape(subject(detail))}* in {name(detail['clusterArn'])}: task {detail['lastStatus'].lower()}"
    facts = [
        f"*Why*: {why(detail)}",
        f"*When*: {event['time']}",
        f"<{link(event, detail)}|Open the task>",
    ]
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "\n".join(facts)}}]
    colour = COLOURS["bad" if failed else "good"]
    return {"text": text, "attachments": [{"color": colour, "blocks": blocks}]}


def handle(event, context):
    if event.get("source") != "aws.ecs" or "lastStatus" not in event.get("detail", {}):
        return
    body = json.dumps(message(event)).encode()
    request = urllib.request.Request(
        os.environ["SLACK_WEBHOOKURL"], body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=5) as answer:
        answer.read()
