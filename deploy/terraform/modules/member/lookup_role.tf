# The role with which the hub asks about this account. It may only read.

locals {
  has_lookup_role = var.make_lookup_role && var.hub_role_arn != ""
  ecs             = "arn:${local.partition}:ecs:*:${local.account}"

  lookups = [
    { Sid = "LookUpWhatEventsLack", Effect = "Allow", Action = ["ecs:DescribeTasks", "ecs:DescribeServices", "ecs:DescribeContainerInstances"], Resource = ["${local.ecs}:task/*", "${local.ecs}:service/*", "${local.ecs}:container-instance/*"] },
    # IAM supports no narrower resource for these.
    { Sid = "LookUpTaskDefinitions", Effect = "Allow", Action = "ecs:DescribeTaskDefinition", Resource = "*" },
    { Sid = "LookUpAlarms", Effect = "Allow", Action = "cloudwatch:DescribeAlarms", Resource = "*" },
    { Sid = "LookUpAlias", Effect = "Allow", Action = "iam:ListAccountAliases", Resource = "*" },
    { Sid = "LookUpClusters", Effect = "Allow", Action = "ecs:ListClusters", Resource = "*" },
    { Sid = "LookUpInstances", Effect = "Allow", Action = ["ecs:ListContainerInstances", "ecs:ListTasks", "ecs:DescribeCapacityProviders", "ecs:DescribeClusters"], Resource = ["${local.ecs}:cluster/*", "${local.ecs}:container-instance/*", "${local.ecs}:capacity-provider/*"] },
    { Sid = "LookUpCodeDeploy", Effect = "Allow", Action = ["codedeploy:GetDeployment", "codedeploy:GetDeploymentGroup"], Resource = "arn:${local.partition}:codedeploy:*:${local.account}:deploymentgroup:*" },
  ]
  last_words = [
    { Sid = "ReadLastWords", Effect = "Allow", Action = "logs:GetLogEvents", Resource = "arn:${local.partition}:logs:*:${local.account}:log-group:${var.log_groups}:log-stream:*" },
  ]
}

# The condition names the role, because a principal that is a role stops to work when the role is made anew.
resource "aws_iam_role" "lookup" {
  count = local.has_lookup_role ? 1 : 0

  name                 = var.lookup_role_name
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { AWS = join("", ["arn:", local.partition, ":iam::", split(":", var.hub_role_arn)[4], ":root"]) }
      Action    = "sts:AssumeRole"
      Condition = merge(
        { ArnEquals = { "aws:PrincipalArn" = var.hub_role_arn } },
        var.external_id == "" ? {} : { StringEquals = { "sts:ExternalId" = var.external_id } },
      )
    }]
  })
}

resource "aws_iam_role_policy" "lookup" {
  count = local.has_lookup_role ? 1 : 0

  name = "lookup"
  role = aws_iam_role.lookup[0].id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat(local.lookups, [for it in local.last_words : it if var.log_groups != ""])
  })
}
