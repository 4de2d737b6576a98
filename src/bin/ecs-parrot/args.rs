//! The arguments.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Parser, Subcommand, ValueEnum};
use ecs_parrot::notifier::channel::ChannelType;
use strum::VariantArray as _;

use crate::run::args::RunArgs;

/// Tells what happens in your Amazon ECS clusters, in chat.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "\
Examples:
  ecs-parrot preview event.json             what would be told, and why
  ecs-parrot preview --output json samples  one JSON object an event
  ecs-parrot preview --output html samples > page.html
                                            as Slack would show it
  ecs-parrot notify samples                 tell it, here or where SLACK_WEBHOOKURL says
  ecs-parrot run --help                     run a migration in a new image, say
  ecs-parrot config                         the effective configuration
  ecs-parrot config serverless.env.yml      what is wrong with this file"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the decision, the reason and the message for each event; sends nothing
    Preview(PreviewArgs),
    /// Do what the Lambda does: tell events to the configured channels, or to this terminal when there is none
    Notify(NotifyArgs),
    /// Run a one-off task with the definition of another; shows its logs, ends with its exit code
    Run(Box<RunArgs>),
    /// Send messages to the queue of run-from-queue, after checking them as it does
    Enqueue(EnqueueArgs),
    /// Tell what stands in a dead-letter queue, and delete from it what was told
    Redrive(RedriveArgs),
    /// Print the effective configuration with secrets redacted, or everything that is wrong with it
    Config(ConfigArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct ConfigArgs {
    /// Check this serverless.env.yml, keys and values, in place of the environment
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

impl Command {
    /// Whether it only shows something: then nothing is left undone where nobody reads on.
    pub(crate) fn leaves_nothing(&self) -> bool {
        match self {
            Self::Preview(_) | Self::Config(_) => true,
            Self::Run(args) => args.dry_run,
            Self::Notify(_) | Self::Enqueue(_) | Self::Redrive(_) => false,
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct PreviewArgs {
    /// Files with events, folders (their own *.json), or - for standard input
    #[arg(required = true, value_name = "FILE|DIR|-")]
    pub(crate) inputs: Vec<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
    /// One channel's message only; text is the terminal's by default, JSON has every chat's
    #[arg(long, value_parser = channels())]
    pub(crate) channel: Option<ChannelType>,
    /// Ask AWS, with your own credentials, for what the events lack
    #[arg(long)]
    pub(crate) enrich: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct NotifyArgs {
    /// Files with events, folders (their own *.json), or - for standard input
    #[arg(required = true, value_name = "FILE|DIR|-")]
    pub(crate) inputs: Vec<PathBuf>,
    /// Ask AWS, with your own credentials, for what the events lack, as ENRICH=true does
    #[arg(long)]
    pub(crate) enrich: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct EnqueueArgs {
    /// The queue: its URL, name or ARN
    #[arg(long, value_name = "QUEUE")]
    pub(crate) queue: String,
    /// The message group; a FIFO queue keeps the order within it [default for a FIFO queue: each message's task definition family]
    #[arg(long, value_name = "NAME", value_parser = message_group)]
    pub(crate) group: Option<String>,
    /// Files with a message each, folders (their own *.json), or - for standard input
    #[arg(required = true, value_name = "FILE|DIR|-")]
    pub(crate) inputs: Vec<PathBuf>,
    /// The AWS profile to use
    #[arg(short, long)]
    pub(crate) profile: Option<String>,
    /// The AWS region to use [default: the queue's]
    #[arg(short, long)]
    pub(crate) region: Option<String>,
}

#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("redriver").required(true).multiple(true)))]
pub(crate) struct RedriveArgs {
    /// The dead-letter queue: its URL, name or ARN
    #[arg(long, value_name = "URL")]
    pub(crate) queue: String,
    /// Have this function tell the events: its name or ARN
    #[arg(long, value_name = "NAME", group = "redriver")]
    pub(crate) function: Option<String>,
    /// Tell them from here, to the channels that the environment configures
    #[arg(long, group = "redriver", conflicts_with = "function")]
    pub(crate) local: bool,
    /// Show what would be told, with --local from here and else by this shell's variables; nothing is told, and nothing
    /// deleted
    #[arg(long, group = "redriver")]
    pub(crate) dry_run: bool,
    /// The AWS profile to use
    #[arg(short, long)]
    pub(crate) profile: Option<String>,
    /// The AWS region to use [default: the queue's]
    #[arg(short, long)]
    pub(crate) region: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For reading
    Text,
    /// One JSON object a line
    Json,
    /// One page that shows each message as the chats would: for whoever writes templates
    Html,
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
fn message_group(text: &str) -> Result<String, String> {
    if (1..=128).contains(&text.len()) && text.chars().all(|c| c.is_ascii_graphic()) {
        return Ok(text.to_owned());
    }
    Err(
        "a message group has 1 to 128 letters, digits and punctuation marks, and no space"
            .to_owned(),
    )
}

/// Every channel's name, as the library has it.
fn channels() -> impl TypedValueParser<Value = ChannelType> {
    let names = ChannelType::VARIANTS.iter().map(<&str>::from);
    PossibleValuesParser::new(names).try_map(|name| name.parse::<ChannelType>())
}
