# All three functions, several channels, and every rule.

terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.80, < 7.0"
    }
  }
}

resource "aws_sns_topic" "alarms" {
  name = "ecs-parrot-alarms"
}

module "ecs_parrot" {
  source = "../.."

  name = "ecs-parrot-prod"
  zips = "${path.root}/../../../../dist"
  tags = { team = "platform" }

  channels = [
    { name = "ops", type = "slack_app", token = "secretsmanager:ecs-parrot:slack", channel = "C0123456789" },
    { name = "oncall", type = "pagerduty", routing_key = "ssm:/ecs-parrot/pagerduty", minimum = "urgent" },
    {
      name = "payments",
      type = "discord",
      url  = "ssm:/ecs-parrot/payments",
      only = jsonencode({ service = [{ prefix = "payments-" }] }),
    },
  ]

  functions = { parrot = true, run_from_queue = true, deploy_hook = true }
  rules     = { code_deploy = true, instances = true }
  archive   = true
  trail     = true
  log_tail  = { lines = 5 }
  expect    = { report-nightly = "cron(30 2 * * ? *) grace 2h" }

  alarm_actions = [aws_sns_topic.alarms.arn]

  run_from_queue = {
    allowed_clusters         = ["prod-*"]
    allowed_task_definitions = ["report", "migrate:*"]
  }
}

output "dead_letter_queue_url" {
  value = module.ecs_parrot.dead_letter_queue_url
}
