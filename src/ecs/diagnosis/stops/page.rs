//! Pages of the Amazon ECS developer guide.

#[derive(Debug, Clone, Copy)]
pub(super) enum GuidePage {
    ApiFailures,
    Architecture,
    CannotInspect,
    CannotStop,
    ContainerHealth,
    Draining,
    FailedToStart,
    FargateSpot,
    InstanceSpot,
    LoadBalancer,
    Maintenance,
    Memory,
    Network,
    Pull,
    Resources,
    Start,
    Stopped,
    Volume,
}

impl GuidePage {
    pub(super) const fn address(self) -> &'static str {
        macro_rules! guide {
            ($page:literal) => {
                concat!(
                    "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/",
                    $page,
                    ".html"
                )
            };
        }
        match self {
            Self::ApiFailures => guide!("api_failures_messages"),
            Self::Architecture => guide!("ecs-arm-specifying"),
            Self::CannotInspect => guide!("cannot-inspect-container"),
            Self::CannotStop => guide!("cannot-stop-container"),
            Self::ContainerHealth => guide!("healthcheck"),
            Self::Draining => guide!("container-instance-draining"),
            Self::FailedToStart => guide!("failed-to-start-error"),
            Self::FargateSpot => guide!("fargate-capacity-providers"),
            Self::InstanceSpot => guide!("container-instance-spot"),
            Self::LoadBalancer => guide!("troubleshoot-service-load-balancers"),
            Self::Maintenance => guide!("task-maintenance"),
            Self::Memory => guide!("out-of-memory"),
            Self::Network => guide!("task-networking-awsvpc"),
            Self::Pull => guide!("task_cannot_pull_image"),
            Self::Resources => guide!("resource-initialization-error"),
            Self::Start => guide!("cannot-start-container"),
            Self::Stopped => guide!("stopped-task-error-codes"),
            Self::Volume => guide!("cannot-create-volume"),
        }
    }
}
