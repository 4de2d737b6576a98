# A CloudTrail trail for this region, if the settings ask for it. Its bucket is kept when the trail is deleted: Terraform
# refuses to delete a bucket that is not empty. Its log files expire.

locals {
  trail_arn = "arn:${local.partition}:cloudtrail:${local.scope}:trail/${var.name}"
  has_trail = var.functions.parrot && var.trail
}

resource "aws_cloudtrail" "this" {
  count = local.has_trail ? 1 : 0

  name                          = var.name
  s3_bucket_name                = aws_s3_bucket.trail[0].id
  is_multi_region_trail         = false
  include_global_service_events = false
  enable_log_file_validation    = true
  tags                          = var.tags

  event_selector {
    include_management_events = true
    read_write_type           = "WriteOnly"
  }

  depends_on = [aws_s3_bucket_policy.trail]
}

resource "aws_s3_bucket" "trail" {
  count = local.has_trail ? 1 : 0

  bucket_prefix = "${substr(var.name, 0, 30)}-trail-"
  tags          = var.tags
}

resource "aws_s3_bucket_server_side_encryption_configuration" "trail" {
  count = local.has_trail ? 1 : 0

  bucket = aws_s3_bucket.trail[0].id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_public_access_block" "trail" {
  count = local.has_trail ? 1 : 0

  bucket                  = aws_s3_bucket.trail[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "trail" {
  count = local.has_trail ? 1 : 0

  bucket = aws_s3_bucket.trail[0].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "trail" {
  count = local.has_trail ? 1 : 0

  bucket = aws_s3_bucket.trail[0].id

  rule {
    id     = "expire"
    status = "Enabled"

    filter {}

    expiration {
      days = var.trail_retention
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

resource "aws_s3_bucket_policy" "trail" {
  count = local.has_trail ? 1 : 0

  bucket = aws_s3_bucket.trail[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "TrailReadsAcl", Effect = "Allow", Principal = { Service = "cloudtrail.amazonaws.com" },
        Action    = "s3:GetBucketAcl", Resource = aws_s3_bucket.trail[0].arn,
        Condition = { StringEquals = { "aws:SourceArn" = local.trail_arn } }
      },
      {
        Sid       = "TrailWrites", Effect = "Allow", Principal = { Service = "cloudtrail.amazonaws.com" },
        Action    = "s3:PutObject", Resource = "${aws_s3_bucket.trail[0].arn}/AWSLogs/${local.account}/*",
        Condition = { StringEquals = { "s3:x-amz-acl" = "bucket-owner-full-control", "aws:SourceArn" = local.trail_arn } }
      },
      {
        Sid       = "TlsOnly", Effect = "Deny", Principal = "*", Action = "s3:*",
        Resource  = [aws_s3_bucket.trail[0].arn, "${aws_s3_bucket.trail[0].arn}/*"],
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}
