# The hub: an event bus to which the accounts of an organization send their events. It is made if the variables name an
# organization. modules/member has the rules of the other accounts.

locals {
  is_hub = var.functions.parrot && var.hub.organization != ""

  # These events take the queue also where the own rules invoke the function.
  hub_rules = {
    members = {
      enabled      = local.is_hub
      description  = "ECS events of other accounts"
      target       = "events"
      arn          = local.events_arn
      dead_letters = [local.dead_letters_arn]
    }
    archive-members = {
      enabled      = local.is_hub && var.archive
      description  = "ECS events of other accounts, for the archive"
      target       = "archive"
      arn          = "arn:${local.partition}:logs:${local.scope}:log-group:${local.archive}"
      dead_letters = []
    }
  }
}

resource "aws_cloudwatch_event_bus" "hub" {
  count = local.is_hub ? 1 : 0

  name        = var.name
  description = "ECS events of other accounts"
  tags        = var.tags
}

# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-bus-permissions-manage.html
resource "aws_cloudwatch_event_bus_policy" "hub" {
  count = local.is_hub ? 1 : 0

  event_bus_name = aws_cloudwatch_event_bus.hub[0].name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "MembersSendEvents", Effect = "Allow", Principal = "*", Action = "events:PutEvents", Resource = "arn:${local.partition}:events:${local.scope}:event-bus/${var.name}",
      Condition = { StringEquals = { "aws:PrincipalOrgID" = var.hub.organization } }
    }]
  })
}

# The rules of the members choose the events. Sources that begin with `aws.` are of AWS itself: PutEvents refuses them to
# everybody else.
resource "aws_cloudwatch_event_rule" "hub" {
  for_each = { for key, rule in local.hub_rules : key => rule if rule.enabled }

  name           = "${var.name}-${each.key}"
  description    = each.value.description
  event_bus_name = aws_cloudwatch_event_bus.hub[0].name
  event_pattern  = jsonencode({ source = [{ prefix = "aws." }] })
  tags           = var.tags
}

resource "aws_cloudwatch_event_target" "hub" {
  for_each = { for key, rule in local.hub_rules : key => rule if rule.enabled }

  rule           = aws_cloudwatch_event_rule.hub[each.key].name
  event_bus_name = aws_cloudwatch_event_bus.hub[0].name
  target_id      = each.value.target
  arn            = each.value.arn

  retry_policy {
    maximum_event_age_in_seconds = var.event_age
    maximum_retry_attempts       = 185
  }

  dynamic "dead_letter_config" {
    for_each = each.value.dead_letters
    content {
      arn = dead_letter_config.value
    }
  }

  depends_on = [aws_sqs_queue.events, aws_cloudwatch_log_group.archive, aws_cloudwatch_log_resource_policy.archive]
}
