//! The fields of a route, and their values. Patterns are checked against them, so that a misspelt one stops the start.

use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use super::pattern::{PatternProblem, Scalar};
use crate::ecs::diagnosis::Cause;
use crate::ecs::notice::Kind;
use crate::notifier::policy::Severity;
use crate::notifier::thread::ThreadKind;
use crate::text::spelling::nearest;

/// The beginning of a tag's path. The key follows.
pub const TAGS: &str = "tags.";

/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html>
const LAUNCH_TYPES: [&str; 4] = ["EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES"];

/// A field of a route, by its name in a pattern.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub enum RouteField {
    Kind,
    Cause,
    Severity,
    Urgent,
    Thread,
    Cluster,
    Service,
    Family,
    Account,
    AccountName,
    Region,
    Actor,
    InstanceType,
    LaunchType,
    /// A tag of the service, the task or the instance. Each has a field of its own: `tags.team`.
    Tags,
}

/// The values that a field may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Values {
    /// True or false.
    Flag,
    /// These texts and no others.
    Closed(Vec<&'static str>),
    /// Any text. Of these the spelling is known.
    Known(Vec<&'static str>),
    /// The number of an AWS account, as text.
    Account,
    /// Any text.
    Any,
}

impl RouteField {
    /// The field with this path.
    ///
    /// # Errors
    ///
    /// [`PatternProblem::UnknownField`], and [`PatternProblem::NoTagKey`] for `tags` alone.
    pub fn of_path(path: &str) -> Result<Self, PatternProblem> {
        if path.strip_prefix(TAGS).is_some_and(|key| !key.is_empty()) {
            return Ok(Self::Tags);
        }
        match path.parse() {
            Ok(Self::Tags) => Err(PatternProblem::NoTagKey),
            Ok(field) => Ok(field),
            Err(_) => {
                let names = Self::VARIANTS.iter().map(<&str>::from);
                let nearest = nearest(path, names);
                Err(PatternProblem::UnknownField { nearest })
            }
        }
    }

    pub fn values(self) -> Values {
        match self {
            Self::Urgent => Values::Flag,
            Self::Kind => Values::Closed(Kind::VARIANTS.iter().map(Into::into).collect()),
            Self::Severity => Values::Closed(Severity::VARIANTS.iter().map(Into::into).collect()),
            Self::Thread => Values::Closed(ThreadKind::VARIANTS.iter().map(Into::into).collect()),
            Self::Cause => {
                let causes = Cause::VARIANTS.iter().map(<&str>::from);
                Values::Known(causes.chain([Kind::DidNotRun.into()]).collect())
            }
            Self::LaunchType => Values::Known(LAUNCH_TYPES.to_vec()),
            Self::Account => Values::Account,
            Self::Cluster
            | Self::Service
            | Self::Family
            | Self::AccountName
            | Self::Region
            | Self::Actor
            | Self::InstanceType
            | Self::Tags => Values::Any,
        }
    }

    /// Whether everything that is posted has this field.
    pub fn is_always_there(self) -> bool {
        match self {
            Self::Kind | Self::Severity | Self::Urgent => true,
            Self::Cause
            | Self::Thread
            | Self::Cluster
            | Self::Service
            | Self::Family
            | Self::Account
            | Self::AccountName
            | Self::Region
            | Self::Actor
            | Self::InstanceType
            | Self::LaunchType
            | Self::Tags => false,
        }
    }

    /// Whether the field may have several values at once.
    pub fn is_list(self) -> bool {
        self == Self::Thread
    }
}

impl Values {
    /// All values, if they are known.
    pub fn all(&self) -> Option<Vec<Scalar>> {
        match self {
            Self::Flag => Some(vec![Scalar::Bool(true), Scalar::Bool(false)]),
            Self::Closed(words) => {
                let texts = words.iter().map(|it| Scalar::Text((*it).to_owned()));
                Some(texts.collect())
            }
            Self::Known(_) | Self::Account | Self::Any => None,
        }
    }

    /// The values in words.
    pub fn in_words(&self) -> String {
        match self {
            Self::Flag => "true, false".to_owned(),
            Self::Closed(words) | Self::Known(words) => words.join(", "),
            Self::Account => "12 digits".to_owned(),
            Self::Any => "any text".to_owned(),
        }
    }

    /// The known word that a text is a misspelling of. Names of events and of errors have capital letters, and are not
    /// known here.
    pub fn meant(&self, text: &str) -> Option<&'static str> {
        match self {
            Self::Closed(words) | Self::Known(words) => {
                nearest(text, words.iter().copied()).filter(|it| *it != text)
            }
            Self::Flag | Self::Account | Self::Any => None,
        }
    }
}

/// All names, for a message.
pub fn names() -> String {
    let name = |it: &RouteField| match it {
        RouteField::Tags => "tags.KEY".to_owned(),
        other => other.to_string(),
    };
    let names: Vec<_> = RouteField::VARIANTS.iter().map(name).collect();
    names.join(", ")
}
