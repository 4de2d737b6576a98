# The rules of the notifier, and where each one sends its events. A rule that is switched off is made, and disabled.

module "rules" {
  source = "./modules/rules"

  rules = var.rules
}

locals {
  parrot_rules = { for key, rule in module.rules.all : key => rule if var.functions.parrot }

  # The rules of the two ways have different names, because the new rules are made before the old ones are deleted.
  is_queued   = var.ingest == "queue"
  rule_prefix = local.is_queued ? "${var.name}-queued" : var.name
  direct      = { for key, rule in local.parrot_rules : key => rule if !local.is_queued }

  # EventBridge writes to log groups whose names begin with `/aws/events/`.
  # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
  archive  = "/aws/events/${var.name}"
  archived = { for key, rule in local.parrot_rules : key => rule if var.archive }
}

resource "aws_cloudwatch_event_rule" "parrot" {
  for_each = local.parrot_rules

  name          = "${local.rule_prefix}-${each.key}"
  description   = each.value.description
  event_pattern = each.value.pattern
  state         = each.value.on ? "ENABLED" : "DISABLED"
  tags          = var.tags

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_cloudwatch_event_target" "parrot" {
  for_each = local.parrot_rules

  rule      = aws_cloudwatch_event_rule.parrot[each.key].name
  target_id = local.is_queued ? "events" : "parrot"
  arn       = local.is_queued ? aws_sqs_queue.events[0].arn : aws_lambda_function.function["parrot"].arn

  retry_policy {
    maximum_event_age_in_seconds = var.event_age
    # The most that EventBridge allows. Mostly the age of the event ends them earlier.
    maximum_retry_attempts = 185
  }

  dead_letter_config {
    arn = aws_sqs_queue.dead_letters[0].arn
  }
}

resource "aws_lambda_permission" "parrot" {
  for_each = local.direct

  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.function["parrot"].function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.parrot[each.key].arn
}

# The archive: a log group with every event that the rules take. Events that cannot be archived are not kept elsewhere: what
# is in the dead-letter queue was not posted.
resource "aws_cloudwatch_log_group" "archive" {
  count = var.functions.parrot && var.archive ? 1 : 0

  name              = local.archive
  retention_in_days = var.archive_retention
  tags              = var.tags
}

# CloudWatch Logs allows ten such policies in an account and region. The principals are those of AWS's page, which has no
# condition: with one that EventBridge does not fulfil, events would be lost without an error.
resource "aws_cloudwatch_log_resource_policy" "archive" {
  count = var.functions.parrot && var.archive ? 1 : 0

  policy_name = "${var.name}-archive"
  policy_document = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "KeepEvents", Effect = "Allow", Principal = { Service = ["events.amazonaws.com", "delivery.logs.amazonaws.com"] },
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"],
      Resource = "arn:${local.partition}:logs:${local.scope}:log-group:${local.archive}:*"
    }]
  })
}

resource "aws_cloudwatch_event_rule" "archive" {
  for_each = local.archived

  name          = "${var.name}-archive-${each.key}"
  description   = "${each.value.description}, for the archive"
  event_pattern = each.value.pattern
  state         = each.value.on ? "ENABLED" : "DISABLED"
  tags          = var.tags
}

resource "aws_cloudwatch_event_target" "archive" {
  for_each = local.archived

  rule      = aws_cloudwatch_event_rule.archive[each.key].name
  target_id = "archive"
  arn       = "arn:${local.partition}:logs:${local.scope}:log-group:${local.archive}"

  retry_policy {
    maximum_event_age_in_seconds = var.event_age
    maximum_retry_attempts       = 185
  }

  depends_on = [aws_cloudwatch_log_group.archive, aws_cloudwatch_log_resource_policy.archive]
}
