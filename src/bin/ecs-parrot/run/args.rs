//! The arguments of `ecs-parrot run`: those of ecs-one-off-task, with its meaning, and more.

use std::time::Duration;

use clap::{ArgGroup, ValueEnum};
use ecs_parrot::runner::log_group::RETENTIONS;

const EXAMPLES: &str = "\
Examples:
  Migrate a database in a new image, with what `myapp` runs with:
    ecs-parrot run --task-name myapp-migrate --from-task myapp --cluster prod \\
      --image myapp:v2 --command bundle exec rake db:migrate

  The same where the service `web` runs, network and capacity included:
    ecs-parrot run --task-name myapp-migrate --like-service web --cluster prod \\
      --image myapp:v2 --timeout 10m --command bundle exec rake db:migrate

  A command line for a shell, or one with options of its own:
    ecs-parrot run … --entrypoint 'sh -c' --command 'make seed && make check'
    ecs-parrot run … -- rails runner -e production script.rb

Exit status: the container's own; 124 after --timeout, 130 and 143 after SIGINT and SIGTERM (the task is
stopped first); 1 when the task did not start or did not end by itself; 2 for wrong usage.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(group(ArgGroup::new("reference").required(true).multiple(true)))]
pub(crate) struct RunArgs {
    /// Name of the one-off task: its family, and its log group /ecs/NAME
    #[arg(long, value_name = "NAME")]
    pub(crate) task_name: String,
    /// The task definition to copy: a family, family:revision or ARN [default: the service's own]
    #[arg(long, value_name = "NAME", group = "reference")]
    pub(crate) from_task: Option<String>,
    /// The cluster to run in, by name or ARN
    #[arg(long)]
    pub(crate) cluster: String,
    /// The image to run [default: the reference's]
    #[arg(long)]
    pub(crate) image: Option<String>,
    /// The command, word by word; with --entrypoint 'sh -c' one word in quotes
    #[arg(long, num_args = 1.., value_name = "WORD", required_unless_present = "words")]
    pub(crate) command: Vec<String>,
    /// The command, after `--`: words with a dash in front are the command's too
    #[arg(last = true, value_name = "WORD", conflicts_with = "command")]
    pub(crate) words: Vec<String>,
    /// The container that runs the command, and whose exit code counts [default: the first essential one]
    #[arg(long, value_name = "NAME")]
    pub(crate) container: Option<String>,
    /// The entry point, 'sh -c' [default: the image's own]
    #[arg(long, value_name = "WORDS", allow_hyphen_values = true)]
    pub(crate) entrypoint: Option<String>,
    /// What to run on; EC2 leaves it to the cluster's default capacity, as ecs-one-off-task does
    #[arg(
        long,
        value_enum,
        ignore_case = true,
        conflicts_with = "capacity_provider"
    )]
    pub(crate) launch_type: Option<LaunchType>,
    /// A capacity provider: FARGATE_SPOT, or one of the cluster's own
    #[arg(long, value_name = "NAME")]
    pub(crate) capacity_provider: Vec<String>,
    /// Subnets, all of one VPC
    #[arg(long, num_args = 0.., value_delimiter = ',', value_name = "ID")]
    pub(crate) networks_id: Vec<String>,
    /// Security groups, of the same VPC
    #[arg(long, num_args = 0.., value_delimiter = ',', value_name = "ID")]
    pub(crate) security_groups_id: Vec<String>,
    /// Give the task a public address
    #[arg(long)]
    pub(crate) assign_public_ip: bool,
    /// A service whose network, capacity and, without --from-task, task definition to take
    #[arg(long, value_name = "NAME", group = "reference")]
    pub(crate) like_service: Option<String>,
    /// An environment variable of the container; may be repeated
    // Read by `variables`: clap would print what it cannot read, and it may be a secret.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) env: Vec<String>,
    /// CPU units (1024 is a vCPU): of the task where it has sizes, else of the container
    #[arg(long, value_name = "UNITS")]
    pub(crate) cpu: Option<String>,
    /// Memory in MiB: of the task where it has sizes, else of the container
    #[arg(long, value_name = "MIB")]
    pub(crate) memory: Option<String>,
    /// The task role, or `none` [default: the reference's]
    #[arg(long, value_name = "ARN|none")]
    pub(crate) task_role: Option<String>,
    /// A tag for the task and its definition; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = tag)]
    pub(crate) tag: Vec<(String, String)>,
    /// How many tasks to run at once, 1 to 10
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..=10))]
    pub(crate) count: i32,
    /// How long a log group that is made for this keeps lines
    #[arg(long, value_name = "DAYS", default_value_t = 7, value_parser = retention)]
    pub(crate) retention_days: i32,
    /// Keep the new revision even if no task starts
    #[arg(long, conflicts_with = "deregister")]
    pub(crate) keep: bool,
    /// Deregister the new revision in the end [default: only if no task starts]
    #[arg(long, conflicts_with = "no_wait")]
    pub(crate) deregister: bool,
    /// Stop the task after so long, the tries to start it included: seconds, or 90s, 10m, 2h
    #[arg(long, value_parser = duration, conflicts_with = "no_wait")]
    pub(crate) timeout: Option<Duration>,
    /// Start the task and leave
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// Show the request and what is different from the reference; makes nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Text: logs on standard output. JSON: one object there, with the logs on standard error
    #[arg(long, value_enum, default_value_t = RunOutput::Text)]
    pub(crate) output: RunOutput,
    /// The AWS profile to use
    #[arg(short, long)]
    pub(crate) profile: Option<String>,
    /// The AWS region to use
    #[arg(short, long)]
    pub(crate) region: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LaunchType {
    #[value(name = "EC2")]
    Ec2,
    #[value(name = "FARGATE")]
    Fargate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RunOutput {
    Text,
    Json,
}

impl RunArgs {
    /// The variables of --env.
    ///
    /// # Errors
    ///
    /// Names the one that cannot be read by its number, and does not print it.
    pub(crate) fn variables(&self) -> Result<Vec<(String, String)>, String> {
        let read = self.env.iter().enumerate().map(|(index, text)| {
            let number = index + 1;
            pair(text).ok_or_else(|| {
                format!("--env number {number} cannot be read: it has the form NAME=VALUE (it is not shown, because it may be a secret)")
            })
        });
        read.collect()
    }
}

fn pair(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=').filter(|(name, _)| !name.is_empty())?;
    Some((name.to_owned(), value.to_owned()))
}

fn tag(text: &str) -> Result<(String, String), String> {
    pair(text).ok_or_else(|| {
        format!("`{text}` is no tag: a tag has the form KEY=VALUE, such as team=blue")
    })
}

fn retention(text: &str) -> Result<i32, String> {
    let known = RETENTIONS.map(|days| days.to_string());
    let days = text.parse().ok().filter(|days| RETENTIONS.contains(days));
    days.ok_or_else(|| format!("CloudWatch Logs knows {} days", known.join(", ")))
}

/// Seconds by themselves, or a number with its unit.
fn duration(text: &str) -> Result<Duration, String> {
    let parsed = match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => text
            .parse::<jiff::SignedDuration>()
            .ok()
            .and_then(|duration| Duration::try_from(duration).ok()),
    };
    parsed
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| "it is a number of seconds, or has a unit: 90s, 10m, 2h".to_owned())
}
