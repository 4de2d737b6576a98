//! Amazon Resource Names, in the old ECS format without a cluster and in the new format with one.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-account-settings.html#ecs-resource-ids>

/// The parts of an ARN, borrowed from its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arn<'a> {
    pub partition: &'a str,
    pub service: &'a str,
    pub region: &'a str,
    pub account: &'a str,
    /// The part after the account: `task/prod/1a2b` or `cluster/prod`.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let is_arn = parts.next() == Some("arn");
        let partition = parts.next()?;
        let (service, region, account) = (parts.next()?, parts.next()?, parts.next()?);
        let resource = parts.next()?;
        is_arn.then_some(Self {
            partition,
            service,
            region,
            account,
            resource,
        })
    }

    /// The resource's type, `task` of `task/prod/1a2b`.
    pub fn kind(self) -> &'a str {
        self.resource.split(['/', ':']).next().unwrap_or_default()
    }

    /// The cluster's name, if this is a cluster, or a resource of a cluster in the new format.
    pub fn cluster(self) -> Option<&'a str> {
        let mut parts = self.resource.split('/');
        match (parts.next()?, parts.next()?, parts.next()) {
            ("cluster", name, None) => Some(name),
            (
                "task" | "service" | "container-instance" | "container" | "task-set"
                | "service-deployment" | "service-revision" | "daemon" | "daemon-deployment"
                | "daemon-revision",
                name,
                Some(_),
            ) => Some(name),
            _ => None,
        }
        .filter(|name| !name.is_empty())
    }
}

/// The name of a resource: the last part of the path, of an ARN or of any other text.
pub fn name(text: &str) -> &str {
    match Arn::parse(text) {
        Some(arn) => arn.resource.rsplit('/').next().unwrap_or(arn.resource),
        None => text.rsplit('/').next().unwrap_or(text),
    }
}

/// The family and the revision of a task definition, from its ARN, from `family:revision`, or from the family alone.
pub fn task_definition(text: &str) -> (String, Option<String>) {
    match name(text).split_once(':') {
        Some((family, revision)) if !revision.is_empty() => {
            (family.to_owned(), Some(revision.to_owned()))
        }
        Some((family, _)) => (family.to_owned(), None),
        None => (name(text).to_owned(), None),
    }
}

/// Whether a text is the number of an AWS account: 12 digits.
pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|it| it.is_ascii_digit())
}

/// Whether a text is a valid ECS name: letters, digits, `-` and `_`.
pub fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 255
        && text
            .chars()
            .all(|it| it.is_ascii_alphanumeric() || "-_".contains(it))
}

/// Whether a text is the id of a task or an instance: 32 hexadecimal digits, or a UUID. ECS refuses the whole call if
/// one id is invalid.
pub fn is_id(text: &str) -> bool {
    (32..=36).contains(&text.len()) && text.chars().all(|it| it.is_ascii_hexdigit() || it == '-')
}

/// Whether this is a region's name, `eu-west-1` or `us-gov-east-1`: words of lower-case letters, then a number.
pub fn is_region(text: &str) -> bool {
    let mut words: Vec<_> = text.split('-').collect();
    let number = words.pop().unwrap_or_default();
    let is_number = matches!(number.len(), 1 | 2) && number.bytes().all(|it| it.is_ascii_digit());
    let is_word = |word: &&str| !word.is_empty() && word.bytes().all(|it| it.is_ascii_lowercase());
    is_number && words.len() >= 2 && words.iter().all(is_word)
}

/// The partition that a region is in.
/// <https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html>
pub fn partition(region: &str) -> &'static str {
    match region {
        _ if region.starts_with("cn-") => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ if region.starts_with("us-isob-") => "aws-iso-b",
        _ if region.starts_with("us-iso-") => "aws-iso",
        _ if region.starts_with("eu-isoe-") => "aws-iso-e",
        _ if region.starts_with("us-isof-") => "aws-iso-f",
        _ if region.starts_with("eusc-") => "aws-eusc",
        _ => "aws",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_in_every_partition() {
        for (text, cluster, last) in [
            (
                "arn:aws:ecs:eu-west-1:210987654321:task/prod/1a2b",
                Some("prod"),
                "1a2b",
            ),
            (
                "arn:aws:ecs:eu-west-1:210987654321:task/b99d40b3-5176-4f71-9a52-9dbd6f1cebef",
                None,
                "b99d40b3-5176-4f71-9a52-9dbd6f1cebef",
            ),
            (
                "arn:aws-cn:ecs:cn-north-1:210987654321:service/prod/web",
                Some("prod"),
                "web",
            ),
            (
                "arn:aws-us-gov:ecs:us-gov-west-1:210987654321:cluster/prod",
                Some("prod"),
                "prod",
            ),
            (
                "arn:aws:ecs:eu-west-1:210987654321:service/web",
                None,
                "web",
            ),
        ] {
            let arn = Arn::parse(text).unwrap();
            assert_eq!((arn.cluster(), name(text)), (cluster, last), "{text}");
        }
    }

    #[test]
    fn a_text_that_is_not_an_arn_is_a_name() {
        assert_eq!(name("prod"), "prod");
        assert_eq!(name("prod/1a2b"), "1a2b");
        assert_eq!(Arn::parse("prod"), None);
        assert_eq!(Arn::parse("arn:aws:ecs"), None);
    }

    #[test]
    fn a_task_definition_may_lack_its_revision() {
        let arn = "arn:aws:ecs:eu-west-1:210987654321:task-definition/web";
        assert_eq!(task_definition(arn), ("web".to_owned(), None));
        assert_eq!(
            task_definition(&format!("{arn}:42")),
            ("web".to_owned(), Some("42".to_owned()))
        );
        assert_eq!(
            task_definition("web:7"),
            ("web".to_owned(), Some("7".to_owned()))
        );
    }

    #[test]
    fn region_names_are_recognized() {
        for name in [
            "eu-west-1",
            "us-gov-east-1",
            "ap-southeast-11",
            "us-iso-east-1",
        ] {
            assert!(is_region(name), "{name}");
        }
        for name in [
            "",
            "mars",
            "eu-west",
            "eu--1",
            "EU-WEST-1",
            "eu-west-1/",
            "-1",
            "eu-1",
            "eu-west-123",
        ] {
            assert!(!is_region(name), "{name}");
        }
    }
}
