"""Reads CloudFormation's YAML."""

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


def load(path):
    with open(path) as text:
        return yaml.load(text, Template)
