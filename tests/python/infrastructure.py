"""Prints what a SAM template and a Terraform module say, as JSON: their paths are the arguments."""

import json
import pathlib
import sys

import hcl2
from cfnlint.decode import cfn_yaml

sam, module = sys.argv[1:]
terraform = {}
for file in sorted(pathlib.Path(module).glob("*.tf")):
    with open(file) as text:
        for kind, blocks in hcl2.load(text).items():
            terraform.setdefault(kind, []).extend(blocks if isinstance(blocks, list) else [blocks])
print(json.dumps({"sam": cfn_yaml.load(sam), "terraform": terraform}, default=str))
