# The alarms of all functions, and the dashboard of the notifier.

locals {
  queue_alarms = {
    dead-letters     = { enabled = var.functions.parrot, queue = one(aws_sqs_queue.dead_letters[*].name), description = "Events that could not be posted are in the dead-letter queue; `ecs-parrot redrive` posts them" }
    run-dead-letters = { enabled = var.functions.run_from_queue, queue = one(aws_sqs_queue.run_dead_letters[*].name), description = "Messages that could not be run are in the dead-letter queue" }
  }

  # An invocation fails if the function cannot start, crashes or times out. With `ingest = "direct"` one of the notifier also
  # fails if a channel did not accept a message, and one of the deployment hook if the result of a task could not be
  # reported: then the deployment fails after an hour, so it is told at once.
  error_alarms = {
    parrot         = { period = 300, description = "Invocations of the notifier fail; its log says why. Events are tried again, and then go to the dead-letter queue" }
    run-from-queue = { period = 300, description = "Invocations of run-from-queue fail; its log says why" }
    deploy-hook    = { period = 60, description = "A deployment's hook failed to answer" }
  }
  has_parrot = var.functions.parrot ? { parrot = aws_lambda_function.function["parrot"].function_name } : {}

  # Timers invoke the function too, so invocations are no sign of events. The function's own metric depends on the log level:
  # with a higher one Lambda drops the lines with the metrics.
  has_own_metrics = contains(["TRACE", "DEBUG", "INFO"], var.log_level)
}

resource "aws_cloudwatch_metric_alarm" "queue" {
  for_each = { for key, it in local.queue_alarms : key => it if it.enabled }

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = each.value.queue }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  for_each = local.enabled

  alarm_name          = "${var.name}-${each.key}-errors"
  alarm_description   = local.error_alarms[each.key].description
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = aws_lambda_function.function[each.key].function_name }
  statistic           = "Sum"
  period              = local.error_alarms[each.key].period
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  tags                = var.tags
}

# Later attempts are fifteen minutes apart, so that two consecutive periods contain failures while the problem lasts.
resource "aws_cloudwatch_metric_alarm" "delivery_failures" {
  for_each = local.has_parrot

  alarm_name          = "${var.name}-delivery-failures"
  alarm_description   = "A channel did not take messages; they are tried again, and then go to the dead-letter queue"
  namespace           = "ecs-parrot"
  metric_name         = "DeliveryFailures"
  dimensions          = { FunctionName = each.value }
  statistic           = "Sum"
  period              = 900
  evaluation_periods  = 2
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "throttles" {
  for_each = local.has_parrot

  alarm_name          = "${var.name}-throttles"
  alarm_description   = "Lambda throttles the notifier; the account may be at its concurrency limit"
  namespace           = "AWS/Lambda"
  metric_name         = "Throttles"
  dimensions          = { FunctionName = each.value }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 3
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  tags                = var.tags
}

# A cluster in use has events every day. If there are none, a rule may be switched off or a role may be missing.
resource "aws_cloudwatch_metric_alarm" "silence" {
  for_each = local.has_parrot

  alarm_name          = "${var.name}-silence"
  alarm_description   = "No event of ECS has reached the notifier for a day"
  namespace           = local.has_own_metrics ? "ecs-parrot" : "AWS/Lambda"
  metric_name         = local.has_own_metrics ? "EventsReceived" : "Invocations"
  dimensions          = { FunctionName = each.value }
  statistic           = "Sum"
  period              = 86400
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = var.alarm_actions
  tags                = var.tags
}

resource "aws_cloudwatch_dashboard" "parrot" {
  for_each = local.has_parrot

  dashboard_name = var.name
  dashboard_body = templatefile("${path.module}/dashboard.json.tftpl", {
    function     = each.value
    region       = local.region
    dead_letters = aws_sqs_queue.dead_letters[0].name
  })
}
