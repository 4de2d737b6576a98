"""Prints a SAM template as the CloudFormation template that AWS makes of it.

The argument is the path of the template. The parameters are read from stdin as a JSON object: SAM needs their values to
name some resources.
"""

import json
import os
import sys

from cloudformation_yaml import load
from samtranslator.translator.transform import transform


class NoManagedPolicies:
    """The template names no managed policy of AWS."""

    def load(self):
        return {}


template = load(sys.argv[1])
for resource in template["Resources"].values():
    if resource["Type"] == "AWS::Serverless::Function":
        # `sam package` puts the address of the uploaded zip here.
        resource["Properties"]["CodeUri"] = "s3://bucket/" + os.path.basename(
            resource["Properties"]["CodeUri"]
        )
os.environ.setdefault("AWS_DEFAULT_REGION", "eu-west-1")
print(json.dumps(transform(template, json.load(sys.stdin), NoManagedPolicies())))
