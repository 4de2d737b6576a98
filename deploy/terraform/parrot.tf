# The notifier posts ECS's events to chat.

locals {
  # The settings of each channel that are set. A pattern is JSON, because the patterns of two channels have different
  # shapes, and Terraform wants one type for all elements of a list.
  channels = [
    for channel in var.channels : merge(
      { for key, value in channel : key => value if value != null && !contains(["only", "except", "mention_map"], key) },
      channel.only == null ? {} : { only = jsondecode(channel.only) },
      channel.except == null ? {} : { except = jsondecode(channel.except) },
      channel.mention_map == null ? {} : { mention = channel.mention_map },
    )
  ]
  channels_text = var.channels_from != "" ? var.channels_from : length(local.channels) == 0 ? "" : jsonencode(local.channels)

  # Names and ARNs of secrets, from which the role's permissions follow: `ssm:/path`, `secretsmanager:ID:KEY`.
  references = [
    for it in flatten(concat(
      [var.channels_from, var.slack.webhookurl, var.flowdock.api_token],
      [for channel in var.channels : [for key in ["url", "token", "routing_key", "api_key", "secret"] : channel[key]]],
    )) : trimspace(it) if it != null && can(regex("^(ssm|secretsmanager):", trimspace(coalesce(it, "-"))))
  ]
  # The ARN in IAM has no version or label. Secrets Manager appends six random characters to a name.
  secrets = distinct(concat(var.secret_arns, [
    for it in local.references :
    startswith(it, "ssm:arn:") ? join(":", slice(split(":", trimprefix(it, "ssm:")), 0, 6)) :
    startswith(it, "ssm:") ? join("", ["arn:${local.partition}:ssm:${local.scope}:parameter/", trimprefix(split(":", it)[1], "/")]) :
    startswith(it, "secretsmanager:arn:") ? join(":", slice(split(":", trimprefix(it, "secretsmanager:")), 0, 7)) :
    join("", ["arn:${local.partition}:secretsmanager:${local.scope}:secret:", split(":", it)[1], "-??????"])
  ]))
  topics = distinct(concat(var.topic_arns, [for channel in var.channels : channel.topic if channel.topic != null]))

  uses_alias = contains(split(",", replace(var.account_names, " ", "")), "ALIAS")

  parrot = {
    enabled     = var.functions.parrot
    name        = "${var.name}-parrot"
    description = "Posts what happens in ECS, in chat"
    memory      = var.memory
    timeout     = var.timeout
    layers      = var.layers
    environment = {
      CHANNELS                          = local.channels_text
      SLACK_WEBHOOKURL                  = var.slack.webhookurl
      SLACK_CHANNEL                     = var.slack.channel
      SLACK_USERNAME                    = var.slack.username
      SLACK_ICON_EMOJI                  = var.slack.icon_emoji
      SLACK_QUIET                       = var.slack.quiet
      SLACK_MENTION                     = var.slack.mention
      FLOWDOCK_API_TOKEN                = var.flowdock.api_token
      FLOWDOCK_USERNAME                 = var.flowdock.username
      FLOWDOCK_ICON_EMOJI               = var.flowdock.icon_emoji
      FLOWDOCK_QUIET                    = var.flowdock.quiet
      FLOWDOCK_URL                      = var.flowdock.url
      IGNORED_EXIT_CODE_CONTAINER_NAMES = join("::", var.ignored.exit_code_container_names)
      IGNORED_CLUSTERS                  = join(",", var.ignored.clusters)
      IGNORED_SERVICES                  = join(",", var.ignored.services)
      KEEP                              = join(",", var.keep)
      DROP                              = join(",", var.drop)
      REMIND_AFTER                      = var.remind_after
      RESOLVE_AFTER                     = var.resolve_after
      STORM_AFTER                       = var.storm_after == null ? "" : tostring(var.storm_after)
      EXPECT                            = join("\n", [for name, schedule in var.expect : "${name}: ${schedule}"])
      ACCOUNT_NAMES                     = var.account_names
      TEMPLATES_DIR                     = var.templates_dir
      ENRICH                            = tostring(var.enrich)
      LOG_TAIL_LINES                    = tostring(var.log_tail.lines)
      LOG_TAIL_MASK                     = join("\n", var.log_tail.mask)
      STATE_TABLE                       = local.table_name
      ARCHIVE_LOG_GROUP                 = var.archive ? local.archive : ""
      METRICS_BY                        = join(",", var.metrics_by)
      LOOKUP_ROLE                       = var.hub.lookup_role
      LOOKUP_EXTERNAL_ID                = var.hub.external_id
    }
    statements = concat(
      # These are loops, because the two results of a conditional must have the same type.
      [
        { Sid = "KeepWhatFailed", Effect = "Allow", Action = "sqs:SendMessage", Resource = local.dead_letters_arn },
        { Sid = "TakeEvents", Effect = "Allow", Action = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility"], Resource = local.events_arn },
        { Sid = "SendTimers", Effect = "Allow", Action = "sqs:SendMessage", Resource = local.events_arn },
        # IAM requires a resource in every statement. If the variables name none, it is one that does not exist.
        { Sid = "OpenChannels", Effect = "Allow", Action = ["ssm:GetParameter", "secretsmanager:GetSecretValue"], Resource = length(local.secrets) > 0 ? local.secrets : ["arn:${local.partition}:ssm:${local.scope}:parameter/none/none"] },
        { Sid = "PublishToChannels", Effect = "Allow", Action = "sns:Publish", Resource = length(local.topics) > 0 ? local.topics : ["arn:${local.partition}:sns:${local.scope}:none"] },
      ],
      [for it in local.remembering : it if local.table_arn != ""],
      [for it in local.looking_up : it if var.enrich],
      [for it in local.looking_up_code_deploy : it if var.enrich && var.rules.code_deploy],
      [for it in local.looking_up_instances : it if var.enrich && var.rules.instances],
      [for it in local.looking_up_alarms : it if var.enrich && var.rules.alarms],
      [for it in local.looking_up_alias : it if var.enrich && local.uses_alias],
      [for it in local.assuming : it if var.enrich && var.hub.lookup_role != ""],
      [for it in local.reading_last_words : it if var.enrich && var.log_tail.lines > 0],
    )
  }

  remembering = [
    { Sid = "StateTable", Effect = "Allow", Action = ["dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"], Resource = local.table_arn },
  ]
  looking_up = [
    { Sid = "LookUpWhatEventsLack", Effect = "Allow", Action = ["ecs:DescribeTasks", "ecs:DescribeServices", "ecs:DescribeContainerInstances"], Resource = ["${local.ecs}:task/*", "${local.ecs}:service/*", "${local.ecs}:container-instance/*"] },
    # IAM supports no narrower resource for this action.
    { Sid = "LookUpTaskDefinitions", Effect = "Allow", Action = "ecs:DescribeTaskDefinition", Resource = "*" },
  ]
  looking_up_code_deploy = [
    { Sid = "LookUpCodeDeploy", Effect = "Allow", Action = ["codedeploy:GetDeployment", "codedeploy:GetDeploymentGroup"], Resource = "arn:${local.partition}:codedeploy:${local.scope}:deploymentgroup:*" },
  ]
  looking_up_instances = [
    { Sid = "LookUpInstances", Effect = "Allow", Action = ["ecs:ListContainerInstances", "ecs:ListTasks", "ecs:DescribeCapacityProviders", "ecs:DescribeClusters"], Resource = ["${local.ecs}:cluster/*", "${local.ecs}:container-instance/*", "${local.ecs}:capacity-provider/*"] },
    { Sid = "LookUpClusters", Effect = "Allow", Action = "ecs:ListClusters", Resource = "*" },
  ]
  looking_up_alarms = [
    { Sid = "LookUpAlarms", Effect = "Allow", Action = "cloudwatch:DescribeAlarms", Resource = "*" },
  ]
  looking_up_alias = [
    { Sid = "LookUpAlias", Effect = "Allow", Action = "iam:ListAccountAliases", Resource = "*" },
  ]
  # IAM's wildcard takes the place of the account.
  assuming = [
    { Sid = "AssumeLookupRoles", Effect = "Allow", Action = "sts:AssumeRole", Resource = replace(var.hub.lookup_role, "{account}", "*") },
  ]
  reading_last_words = [
    { Sid = "ReadLastWords", Effect = "Allow", Action = "logs:GetLogEvents", Resource = "arn:${local.partition}:logs:${local.scope}:log-group:${var.log_tail.groups}:log-stream:*" },
  ]
}

# Settings of Lambda's own queue between the rules and the function. After the last failed attempt the whole event goes to
# the dead-letter queue.
resource "aws_lambda_function_event_invoke_config" "parrot" {
  count = var.functions.parrot ? 1 : 0

  function_name                = aws_lambda_function.function["parrot"].function_name
  maximum_retry_attempts       = var.retry_attempts
  maximum_event_age_in_seconds = var.event_age

  destination_config {
    on_failure {
      destination = aws_sqs_queue.dead_letters[0].arn
    }
  }
}

# A chat accepts one message a second, from all functions together. More functions would not be faster. Events that come
# together are processed together: those of five seconds, or as many as fit into the 6 MB of a payload.
resource "aws_lambda_event_source_mapping" "events" {
  count = var.functions.parrot ? 1 : 0

  event_source_arn                   = aws_sqs_queue.events[0].arn
  function_name                      = aws_lambda_function.function["parrot"].arn
  batch_size                         = 10000
  maximum_batching_window_in_seconds = local.batching_window
  function_response_types            = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = 2
  }
}

# The state table: which event was posted to which channel, and the threads. An item expires when its event cannot come
# again, or when its thread is over.
locals {
  table       = trimspace(var.state_table)
  table_kind  = local.table == "" ? "own" : upper(local.table) == "DISABLED" ? "none" : "another"
  table_name  = local.table_kind == "own" ? "${var.name}-state" : local.table
  table_scope = "arn:${local.partition}:dynamodb:${local.scope}:table"
  table_arn   = local.table_kind == "none" ? "" : startswith(local.table, "arn:") ? local.table : "${local.table_scope}/${local.table_name}"
}

resource "aws_dynamodb_table" "state" {
  count = var.functions.parrot && local.table_kind == "own" ? 1 : 0

  name         = local.table_name
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "id"
  tags         = var.tags

  attribute {
    name = "id"
    type = "S"
  }

  ttl {
    attribute_name = "expires"
    enabled        = true
  }

  server_side_encryption {
    enabled = true
  }
}

resource "aws_dynamodb_resource_policy" "state" {
  count = var.functions.parrot && local.table_kind == "own" ? 1 : 0

  resource_arn = aws_dynamodb_table.state[0].arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TlsOnly", Effect = "Deny", Principal = "*", Action = "dynamodb:*", Resource = local.table_arn,
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}
