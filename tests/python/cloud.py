"""Runs a moto server on a loopback port. Prints its URL, and ends when stdin is closed.

With the first argument `stacks` the server has CloudFormation, which takes a second to load. If a stack's name and a
template file follow, this stack exists from the start.
"""

import sys

import boto3
import moto.ecs.models
from moto.core.config import default_user_config
from moto.server import ThreadedMotoServer

# An invoked function returns its payload. No container is needed.
default_user_config["lambda"]["use_docker"] = False
if sys.argv[1:]:
    import moto.cloudformation.models

    # moto refuses a template for any warning of cfn-lint, and ignores the exceptions in the template. AWS does neither.
    # The tests run cfn-lint separately.
    moto.cloudformation.models.validate_template_cfn_lint = lambda template: []

# moto does not set when a task started.
make_task = moto.ecs.models.Task.__init__


def start_task(task, *arguments, **named):
    make_task(task, *arguments, **named)
    task.started_at = 1_793_062_900


moto.ecs.models.Task.__init__ = start_task

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
url = "http://%s:%s" % server.get_host_and_port()
if sys.argv[2:]:
    stack, template = sys.argv[2:]
    cloudformation = boto3.client(
        "cloudformation",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    # The change set has the name that Serverless uses: Serverless deletes the change set of the previous deployment,
    # and moto fails if there is no such change set.
    change_set = stack + "-change-set"
    with open(template) as body:
        cloudformation.create_change_set(
            StackName=stack,
            ChangeSetName=change_set,
            ChangeSetType="CREATE",
            TemplateBody=body.read(),
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
    cloudformation.execute_change_set(StackName=stack, ChangeSetName=change_set)
print(url, flush=True)
sys.stdin.read()
server.stop()
