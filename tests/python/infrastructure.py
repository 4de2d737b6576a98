"""Prints a SAM template, a Terraform module and a settings file as JSON. The arguments are their paths."""

import json
import pathlib
import sys

import hcl2

from cloudformation_yaml import load

sam, module, settings = sys.argv[1:]
terraform = {}
# What the rules take is in a module of its own, which members of a hub use too.
folder = pathlib.Path(module)
for file in [*sorted(folder.glob("*.tf")), *sorted(folder.glob("modules/rules/*.tf"))]:
    with open(file) as text:
        for kind, blocks in hcl2.load(text).items():
            if file.parent != folder and kind != "locals":
                continue
            terraform.setdefault(kind, []).extend(blocks if isinstance(blocks, list) else [blocks])
printed = {"sam": load(sam), "terraform": terraform, "settings": load(settings)["mysettings"]}
print(json.dumps(printed, default=str))
