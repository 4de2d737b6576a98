# Posts what happens in ECS to one Slack channel. The webhook is in the parameter /ecs-parrot/ops:
#
#     aws ssm put-parameter --type SecureString --name /ecs-parrot/ops --value https://hooks.slack.com/services/…

terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.80, < 7.0"
    }
  }
}

module "ecs_parrot" {
  source = "../.."

  zips = "${path.root}/../../../../dist"

  channels = [
    { name = "ops", type = "slack", url = "ssm:/ecs-parrot/ops" },
  ]
}
