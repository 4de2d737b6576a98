# The lifecycle hook of deployments by CodeDeploy or by Amazon ECS.

locals {
  # A lifecycle hook of Amazon ECS takes both from the service, so that without them it may use any in the account.
  hook_definition  = trimspace(var.deploy_hook.task_definition)
  hook_cluster     = trimspace(var.deploy_hook.cluster_name)
  hook_definitions = local.hook_definition == "" ? "*" : reverse(split("/", local.hook_definition))[0]
  hook_revisions   = length(split(":", local.hook_definitions)) > 1 ? local.hook_definitions : join(":", [local.hook_definitions, "*"])
  hook_clusters    = local.hook_cluster == "" ? "*" : reverse(split("/", local.hook_cluster))[0]

  deploy_hook = {
    enabled = var.functions.deploy_hook
    # CodeDeploy's managed role may only invoke functions with this prefix.
    # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/codedeploy_IAM_role.html
    name        = "CodeDeployHook_${var.name}"
    description = "Runs a task before a deployment goes on"
    memory      = var.deploy_hook.memory
    # The function waits for its task in the invocation with `wait = "stopped"` and without `hook_events`.
    timeout = 900
    layers  = []
    environment = {
      TASK_DEFINITION  = var.deploy_hook.task_definition
      CLUSTER_NAME     = var.deploy_hook.cluster_name
      COMMAND          = var.deploy_hook.command
      CONTAINER_NAME   = var.deploy_hook.container_name
      SUBNETS          = join(",", var.deploy_hook.subnets)
      SECURITY_GROUPS  = join(",", var.deploy_hook.security_groups)
      ASSIGN_PUBLIC_IP = var.deploy_hook.assign_public_ip == null ? "" : tostring(var.deploy_hook.assign_public_ip)
      WAIT             = var.deploy_hook.wait
      HOOK_EVENTS      = tostring(var.deploy_hook.hook_events)
    }
    statements = [
      { Sid = "Report", Effect = "Allow", Action = "codedeploy:PutLifecycleEventHookExecutionStatus", Resource = "arn:${local.partition}:codedeploy:${local.scope}:deploymentgroup:*" },
      { Sid = "RunTasks", Effect = "Allow", Action = "ecs:RunTask", Resource = ["${local.ecs}:task-definition/${local.hook_revisions}"], Condition = { ArnLike = { "ecs:cluster" = ["${local.ecs}:cluster/${local.hook_clusters}"] } } },
      { Sid = "FollowAndStopTasks", Effect = "Allow", Action = ["ecs:DescribeTasks", "ecs:StopTask"], Resource = ["${local.ecs}:task/${local.hook_clusters}/*"] },
      { Sid = "LookUpRevisions", Effect = "Allow", Action = "ecs:DescribeServiceRevisions", Resource = "${local.ecs}:service-revision/*" },
      # ECS supports no resource ARN for this action.
      { Sid = "LookUpContainers", Effect = "Allow", Action = "ecs:DescribeTaskDefinition", Resource = "*" },
      { Sid = "PassRoles", Effect = "Allow", Action = "iam:PassRole", Resource = local.passed_roles, Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } } },
    ]
  }
}

# The stops of the tasks that it started. With them it can report during the whole hour that CodeDeploy waits.
resource "aws_cloudwatch_event_rule" "hook_tasks" {
  count = var.functions.deploy_hook ? 1 : 0

  name        = "${var.name}-hook-tasks"
  description = "Stopped tasks of deployment hooks"
  state       = var.deploy_hook.hook_events ? "ENABLED" : "DISABLED"
  tags        = var.tags
  event_pattern = jsonencode({
    source      = ["aws.ecs"]
    detail-type = ["ECS Task State Change"]
    detail = {
      lastStatus = ["STOPPED"]
      startedBy  = [{ prefix = "deploy-hook/" }]
    }
  })
}

resource "aws_cloudwatch_event_target" "hook_tasks" {
  count = var.functions.deploy_hook ? 1 : 0

  rule = aws_cloudwatch_event_rule.hook_tasks[0].name
  arn  = aws_lambda_function.function["deploy-hook"].arn
}

resource "aws_lambda_permission" "hook_tasks" {
  count = var.functions.deploy_hook ? 1 : 0

  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.function["deploy-hook"].function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.hook_tasks[0].arn
}

# Amazon ECS calls the function with this role, which a service's lifecycle hook names. The trust policy has no condition, as
# in AWS's example: no page documents which condition keys ECS would send.
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/blue-green-permissions.html
resource "aws_iam_role" "lifecycle_hook" {
  count = var.functions.deploy_hook ? 1 : 0

  name                 = "${var.name}-${local.region}-lifecycle-hook"
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags
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
    Statement = [{ Effect = "Allow", Action = "lambda:InvokeFunction", Resource = "arn:${local.partition}:lambda:${local.scope}:function:${local.deploy_hook.name}" }]
  })
}
