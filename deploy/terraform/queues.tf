# The queues of the notifier. The function sets the delay of a failed record itself: 30 s, then twice as long each time, up
# to 15 minutes. After twenty attempts, about four hours, the record goes to the dead-letter queue. If the function cannot
# start, crashes or times out, it sets no delay. Then the visibility timeout applies; twenty of these are about four hours
# too.
#
# The event queue also exists where the rules invoke the function (`ingest = "direct"`). After a switch the function still
# reads the events that are in it, so that none is lost.

locals {
  batching_window  = 5
  events_arn       = "arn:${local.partition}:sqs:${local.scope}:${var.name}-events"
  dead_letters_arn = "arn:${local.partition}:sqs:${local.scope}:${var.name}-dead-letters"

  # The rules of both ways: the old rules still send events during a switch.
  from_rules = {
    ArnEquals = {
      "aws:SourceArn" = flatten([
        [for prefix in ["${var.name}-queued", var.name] : [
          for key in keys(module.rules.all) : "arn:${local.partition}:events:${local.scope}:rule/${prefix}-${key}"
        ]],
        [for it in ["arn:${local.partition}:events:${local.scope}:rule/${var.name}/${var.name}-members"] : it if local.is_hub],
      ])
    }
  }
}

# A standard queue: a FIFO queue has no delay for single messages, which timers need.
resource "aws_sqs_queue" "events" {
  count = var.functions.parrot ? 1 : 0

  name = "${var.name}-events"
  # Lambda requires at least six times the function's timeout plus the batching window.
  visibility_timeout_seconds = max(6 * var.timeout + local.batching_window, 720)
  message_retention_seconds  = 1209600
  sqs_managed_sse_enabled    = true
  tags                       = var.tags
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters[0].arn
    maxReceiveCount     = 20
  })
}

resource "aws_sqs_queue_policy" "events" {
  count = var.functions.parrot ? 1 : 0

  queue_url = aws_sqs_queue.events[0].url
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "WhatTheRulesHandOver", Effect = "Allow", Principal = { Service = "events.amazonaws.com" },
        Action    = "sqs:SendMessage", Resource = local.events_arn,
        Condition = local.from_rules
      },
      {
        Sid       = "TlsOnly", Effect = "Deny", Principal = "*", Action = "sqs:*", Resource = local.events_arn,
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

# Events that the rules could not deliver (the event itself), and events that the function could not process (an
# on-failure record with the event in `requestPayload`).
resource "aws_sqs_queue" "dead_letters" {
  count = var.functions.parrot ? 1 : 0

  name                      = "${var.name}-dead-letters"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
  tags                      = var.tags
}

resource "aws_sqs_queue_policy" "dead_letters" {
  count = var.functions.parrot ? 1 : 0

  queue_url = aws_sqs_queue.dead_letters[0].url
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "WhatTheRulesCouldNotHandOver", Effect = "Allow", Principal = { Service = "events.amazonaws.com" },
        Action    = "sqs:SendMessage", Resource = local.dead_letters_arn,
        Condition = local.from_rules
      },
      {
        Sid       = "TlsOnly", Effect = "Deny", Principal = "*", Action = "sqs:*", Resource = local.dead_letters_arn,
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}
