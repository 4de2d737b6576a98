//! The arguments of the command line, and its help.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};
use ecs_parrot::notifier::channel::{ChannelType, Minimum};
use ecs_parrot::text::duration::duration;
use jiff::Timestamp;
use strum::VariantArray as _;

use crate::run::args::RunArgs;

/// Posts what happens in your Amazon ECS clusters to chat, and runs tasks in them.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show what would be posted for each event, and why; post nothing
    Preview(PreviewArgs),
    /// Post events as the Lambda function does; without a channel, print them
    Notify(NotifyArgs),
    /// Play recorded events against a simulated clock, and show what a channel would have shown, when
    Replay(ReplayArgs),
    /// Post the events of a dead-letter queue, and delete them from the queue
    Redrive(RedriveArgs),
    /// List the open threads of a state table, or close one by hand
    Threads(ThreadsArgs),
    /// Post a test message to each channel, and say for each whether it arrived
    SendTest(SendTestArgs),
    /// Print the effective configuration without its secrets, or its errors
    Config(ConfigArgs),
    /// Look at a deployed installation, and say what is wrong and what to do
    Doctor(DoctorArgs),
    /// Run a one-off task, show its logs and exit with its exit code
    Run(Box<RunArgs>),
    /// Check messages for run-from-queue and send them to its queue
    Enqueue(EnqueueArgs),
}

/// The commands of one heading of `ecs-parrot --help`, with examples.
struct HelpGroup {
    heading: &'static str,
    commands: &'static [&'static str],
    examples: &'static str,
}

const HELP_GROUPS: [HelpGroup; 2] = [
    HelpGroup {
        heading: "Watch clusters",
        commands: &[
            "preview",
            "notify",
            "replay",
            "redrive",
            "threads",
            "send-test",
            "config",
            "doctor",
        ],
        examples: "
  Examples:
    ecs-parrot preview event.json              show what would be posted, and why
    ecs-parrot preview --output json samples   print one JSON object for each event
    ecs-parrot preview --output html samples   print a page that looks like the chats
    ecs-parrot notify samples                  post to the configured channels, or print
    ecs-parrot replay samples/stories/crash-loop.json  show an hour as a channel would
    ecs-parrot redrive --queue failed --local  post what a dead-letter queue holds
    ecs-parrot threads --table parrot-state    list what is open
    ecs-parrot send-test                       post a test message to each channel
    ecs-parrot config                          print the effective configuration
    ecs-parrot config serverless.env.yml       check this file",
    },
    HelpGroup {
        heading: "Run tasks",
        commands: &["run", "enqueue"],
        examples: "
  Examples:
    ecs-parrot run --task-name migrate --from-task web --cluster prod \\
      --command rake db:migrate                run a migration as a task
    ecs-parrot enqueue --queue jobs job.json   have run-from-queue run a task",
    },
];

impl Args {
    /// Reads the command line. Wrong usage, `--help` and `--version` end the program.
    pub(crate) fn read() -> Self {
        let command = Self::command();
        let template = help_template(&command);
        let matches = command.help_template(template).get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }
}

/// The help of `ecs-parrot` itself: clap lists all commands under one heading, this lists them in groups.
fn help_template(command: &clap::Command) -> String {
    let styles = command.get_styles();
    let (header, literal) = (styles.get_header(), styles.get_literal());
    let mut template = "{about-with-newline}\n{usage-heading} {usage}\n".to_owned();
    for group in HELP_GROUPS {
        template.push_str(&format!("\n{header}{}:{header:#}\n", group.heading));
        let commands = group.commands.iter();
        for known in commands.filter_map(|name| command.find_subcommand(name)) {
            let about = known.get_about().cloned().unwrap_or_default();
            let name = known.get_name();
            template.push_str(&format!("  {literal}{name:9}{literal:#} {about}\n"));
        }
        template.push_str(group.examples);
        template.push('\n');
    }
    template.push_str(&format!(
        "\n{header}Options:{header:#}\n{{options}}\n\nThe options of a command: {literal}ecs-parrot COMMAND --help{literal:#}\n"
    ));
    template
}

#[derive(Debug, clap::Args)]
pub(crate) struct ConfigArgs {
    /// Check the keys and values of this serverless.env.yml, not the environment
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

impl Command {
    /// Whether the command only prints something. Then it may end early, without an error, when its output is closed.
    pub(crate) fn is_read_only(&self) -> bool {
        match self {
            Self::Preview(_) | Self::Replay(_) | Self::Config(_) | Self::Doctor(_) => true,
            Self::Run(args) => args.dry_run,
            Self::Threads(args) => args.resolve.is_none(),
            Self::Notify(_) | Self::SendTest(_) | Self::Enqueue(_) | Self::Redrive(_) => false,
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct DoctorArgs {
    /// The function of the notifier [default: the only one of the region]
    #[arg(long, value_name = "NAME")]
    pub(crate) function: Option<String>,
    /// The region [default: AWS_REGION, or that of the profile]
    #[arg(long)]
    pub(crate) region: Option<String>,
    /// The profile of the AWS CLI's configuration
    #[arg(long)]
    pub(crate) profile: Option<String>,
    /// The output format
    #[arg(long, value_enum, default_value_t = DoctorOutput::Text, overrides_with = "output")]
    pub(crate) output: DoctorOutput,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DoctorOutput {
    Text,
    Json,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PreviewArgs {
    /// Files with events, folders (their own *.json), or - for standard input
    #[arg(required = true, value_name = "FILE|DIR|-")]
    pub(crate) inputs: Vec<PathBuf>,
    /// The output format
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
    /// Show only this channel's message [default: the terminal's for text, every chat's for JSON]
    #[arg(long, value_parser = channels())]
    pub(crate) channel: Option<ChannelType>,
    /// Say for this channel of the configuration why it takes each event, or does not
    #[arg(long, value_name = "CHANNEL")]
    pub(crate) why: Option<String>,
    /// Ask AWS for details that the events do not contain, with your own credentials
    #[arg(long)]
    pub(crate) enrich: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct NotifyArgs {
    /// Files with events, folders (their own *.json), or - for standard input
    #[arg(required = true, value_name = "FILE|DIR|-")]
    pub(crate) inputs: Vec<PathBuf>,
    /// Ask AWS for details that the events do not contain, with your own credentials, as ENRICH=true does
    #[arg(long)]
    pub(crate) enrich: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SendTestArgs {
    /// Only this channel: its name in the configuration
    #[arg(long, value_name = "NAME")]
    pub(crate) channel: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ReplayArgs {
    /// Files with one event, a list of events, or one event on each line; folders (their own *.json); or - for standard
    /// input
    #[arg(required = true, value_name = "FILE|DIR|-")]
    pub(crate) inputs: Vec<PathBuf>,
    /// The type of the channel
    #[arg(long, default_value = "terminal", value_parser = channels())]
    pub(crate) channel: ChannelType,
    /// The least priority that the channel accepts: all, urgent
    #[arg(long, default_value = "all", value_parser = minimums())]
    pub(crate) minimum: Minimum,
    /// The output format
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
    /// When the clock stops after the last event: an RFC 3339 time, or a duration after the last event
    #[arg(long, value_name = "TIME", default_value = "48h", value_parser = until)]
    pub(crate) until: Until,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ThreadsArgs {
    /// The state table: its name or ARN
    #[arg(long, value_name = "NAME")]
    pub(crate) table: String,
    /// Close this thread; the chat shows it when the function looks at it next
    #[arg(long, value_name = "ID")]
    pub(crate) resolve: Option<String>,
    /// The output format
    #[arg(long, value_enum, default_value_t = ListOutput::Text)]
    pub(crate) output: ListOutput,
    /// The AWS profile to use
    #[arg(short, long)]
    pub(crate) profile: Option<String>,
    /// The AWS region to use [default: the table's]
    #[arg(short, long)]
    pub(crate) region: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListOutput {
    /// For people
    Text,
    /// One JSON object for each line
    Json,
}

/// When a replay ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    Time(Timestamp),
    /// After the last event.
    After(Duration),
}

fn until(text: &str) -> Result<Until, String> {
    let time = text.parse().ok().map(Until::Time);
    let zero = (text.trim() == "0").then_some(Until::After(Duration::ZERO));
    time.or(zero)
        .or_else(|| duration(text).map(Until::After))
        .ok_or_else(|| {
            "allowed: a time such as 2026-11-12T10:00:00Z, or a duration such as 90s, 10m, 48h"
                .to_owned()
        })
}

#[derive(Debug, clap::Args)]
pub(crate) struct EnqueueArgs {
    /// The queue: its URL, name or ARN
    #[arg(long, value_name = "QUEUE")]
    pub(crate) queue: String,
    /// The message group; a FIFO queue keeps the order of the messages of one group [default for a FIFO queue: the
    /// family of the message's task definition]
    #[arg(long, value_name = "NAME", value_parser = message_group)]
    pub(crate) group: Option<String>,
    /// Files with one message each, folders (their own *.json), or - for standard input
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
    /// Send the events to this Lambda function, which posts them: its name or ARN
    #[arg(long, value_name = "NAME", group = "redriver")]
    pub(crate) function: Option<String>,
    /// Post the events from this machine, to the channels that the environment configures
    #[arg(long, group = "redriver", conflicts_with = "function")]
    pub(crate) local: bool,
    /// Show what would be posted, by the variables of this shell; post nothing and delete nothing. With --local, also
    /// check that a channel is configured here
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
    /// For people
    Text,
    /// One JSON object for each line
    Json,
    /// One page that shows the messages as the chats would show them: `preview` each event's message, `replay` the whole
    /// channel with its threads and edits
    Html,
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
fn message_group(text: &str) -> Result<String, String> {
    if (1..=128).contains(&text.len()) && text.chars().all(|c| c.is_ascii_graphic()) {
        return Ok(text.to_owned());
    }
    Err("allowed: 1 to 128 letters, digits and punctuation marks, without spaces".to_owned())
}

/// The names of all channels, from the library.
fn channels() -> impl TypedValueParser<Value = ChannelType> {
    let names = ChannelType::VARIANTS.iter().map(<&str>::from);
    PossibleValuesParser::new(names).try_map(|name| name.parse::<ChannelType>())
}

fn minimums() -> impl TypedValueParser<Value = Minimum> {
    // A replay has one channel, to which no other one escalates.
    let minimums = Minimum::VARIANTS.iter();
    let minimums = minimums.filter(|it| **it != Minimum::Escalated);
    let names = minimums.map(<&str>::from);
    PossibleValuesParser::new(names).try_map(|name| name.parse::<Minimum>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_is_in_one_group_of_the_help() {
        let mut grouped: Vec<_> = HELP_GROUPS.iter().flat_map(|it| it.commands).collect();
        grouped.sort();
        let command = Args::command();
        let mut known: Vec<_> = command.get_subcommands().map(|it| it.get_name()).collect();
        known.sort_unstable();
        assert_eq!(grouped, known.iter().collect::<Vec<_>>());
    }
}
