output "dead_letter_queue_url" {
  value = one(aws_sqs_queue.dead_letters[*].url)
}

output "run_queue_url" {
  value = one(aws_sqs_queue.run[*].url)
}

output "deploy_hook_arn" {
  value = one([for key, function in aws_lambda_function.function : function.arn if key == "deploy-hook"])
}

output "lifecycle_hook_role_arn" {
  value = one(aws_iam_role.lifecycle_hook[*].arn)
}
