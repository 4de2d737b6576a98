output "lookup_role_arn" {
  description = "The role with which the hub asks about this account."
  value       = one(aws_iam_role.lookup[*].arn)
}

output "undelivered_queue_url" {
  description = "The queue with the events that the hub did not take."
  value       = aws_sqs_queue.undelivered.url
}
