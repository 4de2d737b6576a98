//! Reads a template as CloudFormation does: with the values of its parameters, its conditions and its functions.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::fake_aws::{ACCOUNT, REGION};

/// A template, and the values of its parameters that are not the defaults.
pub(super) struct Stack {
    template: Value,
    name: &'static str,
    parameters: BTreeMap<String, String>,
}

impl Stack {
    pub(super) fn new(template: Value, name: &'static str) -> Self {
        Self {
            template,
            name,
            parameters: BTreeMap::new(),
        }
    }

    pub(super) fn with(mut self, parameters: &[(&str, &str)]) -> Self {
        for (name, value) in parameters {
            let declared = &self.template["Parameters"][*name];
            assert!(declared.is_object(), "the template has no parameter {name}");
            self.parameters
                .insert((*name).to_owned(), (*value).to_owned());
        }
        self
    }

    /// The properties of the resources of a type that exist, with their logical names.
    pub(super) fn resources(&self, kind: &str) -> Vec<(&str, Value)> {
        let resources = self.template["Resources"].as_object().unwrap().iter();
        resources
            .filter(|(_, it)| it["Type"] == kind && self.exists(it))
            .map(|(name, it)| (name.as_str(), self.resolved(&it["Properties"])))
            .collect()
    }

    fn exists(&self, part: &Value) -> bool {
        part["Condition"]
            .as_str()
            .is_none_or(|name| self.holds(&self.template["Conditions"][name]))
    }

    fn holds(&self, condition: &Value) -> bool {
        let (function, arguments) = condition.as_object().unwrap().iter().next().unwrap();
        let all = || arguments.as_array().unwrap().iter();
        match function.as_str() {
            "Condition" => self.holds(&self.template["Conditions"][arguments.as_str().unwrap()]),
            "Fn::Equals" => self.resolved(&arguments[0]) == self.resolved(&arguments[1]),
            "Fn::Not" => !self.holds(&arguments[0]),
            "Fn::And" => all().all(|it| self.holds(it)),
            "Fn::Or" => all().any(|it| self.holds(it)),
            other => panic!("{other} is no function of conditions"),
        }
    }

    /// Resolves the functions in a value. Names and ARNs are those that AWS would give.
    pub(super) fn resolved(&self, value: &Value) -> Value {
        let fields = match value {
            Value::Object(fields) => fields,
            Value::Array(values) => {
                let values = values.iter().map(|it| self.resolved(it));
                return values.filter(|it| !it.is_null()).collect();
            }
            other => return other.clone(),
        };
        let only = (fields.len() == 1).then(|| fields.iter().next().unwrap());
        match only.map(|(function, value)| (function.as_str(), value)) {
            Some(("Ref", name)) => self.reference(name.as_str().unwrap()),
            Some(("Fn::GetAtt", of)) => {
                json!(self.attribute(of[0].as_str().unwrap(), of[1].as_str().unwrap()))
            }
            Some(("Fn::If", branches)) => {
                let name = branches[0].as_str().unwrap();
                let holds = self.holds(&self.template["Conditions"][name]);
                self.resolved(&branches[if holds { 1 } else { 2 }])
            }
            Some(("Fn::Sub", Value::String(text))) => json!(self.substituted(text, &Value::Null)),
            Some(("Fn::Sub", both)) => {
                json!(self.substituted(both[0].as_str().unwrap(), &both[1]))
            }
            Some(("Fn::Join", both)) => {
                let parts = self.resolved(&both[1]);
                let parts: Vec<_> = parts.as_array().unwrap().iter().map(text).collect();
                json!(parts.join(both[0].as_str().unwrap()))
            }
            Some(("Fn::Split", both)) => {
                let whole = text(&self.resolved(&both[1]));
                let parts = whole.split(both[0].as_str().unwrap());
                parts.map(|it| json!(it)).collect()
            }
            Some(("Fn::Select", both)) => {
                let index: usize = text(&both[0]).parse().unwrap();
                self.resolved(&both[1])[index].clone()
            }
            _ => {
                let fields = fields.iter();
                let fields = fields.map(|(name, value)| (name.clone(), self.resolved(value)));
                // What is AWS::NoValue is left out.
                fields.filter(|(_, value)| !value.is_null()).collect()
            }
        }
    }

    fn reference(&self, name: &str) -> Value {
        let declared = &self.template["Parameters"][name];
        match name {
            "AWS::NoValue" => Value::Null,
            "AWS::Region" => json!(REGION),
            "AWS::AccountId" => json!(ACCOUNT),
            "AWS::Partition" => json!("aws"),
            "AWS::StackName" => json!(self.name),
            _ if declared.is_object() => {
                let given = self.parameters.get(name).cloned();
                let value = given.unwrap_or_else(|| text(&declared["Default"]));
                match declared["Type"].as_str() {
                    Some("CommaDelimitedList") => value.split(',').map(|it| json!(it)).collect(),
                    _ => json!(value),
                }
            }
            _ => json!(self.physical_name(name)),
        }
    }

    fn substituted(&self, text_with_names: &str, own: &Value) -> String {
        let mut result = String::new();
        let mut rest = text_with_names;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').unwrap();
            result.push_str(before);
            result.push_str(&match (own.get(name), name.split_once('.')) {
                (Some(value), _) => text(&self.resolved(value)),
                (None, Some((resource, attribute))) => self.attribute(resource, attribute),
                (None, None) => text(&self.reference(name)),
            });
            rest = after;
        }
        result + rest
    }

    /// The name that the template gives to a resource. The others get one from CloudFormation.
    fn physical_name(&self, resource: &str) -> String {
        const NAMES: [&str; 7] = [
            "QueueName",
            "FunctionName",
            "TableName",
            "LogGroupName",
            "RoleName",
            "TrailName",
            "Name",
        ];
        let found = &self.template["Resources"][resource];
        assert!(found.is_object(), "the template has no {resource}");
        let properties = &found["Properties"];
        let mut names = NAMES.iter().filter_map(|it| properties.get(it));
        match names.next() {
            Some(name) => text(&self.resolved(name)),
            None => format!("[{resource}]"),
        }
    }

    fn attribute(&self, resource: &str, attribute: &str) -> String {
        let name = self.physical_name(resource);
        let kind = self.template["Resources"][resource]["Type"]
            .as_str()
            .unwrap();
        let scoped =
            |service: &str, rest: &str| format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}");
        match (kind, attribute) {
            (_, "QueueName") => name,
            ("AWS::SQS::Queue", "Arn") => scoped("sqs", &name),
            ("AWS::DynamoDB::Table", "Arn") => scoped("dynamodb", &format!("table/{name}")),
            ("AWS::Lambda::Function", "Arn") => scoped("lambda", &format!("function:{name}")),
            ("AWS::Events::EventBus", "Arn") => scoped("events", &format!("event-bus/{name}")),
            ("AWS::IAM::Role", "Arn") => format!("arn:aws:iam::{ACCOUNT}:role/{name}"),
            (_, _) => format!("[{resource}.{attribute}]"),
        }
    }
}

/// A scalar as text: CloudFormation takes `60` and `"60"` for the same.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
