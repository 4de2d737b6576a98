# The names and defaults are those of serverless.env.yml.example. docs/configuration.md explains what each one means.

variable "name" {
  description = "What the resources are named after. An account can have several installations with different names."
  type        = string
  default     = "ecs-parrot"

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9-]{0,29}$", var.name))
    error_message = "The name begins with a letter, and has at most 30 letters, digits and hyphens: the names of roles and functions are longer."
  }
}

variable "zips" {
  description = "The folder with parrot.zip, run-from-queue.zip and deploy-hook.zip, for example that of `make package`. Empty: the folder dist of the module, which the module of a release has."
  type        = string
  default     = ""
}

variable "zip_checksums" {
  description = "The SHA-256 of each zip, as the release has it: `{ parrot = \"…\" }`. A zip with another one is not deployed."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key, sum in var.zip_checksums : contains(["parrot", "run-from-queue", "deploy-hook"], key) && can(regex("^[0-9A-Fa-f]{64}$", sum))])
    error_message = "The keys are parrot, run-from-queue and deploy-hook, and each value has 64 hexadecimal digits."
  }
}

variable "architecture" {
  description = "The CPU of the functions, for which the zips were built: `x86_64` or `arm64`."
  type        = string
  default     = "x86_64"

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "The architecture is x86_64 or arm64."
  }
}

variable "tags" {
  description = "The tags of all resources that can have tags."
  type        = map(string)
  default     = {}
}

variable "permissions_boundary" {
  description = "The ARN of a permissions boundary for the roles."
  type        = string
  default     = null
}

variable "functions" {
  description = "Which functions are deployed."
  type = object({
    parrot         = optional(bool, true)
    run_from_queue = optional(bool, false)
    deploy_hook    = optional(bool, false)
  })
  default  = {}
  nullable = false
}

# Where messages go.

variable "channels" {
  description = "The channels. Each type has its own settings (docs/channels.md). `only` and `except` are event patterns as JSON: `jsonencode({ service = [\"checkout\"] })`; `mention_map` is used in place of `mention`."
  type = list(object({
    name           = string
    type           = string
    minimum        = optional(string)
    only           = optional(string)
    except         = optional(string)
    escalate_after = optional(string)
    escalate_to    = optional(string)
    url            = optional(string)
    token          = optional(string)
    channel        = optional(string)
    routing_key    = optional(string)
    api_key        = optional(string)
    team           = optional(string)
    topic          = optional(string)
    secret         = optional(string)
    format         = optional(string)
    flavor         = optional(string)
    username       = optional(string)
    icon_emoji     = optional(string)
    mention        = optional(string)
    mention_map    = optional(map(string))
  }))
  default   = []
  nullable  = false
  sensitive = true

  validation {
    condition     = length(distinct([for it in nonsensitive(var.channels) : it.name])) == length(nonsensitive(var.channels))
    error_message = "Two channels have the same name."
  }

  validation {
    condition     = alltrue([for it in nonsensitive(var.channels) : can(jsondecode(coalesce(it.only, "{}"))) && can(jsondecode(coalesce(it.except, "{}")))])
    error_message = "`only` and `except` are JSON: use jsonencode()."
  }
}

variable "channels_from" {
  description = "Where the list of channels is kept, in place of `channels`: `ssm:/path` or `secretsmanager:ID`."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^((ssm|secretsmanager):.+)?$", var.channels_from))
    error_message = "It begins with ssm: or secretsmanager:, or is empty."
  }
}

variable "secret_arns" {
  description = "The ARNs of more parameters and secrets that the notifier may read: those in a list of `channels_from`."
  type        = list(string)
  default     = []
}

variable "topic_arns" {
  description = "The ARNs of more topics that the notifier may publish to: those in a list of `channels_from`."
  type        = list(string)
  default     = []
}

variable "slack" {
  description = "One Slack webhook, in place of `channels`."
  type = object({
    webhookurl = optional(string, "")
    channel    = optional(string, "")
    username   = optional(string, "")
    icon_emoji = optional(string, "")
    quiet      = optional(string, "")
    mention    = optional(string, "")
  })
  default   = {}
  nullable  = false
  sensitive = true
}

variable "flowdock" {
  description = "One Flowdock flow, in place of `channels`."
  type = object({
    api_token  = optional(string, "")
    username   = optional(string, "")
    icon_emoji = optional(string, "")
    quiet      = optional(string, "")
    url        = optional(string, "")
  })
  default   = {}
  nullable  = false
  sensitive = true
}

# What is posted.

variable "ignored" {
  description = "Containers whose exit code never makes a message urgent, and clusters and services whose events are dropped (glob patterns)."
  type = object({
    exit_code_container_names = optional(list(string), [])
    clusters                  = optional(list(string), [])
    services                  = optional(list(string), [])
  })
  default  = {}
  nullable = false
}

variable "keep" {
  description = "Kinds, causes and reasons that are posted in any case."
  type        = list(string)
  default     = []
}

variable "drop" {
  description = "Kinds and causes that are never posted."
  type        = list(string)
  default     = []
}

variable "remind_after" {
  description = "When a channel is reminded of an incident: durations in rising order, separated by `,`, or `DISABLED`. Empty is `5m,15m,1h,4h,24h`."
  type        = string
  default     = ""
}

variable "resolve_after" {
  description = "How long there must be no failure after the sign of a recovery: `90s`, `10m`. Empty is `5m`."
  type        = string
  default     = ""
}

variable "storm_after" {
  description = "This number of incidents within five minutes becomes one storm. 0 turns storms off. Null is 5."
  type        = number
  default     = null
}

variable "expect" {
  description = "Which tasks must end well, and how often: `{ report-nightly = \"25h\" }`."
  type        = map(string)
  default     = {}
}

variable "account_names" {
  description = "Names of accounts: `210987654321=prod,123456789012=staging`, and `ALIAS` to look up that of the function's own account."
  type        = string
  default     = ""
}

variable "templates_dir" {
  description = "The folder of templates of your own, in a layer: `/opt/templates`."
  type        = string
  default     = ""
}

variable "layers" {
  description = "The ARNs of layers of the notifier."
  type        = list(string)
  default     = []
}

variable "enrich" {
  description = "Whether AWS is asked for what the events lack."
  type        = bool
  default     = true
  nullable    = false
}

variable "hub" {
  description = "Other accounts: the `organization` (`o-…`) whose accounts may send their events, the `lookup_role` that is assumed to ask about them, with `{account}` in place of the number, and its `external_id`. docs/many-accounts.md explains it."
  type = object({
    organization = optional(string, "")
    lookup_role  = optional(string, "")
    external_id  = optional(string, "")
  })
  default  = {}
  nullable = false

  validation {
    condition     = can(regex("^(o-[a-z0-9]{10,32})?$", var.hub.organization))
    error_message = "hub.organization is the id of an organization, such as o-a1b2c3d4e5."
  }

  validation {
    condition     = can(regex("^(arn:aws[a-z-]*:iam::\\{account\\}:role/.+)?$", var.hub.lookup_role))
    error_message = "hub.lookup_role is the ARN of a role with {account} in place of the account: arn:aws:iam::{account}:role/ecs-parrot-lookup."
  }

  validation {
    condition     = can(regex("^[\\w+=,.@:/-]*$", var.hub.external_id)) && length(var.hub.external_id) != 1 && length(var.hub.external_id) <= 1224
    error_message = "hub.external_id has 2 to 1224 letters, digits and +=,.@:/-_."
  }
}

variable "log_tail" {
  description = "The last lines of a failed container's log in the message (0 to 50), regular expressions of what is not shown, and the log groups that may be read, as an IAM pattern. Logs may contain secrets."
  type = object({
    lines  = optional(number, 0)
    mask   = optional(list(string), [])
    groups = optional(string, "/ecs/*")
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.log_tail.lines >= 0 && var.log_tail.lines <= 50 && floor(var.log_tail.lines) == var.log_tail.lines
    error_message = "log_tail.lines is 0 to 50."
  }
}

variable "state_table" {
  description = "The table of what was posted, and of the threads. Empty: one is made. Or the name or ARN of another one with a key `id`, or `DISABLED`."
  type        = string
  default     = ""
}

variable "metrics_by" {
  description = "By what the metric Events is counted besides kind and cause: `cluster`, `service`. CloudWatch charges for each combination."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for it in var.metrics_by : contains(["cluster", "service"], it)])
    error_message = "The allowed values are cluster and service."
  }
}

# How events reach the notifier.

variable "ingest" {
  description = "`queue`: in batches, tried for about four hours. `direct`: the rules invoke the function; reminders and recoveries then wait for the next event of the same service."
  type        = string
  default     = "queue"

  validation {
    condition     = contains(["queue", "direct"], var.ingest)
    error_message = "ingest is queue or direct."
  }
}

variable "rules" {
  description = "The switches of the rules (docs/configuration.md). `api_calls` needs a CloudTrail trail that logs management events."
  type = object({
    api_calls   = optional(bool, true)
    native      = optional(bool, true)
    health      = optional(bool, true)
    scaling     = optional(bool, true)
    alarms      = optional(bool, true)
    code_deploy = optional(bool, false)
    instances   = optional(bool, false)
  })
  default  = {}
  nullable = false
}

variable "archive" {
  description = "Whether every event of the rules is kept in a log group, to which messages then link."
  type        = bool
  default     = false
}

variable "archive_retention" {
  description = "The days that the archive keeps events: one of CloudWatch's values."
  type        = number
  default     = 14

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.archive_retention)
    error_message = "CloudWatch Logs allows 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 and 3653."
  }
}

variable "trail" {
  description = "Whether a CloudTrail trail is made for this region. Leave it off if a trail logs management events already: AWS charges for the second one."
  type        = bool
  default     = false
}

variable "trail_retention" {
  description = "The days that the trail's bucket keeps the log files."
  type        = number
  default     = 90
}

# The functions.

variable "memory" {
  description = "The memory of the notifier in MB. Lambda gives CPU in proportion."
  type        = number
  default     = 256
}

variable "timeout" {
  description = "The seconds for one payload, the delivery included."
  type        = number
  default     = 15
}

variable "log_retention" {
  description = "The days that the logs of the functions are kept: one of CloudWatch's values."
  type        = number
  default     = 30
}

variable "log_level" {
  description = "`TRACE`, `DEBUG`, `INFO`, `WARN`, `ERROR` or `FATAL`."
  type        = string
  default     = "INFO"

  validation {
    condition     = contains(["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"], var.log_level)
    error_message = "log_level is TRACE, DEBUG, INFO, WARN, ERROR or FATAL."
  }
}

variable "retry_attempts" {
  description = "With `ingest = \"direct\"`, how often Lambda tries a failed event again: 0, 1 or 2."
  type        = number
  default     = 2

  validation {
    condition     = contains([0, 1, 2], var.retry_attempts)
    error_message = "retry_attempts is 0, 1 or 2."
  }
}

variable "event_age" {
  description = "The seconds, 60 to 21600, until an event goes to the dead-letter queue if it cannot be handed over."
  type        = number
  default     = 3600

  validation {
    condition     = var.event_age >= 60 && var.event_age <= 21600
    error_message = "event_age is 60 to 21600."
  }
}

variable "alarm_actions" {
  description = "The ARNs that the alarms notify: SNS topics, for example."
  type        = list(string)
  default     = []
}

# Running tasks.

variable "pass_roles" {
  description = "The ARNs of the roles that run-from-queue and deploy-hook may give to tasks: task roles and execution roles. Everyone who may send a message or deploy gets their rights."
  type        = list(string)
  default     = []
}

variable "run_from_queue" {
  description = "What messages may run (glob patterns; nothing runs until both lists are set), and how."
  type = object({
    allowed_clusters         = optional(list(string), [])
    allowed_task_definitions = optional(list(string), [])
    maximum_concurrency      = optional(number, 5)
    memory                   = optional(number, 128)
  })
  default  = {}
  nullable = false
}

variable "deploy_hook" {
  description = "What is run before a deployment goes on. CodeDeploy's hooks need the first six. Amazon ECS's own hooks take missing values from the service revision that is deployed."
  type = object({
    task_definition  = optional(string, "")
    cluster_name     = optional(string, "")
    command          = optional(string, "")
    container_name   = optional(string, "")
    subnets          = optional(list(string), [])
    security_groups  = optional(list(string), [])
    assign_public_ip = optional(bool)
    wait             = optional(string, "")
    hook_events      = optional(bool, false)
    memory           = optional(number, 128)
  })
  default  = {}
  nullable = false
}
