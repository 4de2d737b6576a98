"""Creates a cluster in the moto server at the URL in the argument: one instance, the definition `myapp`, a service."""

import json
import sys

import boto3

account = dict(
    endpoint_url=sys.argv[1],
    region_name="eu-west-1",
    aws_access_key_id="test",
    aws_secret_access_key="test",
)
ecs = boto3.client("ecs", **account)
ec2 = boto3.resource("ec2", **account)

ecs.create_cluster(clusterName="myEcsCluster")
instance = ec2.create_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)[0]
ecs.register_container_instance(
    cluster="myEcsCluster",
    # AWS's document has more fields; moto reads only this one.
    instanceIdentityDocument=json.dumps({"instanceId": instance.id}),
)
ecs.register_task_definition(
    family="myapp",
    executionRoleArn="arn:aws:iam::210987654321:role/web-execution",
    containerDefinitions=[
        {
            "name": "app",
            "image": "myapp:v1",
            "memory": 400,
            "environment": [{"name": "MODE", "value": "web"}],
            "portMappings": [{"containerPort": 80, "hostPort": 80}],
        }
    ],
)
vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")
# Without this moto's network interfaces have no private DNS name, and RunTask needs one for its answer.
vpc.modify_attribute(EnableDnsHostnames={"Value": True})
subnet = vpc.create_subnet(CidrBlock="10.0.0.0/24")
group = ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc.id)
ecs.create_service(
    cluster="myEcsCluster",
    serviceName="web",
    taskDefinition="myapp",
    desiredCount=0,
    launchType="FARGATE",
    networkConfiguration={
        "awsvpcConfiguration": {
            "subnets": [subnet.id],
            "securityGroups": [group.id],
            "assignPublicIp": "ENABLED",
        }
    },
)
print(json.dumps({"subnet": subnet.id, "group": group.id}))
