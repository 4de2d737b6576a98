# The functions of serverless.yml, from the same zips, for deployments with Terraform.

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  account = data.aws_caller_identity.this.account_id
  scope   = "${data.aws_region.this.name}:${local.account}"
  ecs     = "arn:${data.aws_partition.this.partition}:ecs:${local.scope}"
  # IAM requires a resource in every statement. If the variables name none, it is a resource that does not exist.
  task_definitions = length(var.task_definition_arns) > 0 ? var.task_definition_arns : ["${local.ecs}:task-definition/none:0"]
  clusters         = length(var.cluster_arns) > 0 ? var.cluster_arns : ["${local.ecs}:cluster/none"]
  roles            = length(var.pass_role_arns) > 0 ? var.pass_role_arns : ["arn:${data.aws_partition.this.partition}:iam::${local.account}:role/none/none"]

  opening_channels = [
    { Sid = "OpenChannels", Effect = "Allow", Action = ["ssm:GetParameter", "secretsmanager:GetSecretValue"], Resource = var.secret_arns },
  ]
  publishing = [
    { Sid = "PublishToChannels", Effect = "Allow", Action = "sns:Publish", Resource = var.topic_arns },
  ]
  # The name or ARN of the table. Empty or DISABLED means no table.
  table = upper(trimspace(var.state_table)) == "DISABLED" ? "" : trimspace(var.state_table)
  remembering = [
    { Sid = "StateTable", Effect = "Allow", Action = ["dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"], Resource = startswith(local.table, "arn:") ? local.table : "arn:${data.aws_partition.this.partition}:dynamodb:${local.scope}:table/${local.table}" },
  ]
  # The permissions of the notifier for enrichment.
  enriches = lower(trimspace(var.enrich)) != "false"
  looking_up = [
    { Sid = "LookUpWhatEventsLack", Effect = "Allow", Action = ["ecs:DescribeTasks", "ecs:DescribeServices", "ecs:DescribeContainerInstances"], Resource = ["${local.ecs}:task/*", "${local.ecs}:service/*", "${local.ecs}:container-instance/*"] },
    { Sid = "LookUpTaskDefinitions", Effect = "Allow", Action = "ecs:DescribeTaskDefinition", Resource = "*" },
  ]
  looking_up_alias = [
    { Sid = "LookUpAlias", Effect = "Allow", Action = "iam:ListAccountAliases", Resource = "*" },
  ]
  looking_up_code_deploy = [
    { Sid = "LookUpCodeDeploy", Effect = "Allow", Action = ["codedeploy:GetDeployment", "codedeploy:GetDeploymentGroup"], Resource = "arn:${data.aws_partition.this.partition}:codedeploy:${local.scope}:deploymentgroup:*" },
  ]
  looking_up_instances = [
    { Sid = "LookUpInstances", Effect = "Allow", Action = ["ecs:ListContainerInstances", "ecs:ListTasks", "ecs:DescribeCapacityProviders", "ecs:DescribeClusters"], Resource = ["${local.ecs}:cluster/*", "${local.ecs}:container-instance/*", "${local.ecs}:capacity-provider/*"] },
    { Sid = "LookUpClusters", Effect = "Allow", Action = "ecs:ListClusters", Resource = "*" },
  ]
  looking_up_alarms = [
    { Sid = "LookUpAlarms", Effect = "Allow", Action = "cloudwatch:DescribeAlarms", Resource = "*" },
  ]
  reading_last_words = [
    { Sid = "ReadLastWords", Effect = "Allow", Action = "logs:GetLogEvents", Resource = "arn:${data.aws_partition.this.partition}:logs:${local.scope}:log-group:${var.log_tail_groups}:log-stream:*" },
  ]

  functions = {
    parrot = {
      enabled = var.functions.parrot
      name    = "${var.name}-parrot"
      zip     = "${var.dist}/parrot.zip"
      memory  = 256
      timeout = 15
      environment = {
        CHANNELS                          = var.channels
        SLACK_WEBHOOKURL                  = var.slack_webhookurl
        SLACK_CHANNEL                     = var.slack_channel
        SLACK_USERNAME                    = var.slack_username
        SLACK_ICON_EMOJI                  = var.slack_icon_emoji
        SLACK_QUIET                       = var.slack_quiet
        SLACK_MENTION                     = var.slack_mention
        FLOWDOCK_API_TOKEN                = var.flowdock_api_token
        FLOWDOCK_USERNAME                 = var.flowdock_username
        FLOWDOCK_ICON_EMOJI               = var.flowdock_icon_emoji
        FLOWDOCK_QUIET                    = var.flowdock_quiet
        FLOWDOCK_URL                      = var.flowdock_url
        IGNORED_EXIT_CODE_CONTAINER_NAMES = var.ignored_exit_code_container_names
        IGNORED_CLUSTERS                  = var.ignored_clusters
        IGNORED_SERVICES                  = var.ignored_services
        KEEP                              = var.keep
        DROP                              = var.drop
        REMIND_AFTER                      = var.remind_after
        RESOLVE_AFTER                     = var.resolve_after
        STORM_AFTER                       = var.storm_after
        EXPECT                            = var.expect
        ACCOUNT_NAMES                     = var.account_names
        TEMPLATES_DIR                     = var.templates_dir
        ENRICH                            = var.enrich
        LOG_TAIL_LINES                    = var.log_tail_lines
        LOG_TAIL_MASK                     = var.log_tail_mask
        STATE_TABLE                       = var.state_table
        ARCHIVE_LOG_GROUP                 = var.archive_log_group
        METRICS_BY                        = var.metrics_by
      }
      statements = concat(
        [{ Sid = "KeepWhatFailed", Effect = "Allow", Action = "sqs:SendMessage", Resource = "arn:${data.aws_partition.this.partition}:sqs:${local.scope}:${var.name}-dead-letters" }],
        # These are loops, because the two results of a conditional must have the same type.
        [for it in local.opening_channels : it if length(var.secret_arns) > 0],
        [for it in local.publishing : it if length(var.topic_arns) > 0],
        [for it in local.remembering : it if local.table != ""],
        [for it in local.looking_up : it if local.enriches],
        [for it in local.looking_up_alias : it if local.enriches && contains(split(",", replace(var.account_names, " ", "")), "ALIAS")],
        [for it in local.looking_up_code_deploy : it if local.enriches && var.rules.code_deploy],
        [for it in local.looking_up_instances : it if local.enriches && var.rules.instances],
        [for it in local.looking_up_alarms : it if local.enriches && var.rules.alarms],
        [for it in local.reading_last_words : it if local.enriches && !contains(["", "0"], trimspace(var.log_tail_lines))],
      )
    }
    run-from-queue = {
      enabled = var.functions.run_from_queue
      name    = "${var.name}-run-from-queue"
      zip     = "${var.dist}/run-from-queue.zip"
      memory  = 128
      timeout = 60
      environment = {
        ALLOWED_CLUSTERS         = var.allowed_clusters
        ALLOWED_TASK_DEFINITIONS = var.allowed_task_definitions
      }
      statements = [
        { Sid = "TakeMessages", Effect = "Allow", Action = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility"], Resource = "arn:${data.aws_partition.this.partition}:sqs:${local.scope}:${var.name}-run-queue" },
        { Sid = "KeepWhatFailed", Effect = "Allow", Action = "sqs:SendMessage", Resource = "arn:${data.aws_partition.this.partition}:sqs:${local.scope}:${var.name}-run-dead-letters" },
        { Sid = "RunTasks", Effect = "Allow", Action = "ecs:RunTask", Resource = local.task_definitions, Condition = { ArnLike = { "ecs:cluster" = local.clusters } } },
        { Sid = "TagTasks", Effect = "Allow", Action = "ecs:TagResource", Resource = "${local.ecs}:task/*", Condition = { StringEquals = { "ecs:CreateAction" = "RunTask" } } },
        { Sid = "TakeNetworkOfServices", Effect = "Allow", Action = "ecs:DescribeServices", Resource = "${local.ecs}:service/*", Condition = { ArnLike = { "ecs:cluster" = local.clusters } } },
        { Sid = "LookUpContainers", Effect = "Allow", Action = "ecs:DescribeTaskDefinition", Resource = "*" },
        # Task roles are passed to ecs-tasks. The role with which ECS manages the EBS volumes of a message is passed to
        # ecs.
        { Sid = "PassRoles", Effect = "Allow", Action = "iam:PassRole", Resource = local.roles, Condition = { StringEquals = { "iam:PassedToService" = ["ecs-tasks.amazonaws.com", "ecs.amazonaws.com"] } } },
      ]
    }
    deploy-hook = {
      enabled = var.functions.deploy_hook
      # CodeDeploy's managed role may only invoke functions with this prefix.
      name    = "CodeDeployHook_${var.name}"
      zip     = "${var.dist}/deploy-hook.zip"
      memory  = 128
      timeout = 900
      environment = {
        TASK_DEFINITION  = var.task_definition
        CLUSTER_NAME     = var.cluster_name
        COMMAND          = var.command
        CONTAINER_NAME   = var.container_name
        SUBNETS          = var.subnets
        SECURITY_GROUPS  = var.security_groups
        ASSIGN_PUBLIC_IP = var.assign_public_ip
        WAIT             = var.wait
        HOOK_EVENTS      = var.hook_events
      }
      statements = [
        { Sid = "Report", Effect = "Allow", Action = "codedeploy:PutLifecycleEventHookExecutionStatus", Resource = "arn:${data.aws_partition.this.partition}:codedeploy:${local.scope}:deploymentgroup:*" },
        { Sid = "RunTasks", Effect = "Allow", Action = "ecs:RunTask", Resource = local.task_definitions, Condition = { ArnLike = { "ecs:cluster" = local.clusters } } },
        { Sid = "FollowAndStopTasks", Effect = "Allow", Action = ["ecs:DescribeTasks", "ecs:StopTask"], Resource = "${local.ecs}:task/*", Condition = { ArnLike = { "ecs:cluster" = local.clusters } } },
        { Sid = "LookUpRevisions", Effect = "Allow", Action = "ecs:DescribeServiceRevisions", Resource = "${local.ecs}:service-revision/*" },
        { Sid = "LookUpContainers", Effect = "Allow", Action = "ecs:DescribeTaskDefinition", Resource = "*" },
        { Sid = "PassRoles", Effect = "Allow", Action = "iam:PassRole", Resource = local.roles, Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } } },
      ]
    }
  }
  enabled = { for key, function in local.functions : key => function if function.enabled }

  # Which rule invokes which function. A rule that is not `on` is made, and disabled. deploy/serverless/rules.js explains
  # the rules of the notifier.
  rules = {
    api-calls = {
      function = "parrot"
      pattern = {
        source      = ["aws.ecs"]
        detail-type = ["AWS API Call via CloudTrail"]
        detail = {
          eventSource = ["ecs.amazonaws.com"]
          eventName   = [{ anything-but = ["SubmitContainerStateChange", "SubmitAttachmentStateChanges", "DiscoverPollEndpoint", "SubmitTaskStateChange"] }]
        }
      }
    }
    ecs-events = {
      function = "parrot"
      pattern = {
        source      = ["aws.ecs"]
        detail-type = [{ anything-but = ["AWS API Call via CloudTrail"] }]
      }
    }
    health = {
      function = "parrot"
      on       = var.rules.health
      pattern = {
        source      = ["aws.health"]
        detail-type = ["AWS Health Event"]
        detail      = { service = ["ECS", "FARGATE"] }
      }
    }
    scaling = {
      function = "parrot"
      on       = var.rules.scaling
      pattern = {
        source      = ["aws.application-autoscaling"]
        detail-type = ["Application Auto Scaling Scaling Activity State Change"]
        detail      = { serviceNamespace = ["ecs"], scaledToMax = [true] }
      }
    }
    alarms = {
      function = "parrot"
      on       = var.rules.alarms
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
      function = "parrot"
      on       = var.rules.code_deploy
      pattern = {
        source      = ["aws.codedeploy"]
        detail-type = ["CodeDeploy Deployment State-change Notification"]
      }
    }
    instances = {
      function = "parrot"
      on       = var.rules.instances
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
    run-again = {
      function = "run-from-queue"
      pattern = {
        source      = ["aws.ecs"]
        detail-type = ["ECS Task State Change"]
        detail = {
          lastStatus    = ["STOPPED"]
          startedBy     = [{ prefix = "run-from-queue/" }]
          stoppedReason = [{ prefix = "Timeout waiting for network interface provisioning to complete" }]
        }
      }
    }
    hook-tasks = {
      function = "deploy-hook"
      pattern = {
        source      = ["aws.ecs"]
        detail-type = ["ECS Task State Change"]
        detail = {
          lastStatus = ["STOPPED"]
          startedBy  = [{ prefix = "deploy-hook/" }]
        }
      }
    }
  }
  enabled_rules = {
    for key, rule in local.rules : key => rule
    if local.functions[rule.function].enabled && (key != "hook-tasks" || lower(trimspace(var.hook_events)) == "true")
  }
  archives = var.functions.parrot && var.archive_log_group != ""
  archived = { for key, rule in local.enabled_rules : key => rule if local.archives && rule.function == "parrot" }
}

resource "aws_iam_role" "function" {
  for_each = local.enabled

  name = "${var.name}-${data.aws_region.this.name}-${each.key}"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "lambda.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role_policy" "function" {
  for_each = local.enabled

  name = each.key
  role = aws_iam_role.function[each.key].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{ Sid = "WriteItsOwnLog", Effect = "Allow", Action = ["logs:CreateLogStream", "logs:PutLogEvents"], Resource = "${aws_cloudwatch_log_group.function[each.key].arn}:*" }],
      each.value.statements,
    )
  })
}

resource "aws_cloudwatch_log_group" "function" {
  for_each = local.enabled

  name              = "/aws/lambda/${each.value.name}"
  retention_in_days = var.log_retention
}

resource "aws_lambda_function" "function" {
  for_each = local.enabled

  function_name    = each.value.name
  role             = aws_iam_role.function[each.key].arn
  filename         = each.value.zip
  source_code_hash = filebase64sha256(each.value.zip)
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = [var.architecture]
  memory_size      = each.value.memory
  timeout          = each.value.timeout

  logging_config {
    log_format = "JSON"
  }

  environment {
    variables = each.value.environment
  }

  depends_on = [aws_iam_role_policy.function]
}

resource "aws_lambda_function_event_invoke_config" "parrot" {
  count = var.functions.parrot ? 1 : 0

  function_name                = aws_lambda_function.function["parrot"].function_name
  maximum_retry_attempts       = 2
  maximum_event_age_in_seconds = 3600

  destination_config {
    on_failure {
      destination = aws_sqs_queue.dead_letters[0].arn
    }
  }
}

resource "aws_cloudwatch_event_rule" "rule" {
  for_each = local.enabled_rules

  name          = "${var.name}-${each.key}"
  event_pattern = jsonencode(each.value.pattern)
  state         = try(each.value.on, true) ? "ENABLED" : "DISABLED"
}

resource "aws_cloudwatch_event_target" "rule" {
  for_each = local.enabled_rules

  rule = aws_cloudwatch_event_rule.rule[each.key].name
  arn  = aws_lambda_function.function[each.value.function].arn

  retry_policy {
    maximum_event_age_in_seconds = 3600
    maximum_retry_attempts       = 185
  }

  dynamic "dead_letter_config" {
    for_each = each.value.function == "parrot" ? [aws_sqs_queue.dead_letters[0].arn] : []

    content {
      arn = dead_letter_config.value
    }
  }
}

# EventBridge writes to log groups whose names begin with `/aws/events/`.
resource "aws_cloudwatch_log_group" "archive" {
  count = local.archives ? 1 : 0

  name              = var.archive_log_group
  retention_in_days = var.archive_retention
}

# CloudWatch Logs allows ten such policies in an account and region.
resource "aws_cloudwatch_log_resource_policy" "archive" {
  count = local.archives ? 1 : 0

  policy_name = "${var.name}-archive"
  policy_document = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "KeepEvents", Effect = "Allow", Principal = { Service = ["events.amazonaws.com", "delivery.logs.amazonaws.com"] },
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"],
      Resource = "arn:${data.aws_partition.this.partition}:logs:${local.scope}:log-group:${var.archive_log_group}:*"
    }]
  })
}

resource "aws_cloudwatch_event_target" "archive" {
  for_each = local.archived

  rule      = aws_cloudwatch_event_rule.rule[each.key].name
  target_id = "archive"
  arn       = aws_cloudwatch_log_group.archive[0].arn

  retry_policy {
    maximum_event_age_in_seconds = 3600
    maximum_retry_attempts       = 185
  }
}

resource "aws_lambda_permission" "rule" {
  for_each = local.enabled_rules

  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.function[each.value.function].function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.rule[each.key].arn
}

resource "aws_sqs_queue" "dead_letters" {
  count = var.functions.parrot ? 1 : 0

  name                      = "${var.name}-dead-letters"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}

resource "aws_sqs_queue_policy" "dead_letters" {
  count = var.functions.parrot ? 1 : 0

  queue_url = aws_sqs_queue.dead_letters[0].url
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "WhatTheRulesCouldNotHandOver", Effect = "Allow", Principal = { Service = "events.amazonaws.com" },
        Action    = "sqs:SendMessage", Resource = aws_sqs_queue.dead_letters[0].arn,
        Condition = { ArnEquals = { "aws:SourceArn" = [for key, rule in local.enabled_rules : aws_cloudwatch_event_rule.rule[key].arn if rule.function == "parrot"] } }
      },
      {
        Sid       = "TlsOnly", Effect = "Deny", Principal = "*", Action = "sqs:*", Resource = aws_sqs_queue.dead_letters[0].arn,
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

# A message goes to the second queue if its task can never run, or if there was no capacity for it for about two hours.
# The same happens if the function crashes and sets no delay: twelve times the visibility timeout is two hours.
resource "aws_sqs_queue" "run" {
  count = var.functions.run_from_queue ? 1 : 0

  name                       = "${var.name}-run-queue"
  visibility_timeout_seconds = 600
  message_retention_seconds  = 1209600
  sqs_managed_sse_enabled    = true
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.run_dead_letters[0].arn
    maxReceiveCount     = 12
  })
}

resource "aws_sqs_queue" "run_dead_letters" {
  count = var.functions.run_from_queue ? 1 : 0

  name                      = "${var.name}-run-dead-letters"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
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
    maximum_concurrency = 5
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

resource "aws_cloudwatch_metric_alarm" "run_dead_letters" {
  count = var.functions.run_from_queue ? 1 : 0

  alarm_name          = "${var.name}-run-dead-letters"
  alarm_description   = "Messages that could not be run are in the dead-letter queue"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.run_dead_letters[0].name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
}

# An invocation fails if the function cannot start, crashes or times out. An invocation of the notifier also fails if a
# channel did not accept a message, and one of the deployment hook if the result of a task could not be reported.
resource "aws_cloudwatch_metric_alarm" "errors" {
  for_each = local.enabled

  alarm_name          = "${var.name}-${each.key}-errors"
  alarm_description   = "Invocations of ${each.key} fail; its log says why"
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = aws_lambda_function.function[each.key].function_name }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  count = var.functions.parrot ? 1 : 0

  alarm_name          = "${var.name}-dead-letters"
  alarm_description   = "Events that could not be posted are in the dead-letter queue; `ecs-parrot redrive` posts them"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.dead_letters[0].name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
}

# Amazon ECS calls the function with this role. A service's lifecycle hook names it.
resource "aws_iam_role" "lifecycle_hook" {
  count = var.functions.deploy_hook ? 1 : 0

  name = "${var.name}-${data.aws_region.this.name}-lifecycle-hook"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "ecs.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role_policy" "lifecycle_hook" {
  count = var.functions.deploy_hook ? 1 : 0

  name = "call-the-hook"
  role = aws_iam_role.lifecycle_hook[0].id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "lambda:InvokeFunction", Resource = aws_lambda_function.function["deploy-hook"].arn }]
  })
}
