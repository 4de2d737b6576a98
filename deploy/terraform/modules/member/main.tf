# A member: its rules send the events of this account and region to the event bus of a hub. What the hub does not take stays
# in a queue here.

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
  region    = data.aws_region.this.name
}

module "rules" {
  source = "../rules"

  rules = var.rules
}

resource "aws_cloudwatch_event_rule" "forward" {
  for_each = module.rules.all

  name          = "${var.name}-member-${each.key}"
  description   = "${each.value.description}, for the hub"
  event_pattern = each.value.pattern
  state         = each.value.on ? "ENABLED" : "DISABLED"
  tags          = var.tags
}

resource "aws_cloudwatch_event_target" "forward" {
  for_each = module.rules.all

  rule      = aws_cloudwatch_event_rule.forward[each.key].name
  target_id = "hub"
  arn       = var.hub_bus_arn
  role_arn  = aws_iam_role.forward.arn

  retry_policy {
    maximum_event_age_in_seconds = 3600
    maximum_retry_attempts       = 185
  }

  dead_letter_config {
    arn = aws_sqs_queue.undelivered.arn
  }
}

# EventBridge sends to a bus of another account with this role.
resource "aws_iam_role" "forward" {
  name                 = "${var.name}-${local.region}-forward"
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow", Principal = { Service = "events.amazonaws.com" }, Action = "sts:AssumeRole",
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_iam_role_policy" "forward" {
  name = "forward"
  role = aws_iam_role.forward.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Sid = "SendEvents", Effect = "Allow", Action = "events:PutEvents", Resource = var.hub_bus_arn }]
  })
}

resource "aws_sqs_queue" "undelivered" {
  name                      = "${var.name}-undelivered"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
  tags                      = var.tags
}

resource "aws_sqs_queue_policy" "undelivered" {
  queue_url = aws_sqs_queue.undelivered.url
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "WhatTheHubDidNotTake", Effect = "Allow", Principal = { Service = "events.amazonaws.com" },
        Action    = "sqs:SendMessage", Resource = aws_sqs_queue.undelivered.arn,
        Condition = { ArnLike = { "aws:SourceArn" = "arn:${local.partition}:events:${local.region}:${local.account}:rule/${var.name}-member-*" } }
      },
      {
        Sid       = "TlsOnly", Effect = "Deny", Principal = "*", Action = "sqs:*", Resource = aws_sqs_queue.undelivered.arn,
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

resource "aws_cloudwatch_metric_alarm" "undelivered" {
  alarm_name          = "${var.name}-undelivered"
  alarm_description   = "The hub does not take events of this account; the queue has them, and the attribute ERROR_CODE of each message says why"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.undelivered.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  tags                = var.tags
}
