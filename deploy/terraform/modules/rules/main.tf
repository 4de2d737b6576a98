# Which events each rule takes, with its switch: for the installation itself, and for members that send their events to one.
# deploy/serverless/rules.js explains the patterns. No event is taken by two rules.

variable "rules" {
  description = "The switches of the rules."
  type = object({
    api_calls   = bool
    native      = bool
    health      = bool
    scaling     = bool
    alarms      = bool
    code_deploy = bool
    instances   = bool
  })
}

locals {
  # Calls of the ECS agents, which add nothing to a task's own events.
  of_agents = ["SubmitContainerStateChange", "SubmitAttachmentStateChanges", "DiscoverPollEndpoint"]

  rules = {
    api-calls = {
      on          = var.rules.api_calls
      description = "ECS API calls, but not what its agents report"
      pattern = {
        source      = ["aws.ecs"]
        detail-type = ["AWS API Call via CloudTrail"]
        detail = {
          eventSource = ["ecs.amazonaws.com"]
          # ECS's own events replace SubmitTaskStateChange.
          eventName = [{ anything-but = concat(local.of_agents, [for it in ["SubmitTaskStateChange"] : it if var.rules.native]) }]
        }
      }
    }
    ecs-events = {
      on          = var.rules.native
      description = "ECS's own events"
      pattern = {
        source      = ["aws.ecs"]
        detail-type = [{ anything-but = ["AWS API Call via CloudTrail"] }]
      }
    }
    health = {
      on          = var.rules.health
      description = "AWS Health about ECS and Fargate"
      pattern = {
        source      = ["aws.health"]
        detail-type = ["AWS Health Event"]
        detail      = { service = ["ECS", "FARGATE"] }
      }
    }
    scaling = {
      on          = var.rules.scaling
      description = "ECS services that were scaled to their maximum"
      pattern = {
        source      = ["aws.application-autoscaling"]
        detail-type = ["Application Auto Scaling Scaling Activity State Change"]
        detail      = { serviceNamespace = ["ecs"], scaledToMax = [true] }
      }
    }
    alarms = {
      on          = var.rules.alarms
      description = "CloudWatch alarms of ECS"
      pattern = {
        source      = ["aws.cloudwatch"]
        detail-type = ["CloudWatch Alarm State Change", "CloudWatch Alarm Configuration Change"]
        detail = {
          "$or" = [
            { configuration = { metrics = { metricStat = { metric = { namespace = ["AWS/ECS", "ECS/ContainerInsights"] } } } } },
            { alarmName = [{ prefix = "TargetTracking-service/" }] },
            { configuration = { alarmRule = [{ exists = true }] } },
          ]
        }
      }
    }
    code-deploy = {
      on          = var.rules.code_deploy
      description = "Deployments by CodeDeploy"
      pattern = {
        source      = ["aws.codedeploy"]
        detail-type = ["CodeDeploy Deployment State-change Notification"]
      }
    }
    instances = {
      on          = var.rules.instances
      description = "EC2 instances that end, or that cannot be started"
      pattern = {
        "$or" = [
          {
            source      = ["aws.ec2"]
            detail-type = ["EC2 Spot Instance Interruption Warning", "EC2 Instance Rebalance Recommendation"]
          },
          {
            source      = ["aws.autoscaling"]
            detail-type = ["EC2 Instance Launch Unsuccessful", "EC2 Instance-terminate Lifecycle Action"]
          },
          {
            source      = ["aws.health"]
            detail-type = ["AWS Health Event"]
            detail      = { service = ["EC2"], eventTypeCategory = ["scheduledChange"] }
          },
        ]
      }
    }
  }
}

output "all" {
  description = "The rules by the ends of their names: `on`, `description` and `pattern`."
  value       = { for key, rule in local.rules : key => merge(rule, { pattern = jsonencode(rule.pattern) }) }
}
