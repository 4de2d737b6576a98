# Runs ECS tasks for SQS messages. A message goes to the dead-letter queue if its task can never run, or if there was no
# capacity for it for about two hours.

locals {
  # What may run, and where. Nothing runs until both are set. The role allows the same as the function, with `?` for `[…]`,
  # which IAM does not know. A name without a revision means every revision.
  run_patterns    = [for it in var.run_from_queue.allowed_task_definitions : replace(it, "/\\[[^]]*\\]/", "?")]
  run_definitions = [for it in local.run_patterns : length(split(":", it)) > 1 ? it : join(":", [it, "*"])]
  run_clusters    = [for it in var.run_from_queue.allowed_clusters : replace(it, "/\\[[^]]*\\]/", "?")]
  run_definition_arns = length(local.run_definitions) == 0 ? ["${local.ecs}:task-definition/none:0"] : [
    for it in local.run_definitions : "${local.ecs}:task-definition/${it}"
  ]
  run_cluster_arns = length(local.run_clusters) == 0 ? ["${local.ecs}:cluster/none"] : [for it in local.run_clusters : "${local.ecs}:cluster/${it}"]
  run_in_clusters  = { for kind in ["service", "task"] : kind => length(local.run_clusters) == 0 ? ["${local.ecs}:${kind}/none/*"] : [for it in local.run_clusters : "${local.ecs}:${kind}/${it}/*"] }

  # The roles that may be passed to a task. The default is none.
  passed_roles = length(var.pass_roles) > 0 ? var.pass_roles : ["arn:${local.partition}:iam::${local.account}:role/none/none"]

  run_queue_arn        = "arn:${local.partition}:sqs:${local.scope}:${var.name}-run-queue"
  run_dead_letters_arn = "arn:${local.partition}:sqs:${local.scope}:${var.name}-run-dead-letters"

  run_from_queue = {
    enabled     = var.functions.run_from_queue
    name        = "${var.name}-run-from-queue"
    description = "Runs ECS tasks on request of SQS messages"
    memory      = var.run_from_queue.memory
    timeout     = 60
    layers      = []
    environment = {
      ALLOWED_CLUSTERS         = join(",", var.run_from_queue.allowed_clusters)
      ALLOWED_TASK_DEFINITIONS = join(",", var.run_from_queue.allowed_task_definitions)
    }
    statements = [
      { Sid = "TakeMessages", Effect = "Allow", Action = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility"], Resource = local.run_queue_arn },
      { Sid = "KeepWhatFailed", Effect = "Allow", Action = "sqs:SendMessage", Resource = local.run_dead_letters_arn },
      { Sid = "RunTasks", Effect = "Allow", Action = "ecs:RunTask", Resource = local.run_definition_arns, Condition = { ArnLike = { "ecs:cluster" = local.run_cluster_arns } } },
      # A message may contain tags, or copy those of the task definition (propagateTags).
      { Sid = "TagTasks", Effect = "Allow", Action = "ecs:TagResource", Resource = local.run_in_clusters["task"], Condition = { StringEquals = { "ecs:CreateAction" = "RunTask" } } },
      { Sid = "TakeNetworkOfServices", Effect = "Allow", Action = "ecs:DescribeServices", Resource = local.run_in_clusters["service"] },
      # ECS supports no resource ARN for this action.
      { Sid = "LookUpContainers", Effect = "Allow", Action = "ecs:DescribeTaskDefinition", Resource = "*" },
      # Task roles are passed to ecs-tasks. The role with which ECS manages the EBS volumes of a message's
      # volumeConfigurations is passed to ecs.
      { Sid = "PassRoles", Effect = "Allow", Action = "iam:PassRole", Resource = local.passed_roles, Condition = { StringEquals = { "iam:PassedToService" = ["ecs-tasks.amazonaws.com", "ecs.amazonaws.com"] } } },
    ]
  }
}

resource "aws_sqs_queue" "run" {
  count = var.functions.run_from_queue ? 1 : 0

  name = "${var.name}-run-queue"
  # This applies if the function crashes and sets no delay: twelve of these timeouts are two hours.
  visibility_timeout_seconds = 600
  message_retention_seconds  = 1209600
  sqs_managed_sse_enabled    = true
  tags                       = var.tags
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.run_dead_letters[0].arn
    # The delays start at 30 s and double each time, up to 15 minutes: twelve of them are about two hours.
    maxReceiveCount = 12
  })
}

resource "aws_sqs_queue" "run_dead_letters" {
  count = var.functions.run_from_queue ? 1 : 0

  name                      = "${var.name}-run-dead-letters"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
  tags                      = var.tags
}

resource "aws_sqs_queue_policy" "run" {
  for_each = var.functions.run_from_queue ? { run = aws_sqs_queue.run[0], dead_letters = aws_sqs_queue.run_dead_letters[0] } : {}

  queue_url = each.value.url
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TlsOnly", Effect = "Deny", Principal = "*", Action = "sqs:*", Resource = each.value.arn,
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

resource "aws_lambda_event_source_mapping" "run" {
  count = var.functions.run_from_queue ? 1 : 0

  event_source_arn        = aws_sqs_queue.run[0].arn
  function_name           = aws_lambda_function.function["run-from-queue"].arn
  batch_size              = 10
  function_response_types = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = var.run_from_queue.maximum_concurrency
  }
}

# For events of stopped tasks that could not be started again.
resource "aws_lambda_function_event_invoke_config" "run_from_queue" {
  count = var.functions.run_from_queue ? 1 : 0

  function_name = aws_lambda_function.function["run-from-queue"].function_name

  destination_config {
    on_failure {
      destination = aws_sqs_queue.run_dead_letters[0].arn
    }
  }
}

# A task that the function started is started again if its network interface was not ready in time.
resource "aws_cloudwatch_event_rule" "run_again" {
  count = var.functions.run_from_queue ? 1 : 0

  name        = "${var.name}-run-again"
  description = "Tasks of the run queue without a network interface"
  tags        = var.tags
  event_pattern = jsonencode({
    source      = ["aws.ecs"]
    detail-type = ["ECS Task State Change"]
    detail = {
      lastStatus    = ["STOPPED"]
      startedBy     = [{ prefix = "run-from-queue/" }]
      stoppedReason = [{ prefix = "Timeout waiting for network interface provisioning to complete" }]
    }
  })
}

resource "aws_cloudwatch_event_target" "run_again" {
  count = var.functions.run_from_queue ? 1 : 0

  rule = aws_cloudwatch_event_rule.run_again[0].name
  arn  = aws_lambda_function.function["run-from-queue"].arn
}

resource "aws_lambda_permission" "run_again" {
  count = var.functions.run_from_queue ? 1 : 0

  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.function["run-from-queue"].function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.run_again[0].arn
}
