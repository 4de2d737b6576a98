"""Runs a service's task on the instance of `cluster.py` until it stops. The argument is the URL of the moto server."""

import json
import sys

import boto3

ecs = boto3.client(
    "ecs",
    endpoint_url=sys.argv[1],
    region_name="eu-west-1",
    aws_access_key_id="test",
    aws_secret_access_key="test",
)
ecs.register_task_definition(
    family="report",
    containerDefinitions=[
        {
            "name": "report",
            "image": "registry.example/team/report:4.2.0",
            "memory": 400,
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {
                    "awslogs-group": "/ecs/report",
                    "awslogs-region": "eu-west-1",
                    "awslogs-stream-prefix": "ecs",
                },
            },
        }
    ],
)
(task,) = ecs.run_task(
    cluster="myEcsCluster",
    taskDefinition="report",
    launchType="EC2",
    group="service:report",
    startedBy="ecs-svc/5716040186268614494",
)["tasks"]
while task["lastStatus"] != "STOPPED":
    (task,) = ecs.describe_tasks(cluster="myEcsCluster", tasks=[task["taskArn"]])["tasks"]
print(json.dumps(task, default=str))
