//! Makes a task definition and a request from the arguments, the reference and the settings of a service. It creates
//! nothing in AWS.

use aws_sdk_ecs::operation::run_task::RunTaskInput;
use aws_sdk_ecs::types::{
    AssignPublicIp, AwsVpcConfiguration, CapacityProviderStrategyItem, LaunchType,
    NetworkConfiguration, Tag,
};
use ecs_parrot::runner::clone::{
    Changes, ClonedDefinition, LaunchTarget, LogGroup, TaskRole, clone,
};
use ecs_parrot::runner::definition::TaskDefinition;
use ecs_parrot::runner::request::RunRequest;
use ecs_parrot::runner::service::ServiceSettings;
use uuid::Uuid;

use super::args::{self, RunArgs};
use super::error::CommandError;

/// The log stream prefix of ecs-one-off-task.
const PREFIX: &str = "ecs";

pub(crate) struct RunPlan {
    pub(crate) reference: TaskDefinition,
    pub(crate) clone: ClonedDefinition,
    pub(crate) log_group: String,
    /// It names only the family, because the revision is not known before its registration.
    pub(crate) request: RunRequest,
    pub(crate) notes: Vec<String>,
    /// The names of the variables of --env.
    pub(crate) given_variables: Vec<String>,
}

/// The part of the arguments that is checked before the first call to AWS.
#[derive(Debug)]
pub(crate) struct RunOptions {
    command: Vec<String>,
    entry_point: Option<Vec<String>>,
    environment: Vec<(String, String)>,
}

impl RunOptions {
    pub(crate) fn of(args: &RunArgs) -> Result<Self, CommandError> {
        check_name(&args.task_name)?;
        check_image(args.image.as_deref())?;
        let environment = args.variables().map_err(CommandError::Usage)?;
        let command = [args.command.as_slice(), &args.words].concat();
        if command.iter().all(|word| word.trim().is_empty()) {
            return usage("the command is empty: set --command to at least one word");
        }
        let wants_network = args.launch_type == Some(args::LaunchType::Fargate)
            || args.capacity_provider.iter().any(|name| is_fargate(name));
        let has_network = !args.networks_id.is_empty() && !args.security_groups_id.is_empty();
        if wants_network && !has_network && args.like_service.is_none() {
            return usage(
                "Fargate needs a network: set --networks-id and --security-groups-id, or --like-service",
            );
        }
        Ok(Self {
            command,
            entry_point: args.entrypoint.as_deref().map(words).transpose()?,
            environment,
        })
    }
}

fn usage<T>(message: &str) -> Result<T, CommandError> {
    Err(CommandError::Usage(message.to_owned()))
}

/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html>
fn check_name(name: &str) -> Result<(), CommandError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if (1..=255).contains(&name.len()) && name.chars().all(allowed) {
        return Ok(());
    }
    usage(&format!(
        "--task-name `{name}` is not valid; allowed: up to 255 letters, digits, `-` and `_`"
    ))
}

fn check_image(image: Option<&str>) -> Result<(), CommandError> {
    let Some(image) = image else { return Ok(()) };
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_:./@#".contains(c);
    if (1..=255).contains(&image.len()) && image.chars().all(allowed) {
        return Ok(());
    }
    usage(&format!(
        "--image `{image}` is not valid; expected a name like `repository/name:tag`"
    ))
}

fn words(entry_point: &str) -> Result<Vec<String>, CommandError> {
    match shell_words::split(entry_point) {
        Ok(words) if !words.is_empty() => Ok(words),
        Ok(_) => usage("--entrypoint is empty: remove it to use the image's own"),
        Err(_) => usage(&format!(
            "--entrypoint {entry_point}: a quote is not closed"
        )),
    }
}

fn is_fargate(provider: &str) -> bool {
    matches!(provider, "FARGATE" | "FARGATE_SPOT")
}

pub(crate) fn plan(
    args: &RunArgs,
    options: RunOptions,
    reference: TaskDefinition,
    service: &ServiceSettings,
    region: &str,
) -> Result<RunPlan, CommandError> {
    let capacity = Capacity::of(args, service)?;
    let network = network(args, service)?;
    if capacity.is_fargate() && network.is_none() {
        return usage("Fargate needs a network, but the service has none: set --networks-id");
    }
    let log_group = format!("/ecs/{}", args.task_name);
    let changes = changes(args, &options, region, capacity.host(network.is_some()));
    let clone =
        clone(&reference, &changes).map_err(|error| CommandError::Usage(error.to_string()))?;
    let mut notes = clone.notes.clone();
    let uses_network = clone.body.get("networkMode").and_then(|it| it.as_str()) == Some("awsvpc");
    if network.is_some() && !uses_network {
        notes.push(
            "the subnets are not used, because the network mode of the reference is not `awsvpc`"
                .to_owned(),
        );
    }
    notes.extend(one_word(&options));
    let request = request(args, capacity, network.filter(|_| uses_network))?;
    let given = options.environment.iter();
    Ok(RunPlan {
        reference,
        clone,
        log_group,
        request,
        notes,
        given_variables: given.map(|(name, _)| name.clone()).collect(),
    })
}

/// A note for `--command 'rake db:migrate'`: without a shell, the container looks for a program with that whole name.
fn one_word(options: &RunOptions) -> Option<String> {
    let [word] = options.command.as_slice() else {
        return None;
    };
    (options.entry_point.is_none() && word.contains(char::is_whitespace)).then(|| {
        format!("the command is one word, `{word}`: remove the quotes, or add --entrypoint 'sh -c'")
    })
}

fn changes(args: &RunArgs, options: &RunOptions, region: &str, host: LaunchTarget) -> Changes {
    Changes {
        family: args.task_name.clone(),
        container: args.container.clone(),
        image: args.image.clone(),
        command: options.command.clone(),
        entry_point: options.entry_point.clone(),
        environment: options.environment.clone(),
        cpu: args.cpu.clone(),
        memory: args.memory.clone(),
        task_role: match args.task_role.as_deref() {
            None => TaskRole::OfReference,
            Some("none") => TaskRole::None,
            Some(role) => TaskRole::Other(role.to_owned()),
        },
        tags: args.tag.clone(),
        host,
        logs: LogGroup {
            name: format!("/ecs/{}", args.task_name),
            region: region.to_owned(),
            prefix: PREFIX.to_owned(),
        },
    }
}

/// What the task runs on. For EC2 nothing is set, as in ecs-one-off-task: the default capacity provider of the cluster
/// can then start instances, and without one ECS uses EC2.
#[derive(Debug, Default)]
struct Capacity {
    launch_type: Option<LaunchType>,
    strategy: Vec<CapacityProviderStrategyItem>,
    platform_version: Option<String>,
}

impl Capacity {
    fn of(args: &RunArgs, service: &ServiceSettings) -> Result<Self, CommandError> {
        if !args.capacity_provider.is_empty() {
            let items = args.capacity_provider.iter().map(|name| {
                CapacityProviderStrategyItem::builder()
                    .capacity_provider(name)
                    .weight(1)
                    .build()
            });
            let strategy: Result<Vec<_>, _> = items.collect();
            let strategy = strategy.map_err(|error| CommandError::Usage(error.to_string()))?;
            return Ok(Self {
                strategy,
                ..Self::default()
            });
        }
        Ok(match args.launch_type {
            Some(args::LaunchType::Ec2) => Self::default(),
            Some(args::LaunchType::Fargate) => Self {
                launch_type: Some(LaunchType::Fargate),
                platform_version: service.platform_version.clone(),
                ..Self::default()
            },
            None => Self {
                launch_type: service
                    .launch_type
                    .clone()
                    .filter(|_| service.strategy.is_empty()),
                strategy: service.strategy.clone(),
                platform_version: service.platform_version.clone(),
            },
        })
    }

    fn is_fargate(&self) -> bool {
        let mut providers = self.strategy.iter();
        self.launch_type == Some(LaunchType::Fargate)
            || providers.any(|item| is_fargate(item.capacity_provider()))
    }

    fn host(&self, has_network: bool) -> LaunchTarget {
        match (self.is_fargate(), has_network) {
            (true, _) => LaunchTarget::Fargate,
            (false, true) => LaunchTarget::InstanceWithNetwork,
            (false, false) => LaunchTarget::Instance,
        }
    }
}

/// The network of the arguments. Missing parts come from the service.
fn network(
    args: &RunArgs,
    service: &ServiceSettings,
) -> Result<Option<AwsVpcConfiguration>, CommandError> {
    let of_service = service.network.as_ref();
    let or_default = |given: &[String], default: &[String]| {
        if given.is_empty() {
            default.to_vec()
        } else {
            given.to_vec()
        }
    };
    let subnets = or_default(&args.networks_id, of_service.map_or(&[], |it| it.subnets()));
    if subnets.is_empty() {
        return Ok(None);
    }
    let groups = or_default(
        &args.security_groups_id,
        of_service.map_or(&[], |it| it.security_groups()),
    );
    let public = if args.assign_public_ip {
        Some(AssignPublicIp::Enabled)
    } else {
        of_service.and_then(|it| it.assign_public_ip()).cloned()
    };
    AwsVpcConfiguration::builder()
        .set_subnets(Some(subnets))
        .set_security_groups(Some(groups).filter(|groups| !groups.is_empty()))
        .assign_public_ip(public.unwrap_or(AssignPublicIp::Disabled))
        .build()
        .map(Some)
        .map_err(|error| CommandError::Usage(error.to_string()))
}

fn request(
    args: &RunArgs,
    capacity: Capacity,
    network: Option<AwsVpcConfiguration>,
) -> Result<RunRequest, CommandError> {
    let token = Uuid::new_v4().simple().to_string();
    let network = network.map(|it| {
        NetworkConfiguration::builder()
            .awsvpc_configuration(it)
            .build()
    });
    let tags: Result<Vec<Tag>, CommandError> = args.tag.iter().map(tag).collect();
    let input = RunTaskInput::builder()
        .cluster(&args.cluster)
        .task_definition(&args.task_name)
        .count(args.count)
        .set_launch_type(capacity.launch_type)
        .set_capacity_provider_strategy(Some(capacity.strategy).filter(|it| !it.is_empty()))
        .set_platform_version(capacity.platform_version)
        .set_network_configuration(network)
        .set_tags(Some(tags?).filter(|tags| !tags.is_empty()))
        .started_by(format!("ecs-parrot-run/{}", &token[..8]))
        .client_token(token)
        .build()
        .map_err(|error| CommandError::Usage(error.to_string()))?;
    Ok(RunRequest::new(input)?)
}

fn tag((key, value): &(String, String)) -> Result<Tag, CommandError> {
    Ok(Tag::builder().key(key).value(value).build())
}
