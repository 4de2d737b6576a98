# The functions of the deployment.
variable "functions" {
  type = object({
    parrot         = optional(bool, true)
    run_from_queue = optional(bool, false)
    deploy_hook    = optional(bool, false)
  })
  default = {}
}

# The switches of the rules for what happens around ECS.
variable "rules" {
  type = object({
    health      = optional(bool, true)
    scaling     = optional(bool, true)
    alarms      = optional(bool, true)
    code_deploy = optional(bool, false)
    instances   = optional(bool, false)
  })
  default = {}
}

variable "name" {
  description = "What the resources are named after."
  type        = string
  default     = "ecs-parrot"
}

variable "dist" {
  description = "The folder with the zips of `make package`."
  type        = string
  default     = "dist"
}

variable "architecture" {
  type    = string
  default = "x86_64"

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "The architecture is x86_64 or arm64."
  }
}

variable "log_retention" {
  description = "Days."
  type        = number
  default     = 30
}

variable "task_definition_arns" {
  description = "What IAM lets run_from_queue and deploy_hook run; the ALLOWED_... variables are the function's own check."
  type        = list(string)
  default     = []
}

variable "cluster_arns" {
  description = "Where they may run it."
  type        = list(string)
  default     = []
}

variable "alarm_actions" {
  description = "ARNs that the alarms notify."
  type        = list(string)
  default     = []
}

variable "pass_role_arns" {
  description = "Task roles and execution roles that tasks may be given."
  type        = list(string)
  default     = []
}

# parrot's variables; README.md explains them. Empty means not set.
variable "channels" {
  description = "The channels: jsonencode([{ name = \"ops\", type = \"slack\", url = \"ssm:/parrot/ops\" }]), or ssm:/path where that list is kept."
  type        = string
  default     = ""
  sensitive   = true
}

variable "slack_webhookurl" {
  type      = string
  default   = ""
  sensitive = true
}

variable "slack_channel" {
  type    = string
  default = ""
}

variable "slack_username" {
  type    = string
  default = ""
}

variable "slack_icon_emoji" {
  type    = string
  default = ""
}

variable "slack_quiet" {
  type    = string
  default = ""
}

variable "slack_mention" {
  type    = string
  default = ""
}

variable "flowdock_api_token" {
  type      = string
  default   = ""
  sensitive = true
}

variable "flowdock_username" {
  type    = string
  default = ""
}

variable "flowdock_icon_emoji" {
  type    = string
  default = ""
}

variable "flowdock_quiet" {
  type    = string
  default = ""
}

variable "flowdock_url" {
  type    = string
  default = ""
}

variable "ignored_exit_code_container_names" {
  type    = string
  default = ""
}

variable "ignored_clusters" {
  type    = string
  default = ""
}

variable "ignored_services" {
  type    = string
  default = ""
}

variable "keep" {
  type    = string
  default = ""
}

variable "drop" {
  type    = string
  default = ""
}

# A list of durations in rising order, or DISABLED.
variable "remind_after" {
  type    = string
  default = ""
}

variable "resolve_after" {
  type    = string
  default = ""
}

variable "storm_after" {
  type    = string
  default = ""
}

# Which tasks must end well, and how often: `NAME: SCHEDULE`, separated by `,`.
variable "expect" {
  type    = string
  default = ""
}

# `cluster`, `service`, or both, separated by `,`.
variable "metrics_by" {
  type    = string
  default = ""
}

variable "account_names" {
  type    = string
  default = ""
}

variable "templates_dir" {
  type    = string
  default = ""
}

variable "enrich" {
  type    = string
  default = ""
}

variable "log_tail_lines" {
  type    = string
  default = ""
}

variable "log_tail_mask" {
  type    = string
  default = ""
}

# The ARNs of the parameters and secrets that contain the channels' secrets.
variable "secret_arns" {
  type    = list(string)
  default = []
}

# The ARNs of the topics of channels of the type `sns`.
variable "topic_arns" {
  type    = list(string)
  default = []
}

# The state table, by name or ARN: which event was posted to which channel, and the threads. Its key is `id`. If it is
# empty or DISABLED, each process has only its own memory.
variable "state_table" {
  type    = string
  default = ""
}

# The name of the archive, a log group with every event of the rules: /aws/events/NAME. If it is empty, there is none.
variable "archive_log_group" {
  type    = string
  default = ""

  validation {
    condition     = can(regex("^(/aws/events/[-._/#A-Za-z0-9]+)?$", var.archive_log_group)) && length(var.archive_log_group) <= 512
    error_message = "The name begins with /aws/events/ and has letters, digits and -._/#. Or it is empty."
  }
}

variable "archive_retention" {
  description = "Days."
  type        = number
  default     = 14

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.archive_retention)
    error_message = "CloudWatch Logs allows 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 and 3653."
  }
}

# The log groups from which a log tail may be read, as a pattern.
variable "log_tail_groups" {
  type    = string
  default = "/ecs/*"
}

# run-from-queue's variables; README.md explains them. Empty means not set.
variable "allowed_clusters" {
  type    = string
  default = ""
}

variable "allowed_task_definitions" {
  type    = string
  default = ""
}

# deploy-hook's variables; README.md explains them. Empty means not set.
variable "task_definition" {
  type    = string
  default = ""
}

variable "cluster_name" {
  type    = string
  default = ""
}

variable "command" {
  type    = string
  default = ""
}

variable "container_name" {
  type    = string
  default = ""
}

variable "subnets" {
  type    = string
  default = ""
}

variable "security_groups" {
  type    = string
  default = ""
}

variable "assign_public_ip" {
  type    = string
  default = ""
}

variable "wait" {
  type    = string
  default = ""
}

variable "hook_events" {
  type    = string
  default = ""

  validation {
    condition     = contains(["", "true", "false"], lower(trimspace(var.hook_events)))
    error_message = "The allowed values are true and false, or empty."
  }
}
