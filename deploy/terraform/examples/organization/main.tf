# A hub in one account, and one member in another.

terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.80, < 7.0"
    }
  }
}

# The account of the hub. Its credentials are those of the environment.
provider "aws" {
  region = "eu-west-1"
}

provider "aws" {
  alias  = "shop"
  region = "eu-west-1"

  assume_role {
    role_arn = "arn:aws:iam::123456789012:role/OrganizationAccountAccessRole"
  }
}

locals {
  lookup_role = "ecs-parrot-lookup"
}

module "hub" {
  source = "../.."

  zips          = "${path.root}/../../../../dist"
  channels      = [{ name = "ops", type = "slack", url = "ssm:/ecs-parrot/ops" }]
  account_names = "123456789012=shop,ALIAS"

  hub = {
    organization = "o-a1b2c3d4e5"
    lookup_role  = "arn:aws:iam::{account}:role/${local.lookup_role}"
  }
}

module "shop" {
  source    = "../../modules/member"
  providers = { aws = aws.shop }

  hub_bus_arn      = module.hub.hub_bus_arn
  hub_role_arn     = module.hub.role_arn
  lookup_role_name = local.lookup_role
}
