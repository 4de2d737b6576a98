"""Checks Slack payloads, a JSON array on stdin, with the models of Slack's own SDK."""

import json
import sys

from slack_sdk.models.attachments import BlockAttachment
from slack_sdk.models.blocks import Block, SectionBlock

# The fields of ecs-parrot's attachments: https://docs.slack.dev/legacy/legacy-messaging/legacy-secondary-message-attachments
OURS = {"color", "fallback", "blocks"}


def check(payload):
    attachments = payload.get("attachments", [])
    assert len(attachments) <= 1, "more than one attachment"
    for attachment in attachments:
        assert set(attachment) == OURS, sorted(attachment)
        blocks = [Block.parse(block) for block in attachment["blocks"]]
        assert all(isinstance(block, SectionBlock) for block in blocks), blocks
        for block, sent in zip(blocks, attachment["blocks"]):
            # to_dict() validates lengths and formats, and raises an error if one is wrong.
            assert block.to_dict() == sent, sent
        model = BlockAttachment(blocks=blocks, color=attachment["color"], fallback=attachment["fallback"])
        assert model.to_dict()["blocks"] == attachment["blocks"]
    return len(attachments)


payloads = json.load(sys.stdin)
print(sum(check(payload) for payload in payloads))
