//! Reads single YAML nodes the way Serverless reads them.

use saphyr::{MarkedYaml, Scalar, YamlData};
use serde_json::{Map, Value};

/// Reads a switch like Serverless's `strToBool`.
pub(super) fn switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// Whether this is a Serverless variable or a CloudFormation function. Its value is not known here.
pub(super) fn is_unknown(node: &MarkedYaml<'_>) -> bool {
    match &node.data {
        YamlData::Value(Scalar::String(text)) => text.contains("${"),
        YamlData::Tagged(..) | YamlData::Alias(_) | YamlData::BadValue => true,
        YamlData::Value(_) | YamlData::Representation(..) | YamlData::Sequence(_) => false,
        YamlData::Mapping(mapping) => match mapping.iter().next() {
            Some((key, _)) if mapping.len() == 1 => scalar(key).is_some_and(|it| is_function(&it)),
            Some(_) | None => false,
        },
    }
}

/// Whether this is the key of a CloudFormation function in its long form, `Ref: Topic`.
fn is_function(key: &str) -> bool {
    key == "Ref" || key.starts_with("Fn::")
}

/// The text that Serverless puts into the environment for this value.
pub(super) fn scalar(node: &MarkedYaml<'_>) -> Option<String> {
    match &node.data {
        YamlData::Value(Scalar::String(text)) => Some(text.to_string()),
        YamlData::Value(Scalar::Boolean(is_on)) => Some(is_on.to_string()),
        YamlData::Value(Scalar::Integer(number)) => Some(number.to_string()),
        YamlData::Value(Scalar::FloatingPoint(number)) => Some(number.to_string()),
        YamlData::Representation(text, ..) => Some(text.to_string()),
        YamlData::Value(Scalar::Null)
        | YamlData::Sequence(_)
        | YamlData::Mapping(_)
        | YamlData::Tagged(..)
        | YamlData::Alias(_)
        | YamlData::BadValue => None,
    }
}

/// The entries of a list or of a mapping as one text, as `deploy/serverless/arns.js` writes it: `NAME: VALUE`, one on each
/// line. None where a part of it is not known here.
pub(super) fn entries(node: &MarkedYaml<'_>) -> Option<String> {
    if is_unknown(node) {
        return None;
    }
    let lines: Option<Vec<_>> = match &node.data {
        YamlData::Sequence(items) => items.iter().map(entries).collect(),
        YamlData::Mapping(mapping) => mapping
            .iter()
            .map(|(key, value)| {
                let value = scalar(value).filter(|_| !is_unknown(value))?;
                Some(format!("{}: {value}", scalar(key)?))
            })
            .collect(),
        _ => return scalar(node),
    };
    Some(lines?.join("\n"))
}

/// A list or a mapping as Serverless puts it into the environment: JSON. None where a part of it is not known here.
pub(super) fn json(node: &MarkedYaml<'_>) -> Option<Value> {
    if is_unknown(node) {
        return None;
    }
    match &node.data {
        YamlData::Sequence(items) => items
            .iter()
            .map(json)
            .collect::<Option<_>>()
            .map(Value::Array),
        YamlData::Mapping(mapping) => {
            let entries = mapping
                .iter()
                .map(|(key, value)| Some((scalar(key)?, json(value)?)));
            entries.collect::<Option<Map<_, _>>>().map(Value::Object)
        }
        YamlData::Value(Scalar::Null) => Some(Value::Null),
        YamlData::Value(Scalar::Boolean(is_on)) => Some(Value::from(*is_on)),
        YamlData::Value(Scalar::Integer(number)) => Some(Value::from(*number)),
        _ => scalar(node).map(Value::from),
    }
}
