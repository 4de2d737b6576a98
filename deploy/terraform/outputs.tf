output "function_name" {
  description = "The name of the notifier."
  value       = one([for key, function in aws_lambda_function.function : function.function_name if key == "parrot"])
}

output "role_arn" {
  description = "The role of the notifier, which the roles of other accounts must trust."
  value       = one([for key, role in aws_iam_role.function : role.arn if key == "parrot"])
}

output "hub_bus_arn" {
  description = "The event bus to which other accounts send their events."
  value       = one(aws_cloudwatch_event_bus.hub[*].arn)
}

output "log_group_name" {
  description = "The log of the notifier."
  value       = one([for key, group in aws_cloudwatch_log_group.function : group.name if key == "parrot"])
}

output "event_queue_url" {
  description = "The queue of the notifier's events."
  value       = one(aws_sqs_queue.events[*].url)
}

output "dead_letter_queue_url" {
  description = "The queue with the events that could not be posted; `ecs-parrot redrive` posts them."
  value       = one(aws_sqs_queue.dead_letters[*].url)
}

output "archive_log_group_name" {
  description = "The log group with every event of the rules."
  value       = one(aws_cloudwatch_log_group.archive[*].name)
}

output "trail_bucket_name" {
  description = "The bucket of the trail."
  value       = one(aws_s3_bucket.trail[*].id)
}

output "run_queue_url" {
  description = "The queue whose messages run tasks."
  value       = one(aws_sqs_queue.run[*].url)
}

output "run_dead_letter_queue_url" {
  description = "The queue with the messages that could not be run."
  value       = one(aws_sqs_queue.run_dead_letters[*].url)
}

output "deploy_hook_name" {
  description = "The function that CodeDeploy's hooks name."
  value       = one([for key, function in aws_lambda_function.function : function.function_name if key == "deploy-hook"])
}

output "deploy_hook_arn" {
  description = "The function that the lifecycle hooks of Amazon ECS name."
  value       = one([for key, function in aws_lambda_function.function : function.arn if key == "deploy-hook"])
}

output "lifecycle_hook_role_arn" {
  description = "The role with which Amazon ECS calls the deployment hook."
  value       = one(aws_iam_role.lifecycle_hook[*].arn)
}
