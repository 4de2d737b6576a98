variable "name" {
  description = "What the resources are named after. Members of two hubs have two names."
  type        = string
  default     = "ecs-parrot"

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9-]{0,29}$", var.name))
    error_message = "The name begins with a letter, and has at most 30 letters, digits and hyphens: the names of roles are longer."
  }
}

variable "hub_bus_arn" {
  description = "The event bus of the hub: its output `hub_bus_arn`."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:events:[a-z0-9-]+:[0-9]{12}:event-bus/.+$", var.hub_bus_arn))
    error_message = "hub_bus_arn is the ARN of an event bus: the output hub_bus_arn of the hub."
  }
}

variable "hub_role_arn" {
  description = "The role of the hub's notifier, which may assume the lookup role: its output `role_arn`. Empty: there is no lookup role."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(arn:aws[a-z-]*:iam::[0-9]{12}:role/.+)?$", var.hub_role_arn))
    error_message = "hub_role_arn is the ARN of a role: the output role_arn of the hub."
  }
}

variable "lookup_role_name" {
  description = "The name of the lookup role: the end of the hub's `lookup_role`."
  type        = string
  default     = "ecs-parrot-lookup"

  validation {
    condition     = can(regex("^[\\w+=,.@-]{1,64}$", var.lookup_role_name))
    error_message = "lookup_role_name has 1 to 64 letters, digits and +=,.@-_."
  }
}

variable "external_id" {
  description = "The hub's `external_id`, if it has one."
  type        = string
  default     = ""
}

variable "make_lookup_role" {
  description = "Whether the lookup role is made. A role is for all regions: make it in one of them."
  type        = bool
  default     = true
}

variable "log_groups" {
  description = "The log groups whose last lines the hub may read, as an IAM pattern: its `log_tail.groups`. Empty: none."
  type        = string
  default     = ""
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

variable "alarm_actions" {
  description = "The ARNs that the alarm about undelivered events notifies: SNS topics, for example."
  type        = list(string)
  default     = []
}

variable "permissions_boundary" {
  description = "The ARN of a permissions boundary for the roles."
  type        = string
  default     = null
}

variable "tags" {
  description = "The tags of all resources that can have tags."
  type        = map(string)
  default     = {}
}
