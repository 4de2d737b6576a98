"""Creates what a member account has: the alias, and services with and without a tag.

The arguments are the URL of the moto server, the number of the account, and the region. moto keeps a state for each account,
and AssumeRole leads to that of the role.
"""

import sys

import boto3

url, account, region = sys.argv[1:]
server = dict(endpoint_url=url, region_name=region)
sts = boto3.client("sts", aws_access_key_id="test", aws_secret_access_key="test", **server)
role = f"arn:aws:iam::{account}:role/ecs-parrot-lookup"
found = sts.assume_role(RoleArn=role, RoleSessionName="setup")["Credentials"]
member = dict(
    aws_access_key_id=found["AccessKeyId"],
    aws_secret_access_key=found["SecretAccessKey"],
    aws_session_token=found["SessionToken"],
    **server,
)
boto3.client("iam", **member).create_account_alias(AccountAlias="example-member")
ecs = boto3.client("ecs", **member)
ecs.create_cluster(clusterName="prod-web")
ecs.register_task_definition(
    family="app",
    containerDefinitions=[{"name": "app", "image": "app:1", "memory": 64}],
)
for service, tags in [("checkout", [{"key": "team", "value": "blue"}]), ("search", [])]:
    ecs.create_service(
        cluster="prod-web",
        serviceName=service,
        taskDefinition="app",
        desiredCount=0,
        tags=tags,
    )
