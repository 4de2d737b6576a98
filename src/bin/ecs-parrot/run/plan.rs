//! What would be run: the arguments, the reference and the service that serves as a model, made into a task
//! definition and a request. Nothing is made in AWS here.

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

/// The stream prefix of ecs-one-off-task's logs.
const PREFIX: &str = "ecs";

pub(crate) struct RunPlan {
    pub(crate) reference: TaskDefinition,
    pub(crate) clone: ClonedDefinition,
    pub(crate) log_group: String,
    /// Names the family; the revision is known when it is registered.
    pub(crate) request: RunRequest,
    pub(crate) notes: Vec<String>,
    /// Names of the variables that --env gives.
    pub(crate) given_variables: Vec<String>,
}

/// What the arguments say by themselves, read and checked before AWS is asked anything.
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
            return usage("the command is empty: give --command the words of what is to be run");
        }
        let wants_network = args.launch_type == Some(args::LaunchType::Fargate)
            || args.capacity_provider.iter().any(|name| is_fargate(name));
        let has_network = !args.networks_id.is_empty() && !args.security_groups_id.is_empty();
        if wants_network && !has_network && args.like_service.is_none() {
            return usage(
                "Fargate needs a network: give --networks-id and --security-groups-id, or --like-service",
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
        "`{name}` cannot be --task-name: up to 255 letters, digits, `-` and `_`"
    ))
}

fn check_image(image: Option<&str>) -> Result<(), CommandError> {
    let Some(image) = image else { return Ok(()) };
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_:./@#".contains(c);
    if (1..=255).contains(&image.len()) && image.chars().all(allowed) {
        return Ok(());
    }
    usage(&format!(
        "`{image}` is no image: they poll like `repository/name:tag`"
    ))
}

fn words(entry_point: &str) -> Result<Vec<String>, CommandError> {
    match shell_words::split(entry_point) {
        Ok(words) if !words.is_empty() => Ok(words),
        Ok(_) => usage("--entrypoint is empty: leave it out to use the image's own"),
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
    model: &ServiceSettings,
    region: &str,
) -> Result<RunPlan, CommandError> {
    let capacity = Capacity::of(args, model)?;
    let network = network(args, model)?;
    if capacity.is_fargate() && network.is_none() {
        return usage("Fargate needs a network, and the service has none: give --networks-id");
    }
    let log_group = format!("/ecs/{}", args.task_name);
    let changes = changes(args, &options, region, capacity.host(network.is_some()));
    let clone =
        clone(&reference, &changes).map_err(|error| CommandError::Usage(error.to_string()))?;
    let mut notes = clone.notes.clone();
    let uses_network = clone.body.get("networkMode").and_then(|it| it.as_str()) == Some("awsvpc");
    if network.is_some() && !uses_network {
        notes.push("the subnets are not used: the reference's network is not `awsvpc`".to_owned());
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

/// `--command 'rake db:migrate'` without a shell looks for a program of that whole name.
fn one_word(options: &RunOptions) -> Option<String> {
    let [word] = options.command.as_slice() else {
        return None;
    };
    (options.entry_point.is_none() && word.contains(char::is_whitespace)).then(|| {
        format!(
            "the command is one word, `{word}`: leave its quotes out, or add --entrypoint 'sh -c'"
        )
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

/// What the task runs on. For EC2 nothing is said, as ecs-one-off-task says nothing: the cluster's default
/// capacity provider brings instances where there are none, or else ECS takes EC2.
#[derive(Debug, Default)]
struct Capacity {
    launch_type: Option<LaunchType>,
    strategy: Vec<CapacityProviderStrategyItem>,
    platform_version: Option<String>,
}

impl Capacity {
    fn of(args: &RunArgs, model: &ServiceSettings) -> Result<Self, CommandError> {
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
                platform_version: model.platform_version.clone(),
                ..Self::default()
            },
            None => Self {
                launch_type: model
                    .launch_type
                    .clone()
                    .filter(|_| model.strategy.is_empty()),
                strategy: model.strategy.clone(),
                platform_version: model.platform_version.clone(),
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

/// The network of the arguments, with what they leave open from the model.
fn network(
    args: &RunArgs,
    model: &ServiceSettings,
) -> Result<Option<AwsVpcConfiguration>, CommandError> {
    let model = model.network.as_ref();
    let or_model = |given: &[String], of_model: &[String]| {
        if given.is_empty() {
            of_model.to_vec()
        } else {
            given.to_vec()
        }
    };
    let subnets = or_model(&args.networks_id, model.map_or(&[], |it| it.subnets()));
    if subnets.is_empty() {
        return Ok(None);
    }
    let groups = or_model(
        &args.security_groups_id,
        model.map_or(&[], |it| it.security_groups()),
    );
    let public = if args.assign_public_ip {
        Some(AssignPublicIp::Enabled)
    } else {
        model.and_then(|it| it.assign_public_ip()).cloned()
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
