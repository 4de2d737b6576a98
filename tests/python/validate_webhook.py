"""Checks bodies, a JSON array on stdin, with docs/webhook.schema.json. No body may have a field that it does not name."""

import json
import sys
from pathlib import Path

from jsonschema import Draft202012Validator

SCHEMA = Path(__file__).parents[2] / "docs" / "webhook.schema.json"


def strict(schema):
    """The schema, with every field that it does not name forbidden."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: strict(value) for key, value in schema.items()}
    if schema.get("type") == "object":
        closed["additionalProperties"] = False
    return closed


schema = strict(json.loads(SCHEMA.read_text()))
Draft202012Validator.check_schema(schema)
validator = Draft202012Validator(schema)
bodies = json.load(sys.stdin)
# A wrong body is refused, so that this check can fail.
assert not validator.is_valid({**bodies[0], "more": 1})
for body in bodies:
    validator.validate(body)
print(len(bodies))
