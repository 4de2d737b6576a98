//! The arguments of `ecs-parrot run`: all flags of ecs-one-off-task with the same meaning, and more.

use std::time::Duration;

use clap::{ArgGroup, ValueEnum};
use ecs_parrot::runner::log_group::RETENTIONS;
use ecs_parrot::text::duration::{ALLOWED, duration as parse_duration};

const EXAMPLES: &str = "\
Examples:
  Migrate a database with a new image and the other settings of `myapp`:
    ecs-parrot run --task-name myapp-migrate --from-task myapp --cluster prod \\
      --image myapp:v2 --command bundle exec rake db:migrate

  The same with the network and the capacity of the service `web`:
    ecs-parrot run --task-name myapp-migrate --like-service web --cluster prod \\
      --image myapp:v2 --timeout 10m --command bundle exec rake db:migrate

  A command for a shell, and a command with options:
    ecs-parrot run … --entrypoint 'sh -c' --command 'make seed && make check'
    ecs-parrot run … -- rails runner -e production script.rb

Exit status: the exit code of the container; 124 after --timeout, 130 after SIGINT and 143
after SIGTERM (the task is stopped first); 1 if the task did not start or was stopped;
2 for wrong usage.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(group(ArgGroup::new("reference").required(true).multiple(true)))]
pub(crate) struct RunArgs {
    /// Name of the one-off task: its task definition family, and its log group /ecs/NAME
    #[arg(long, value_name = "NAME")]
    pub(crate) task_name: String,
    /// The task definition to copy: a family, family:revision or ARN [default: the service's own]
    #[arg(long, value_name = "NAME", group = "reference")]
    pub(crate) from_task: Option<String>,
    /// The cluster to run in, by name or ARN
    #[arg(long)]
    pub(crate) cluster: String,
    /// The image to run [default: the image of the copied definition]
    #[arg(long)]
    pub(crate) image: Option<String>,
    /// The command, word by word; with --entrypoint 'sh -c' one word in quotes
    #[arg(long, num_args = 1.., value_name = "WORD", required_unless_present = "words")]
    pub(crate) command: Vec<String>,
    /// The command, after `--`; its words may begin with a dash
    #[arg(last = true, value_name = "WORD", conflicts_with = "command")]
    pub(crate) words: Vec<String>,
    /// The container that runs the command and whose exit code is used [default: the first essential one]
    #[arg(long, value_name = "NAME")]
    pub(crate) container: Option<String>,
    /// The entry point, such as 'sh -c' [default: the image's own]
    #[arg(long, value_name = "WORDS", allow_hyphen_values = true)]
    pub(crate) entrypoint: Option<String>,
    /// What to run on; EC2 uses the default capacity of the cluster, as in ecs-one-off-task
    #[arg(
        long,
        value_enum,
        ignore_case = true,
        conflicts_with = "capacity_provider"
    )]
    pub(crate) launch_type: Option<LaunchType>,
    /// A capacity provider: FARGATE_SPOT, or one of the cluster; may be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) capacity_provider: Vec<String>,
    /// Subnets, all of one VPC
    #[arg(long, num_args = 0.., value_delimiter = ',', value_name = "ID")]
    pub(crate) networks_id: Vec<String>,
    /// Security groups, of the same VPC
    #[arg(long, num_args = 0.., value_delimiter = ',', value_name = "ID")]
    pub(crate) security_groups_id: Vec<String>,
    /// Assign a public IP address to the task
    #[arg(long)]
    pub(crate) assign_public_ip: bool,
    /// Use the network and the capacity of this service and, without --from-task, its task definition
    #[arg(long, value_name = "NAME", group = "reference")]
    pub(crate) like_service: Option<String>,
    /// An environment variable of the container; may be repeated
    // `variables` reads the values, not clap: clap would print a wrong value, and it may be a secret.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) env: Vec<String>,
    /// CPU units (1024 is one vCPU) of the task if its definition has task sizes, otherwise of the container
    #[arg(long, value_name = "UNITS")]
    pub(crate) cpu: Option<String>,
    /// Memory in MiB of the task if its definition has task sizes, otherwise of the container
    #[arg(long, value_name = "MIB")]
    pub(crate) memory: Option<String>,
    /// The task role, or `none` [default: the role of the copied definition]
    #[arg(long, value_name = "ARN|none")]
    pub(crate) task_role: Option<String>,
    /// A tag for the task and its definition; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = tag)]
    pub(crate) tag: Vec<(String, String)>,
    /// How many tasks to run at the same time; allowed: 1 to 10
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..=10))]
    pub(crate) count: i32,
    /// How long a new log group keeps its lines; an existing log group is not changed
    #[arg(long, value_name = "DAYS", default_value_t = 7, value_parser = retention)]
    pub(crate) retention_days: i32,
    /// Keep the new task definition revision even if no task starts
    #[arg(long, conflicts_with = "deregister")]
    pub(crate) keep: bool,
    /// Deregister the new task definition revision at the end [default: only if no task starts]
    #[arg(long, conflicts_with = "no_wait")]
    pub(crate) deregister: bool,
    /// Stop the task after this time, which includes the tries to start it; allowed: seconds, or 90s, 10m, 2h
    #[arg(long, value_parser = duration, conflicts_with = "no_wait")]
    pub(crate) timeout: Option<Duration>,
    /// Exit when the task was started; do not wait for its end
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// Show the request and the differences to the copied definition; create nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Text: the logs on standard output. JSON: one object on standard output and the logs on standard error
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
    /// The error names the variable by its number. It does not contain the value.
    pub(crate) fn variables(&self) -> Result<Vec<(String, String)>, String> {
        let read = self.env.iter().enumerate().map(|(index, text)| {
            let number = index + 1;
            pair(text).ok_or_else(|| {
                format!("--env number {number} is not valid: expected NAME=VALUE (its value is not shown, because it may be a secret)")
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
    pair(text)
        .ok_or_else(|| format!("`{text}` is not a tag: expected KEY=VALUE, such as team=blue"))
}

fn retention(text: &str) -> Result<i32, String> {
    let known = RETENTIONS.map(|days| days.to_string());
    let days = text.parse().ok().filter(|days| RETENTIONS.contains(days));
    days.ok_or_else(|| format!("allowed: {} days", known.join(", ")))
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| format!("allowed: {}", ALLOWED))
}
