"""Prints a SAM template and a Terraform module as JSON. The arguments are their paths."""

import json
import pathlib
import sys

import hcl2
import yaml


class Template(yaml.SafeLoader):
    """YAML with CloudFormation's short forms: `!Sub x` is {"Fn::Sub": "x"}.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
    """

    def intrinsic(self, name, node):
        if isinstance(node, yaml.MappingNode):
            value = self.construct_mapping(node, deep=True)
        elif isinstance(node, yaml.SequenceNode):
            value = self.construct_sequence(node, deep=True)
        else:
            value = self.construct_scalar(node)
        if name in ("Ref", "Condition"):
            return {name: value}
        if name == "GetAtt" and isinstance(value, str):
            value = value.split(".", 1)
        return {"Fn::" + name: value}


Template.add_multi_constructor("!", Template.intrinsic)
# The template's version looks like a date, but it must stay a string.
Template.add_constructor("tag:yaml.org,2002:timestamp", Template.construct_yaml_str)

sam, module = sys.argv[1:]
terraform = {}
# What the rules take is in a module of its own, which members of a hub use too.
folder = pathlib.Path(module)
for file in [*sorted(folder.glob("*.tf")), folder / "modules" / "rules" / "main.tf"]:
    with open(file) as text:
        for kind, blocks in hcl2.load(text).items():
            if file.parent != folder and kind != "locals":
                continue
            terraform.setdefault(kind, []).extend(blocks if isinstance(blocks, list) else [blocks])
print(json.dumps({"sam": yaml.load(pathlib.Path(sam).read_text(), Template), "terraform": terraform}, default=str))
