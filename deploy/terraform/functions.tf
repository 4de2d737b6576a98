# What every function has: its role, its log group, and the function itself. parrot.tf, run_from_queue.tf and
# deploy_hook.tf say what is different.

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
  region    = data.aws_region.this.name
  scope     = "${local.region}:${local.account}"
  ecs       = "arn:${local.partition}:ecs:${local.scope}"

  # The module of a release has the zips beside it.
  zips = var.zips != "" ? var.zips : "${path.module}/dist"

  functions = {
    parrot         = local.parrot
    run-from-queue = local.run_from_queue
    deploy-hook    = local.deploy_hook
  }
  enabled = { for key, function in local.functions : key => function if function.enabled }

  # One trust policy for all functions.
  trusts_lambda = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "lambda.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role" "function" {
  for_each = local.enabled

  name                 = "${var.name}-${local.region}-${each.key}"
  assume_role_policy   = local.trusts_lambda
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags
}

resource "aws_iam_role_policy" "function" {
  for_each = local.enabled

  name = each.key
  role = aws_iam_role.function[each.key].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{ Sid = "WriteItsOwnLog", Effect = "Allow", Action = ["logs:CreateLogStream", "logs:PutLogEvents"], Resource = "arn:${local.partition}:logs:${local.scope}:log-group:/aws/lambda/${each.value.name}:*" }],
      each.value.statements,
    )
  })
}

resource "aws_cloudwatch_log_group" "function" {
  for_each = local.enabled

  name              = "/aws/lambda/${each.value.name}"
  retention_in_days = var.log_retention
  tags              = var.tags
}

resource "aws_lambda_function" "function" {
  for_each = local.enabled

  function_name    = each.value.name
  description      = each.value.description
  role             = aws_iam_role.function[each.key].arn
  filename         = "${local.zips}/${each.key}.zip"
  source_code_hash = filebase64sha256("${local.zips}/${each.key}.zip")
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = [var.architecture]
  memory_size      = each.value.memory
  timeout          = each.value.timeout
  layers           = each.value.layers
  tags             = var.tags

  logging_config {
    log_group             = aws_cloudwatch_log_group.function[each.key].name
    log_format            = "JSON"
    application_log_level = var.log_level
    system_log_level      = "INFO"
  }

  environment {
    variables = each.value.environment
  }

  lifecycle {
    precondition {
      condition     = !contains(keys(var.zip_checksums), each.key) || try(filesha256("${local.zips}/${each.key}.zip"), "") == lower(lookup(var.zip_checksums, each.key, ""))
      error_message = "${each.key}.zip is not the file of zip_checksums: download it again, and compare the release."
    }
  }

  depends_on = [aws_iam_role_policy.function]
}
