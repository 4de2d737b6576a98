//! A DynamoDB table in memory. It keeps whole items, evaluates the conditions that the program writes, and counts what
//! each operation costs.
//!
//! It can do what the program needs, and panics at everything else.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::expression::{holds, update};

/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html>
const READ_UNIT: usize = 4 * 1024;
const WRITE_UNIT: usize = 1024;

/// An item as DynamoDB's JSON: `{"id": {"S": "…"}}`.
pub(crate) type Item = Map<String, Value>;

#[derive(Default)]
pub(crate) struct Table {
    items: HashMap<String, Item>,
    costs: TableCosts,
}

/// What was done with the table.
#[derive(Default, Clone, Copy)]
pub(crate) struct TableCosts {
    /// The items that were read, whether they exist or not.
    pub(crate) reads: usize,
    /// The attempts to write an item, successful or not.
    pub(crate) writes: usize,
    /// The writes whose condition was not met.
    pub(crate) conflicts: usize,
    /// A unit is a read of up to 4 kB that is consistent, or two that are not.
    pub(crate) read_units: f64,
    /// A unit is a write of up to 1 kB.
    pub(crate) write_units: usize,
    /// The largest item that was written, in bytes.
    pub(crate) largest: usize,
}

/// The error of a condition that is not met.
pub(crate) struct ConditionFailed;

impl ConditionFailed {
    /// The body of the answer, whose status is 400.
    pub(crate) fn body(&self) -> Value {
        let kind = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
        json!({"__type": kind, "message": "The conditional request failed"})
    }
}

impl Table {
    pub(crate) fn costs(&self) -> TableCosts {
        self.costs
    }

    pub(crate) fn items(&self) -> impl Iterator<Item = &Item> {
        self.items.values()
    }

    /// Answers a call.
    pub(crate) fn answer(&mut self, call: &str, body: &Value) -> Result<Value, ConditionFailed> {
        match call {
            "PutItem" => self.put(body),
            "UpdateItem" => self.update(body),
            "DeleteItem" => self.delete(body),
            "BatchGetItem" => Ok(self.batch_get(body)),
            other => panic!("unexpected call {other}"),
        }
    }

    fn batch_get(&mut self, body: &Value) -> Value {
        let requests = body["RequestItems"].as_object().unwrap();
        let (table, wanted) = requests.iter().next().unwrap();
        let is_consistent = wanted["ConsistentRead"] == true;
        let keys = wanted["Keys"].as_array().unwrap();
        let mut found = Vec::new();
        for key in keys {
            let item = self.items.get(id(&key["id"]));
            let units = item.map_or(1, |item| units(size(item), READ_UNIT));
            self.costs.reads += 1;
            self.costs.read_units += units as f64 * if is_consistent { 1.0 } else { 0.5 };
            found.extend(item.cloned());
        }
        json!({"Responses": {table: found}, "UnprocessedKeys": {}})
    }

    fn put(&mut self, body: &Value) -> Result<Value, ConditionFailed> {
        let item = body["Item"].as_object().unwrap().clone();
        let id = id(&item["id"]).to_owned();
        self.check(&id, body)?;
        self.replace(id, item);
        Ok(json!({}))
    }

    fn update(&mut self, body: &Value) -> Result<Value, ConditionFailed> {
        let id = id(&body["Key"]["id"]).to_owned();
        self.check(&id, body)?;
        let new = || body["Key"].as_object().unwrap().clone();
        let mut item = self.items.get(&id).cloned().unwrap_or_else(new);
        let updated = update(&mut item, body);
        self.replace(id, item);
        Ok(match body["ReturnValues"].as_str() {
            Some("UPDATED_NEW") => json!({"Attributes": updated}),
            Some(other) => panic!("unexpected ReturnValues {other}"),
            None => json!({}),
        })
    }

    fn delete(&mut self, body: &Value) -> Result<Value, ConditionFailed> {
        let id = id(&body["Key"]["id"]).to_owned();
        self.check(&id, body)?;
        let old = self.items.remove(&id);
        self.count_write(old.as_ref().map_or(0, size));
        Ok(json!({}))
    }

    /// A refused write costs as much as the item that is there.
    fn check(&mut self, id: &str, body: &Value) -> Result<(), ConditionFailed> {
        let old = self.items.get(id);
        if holds(old, body) {
            return Ok(());
        }
        let size = old.map_or(0, size);
        self.count_write(size);
        self.costs.conflicts += 1;
        Err(ConditionFailed)
    }

    /// A write costs as much as the larger of the old and the new item.
    fn replace(&mut self, id: String, item: Item) {
        let new = size(&item);
        let old = self.items.insert(id, item);
        self.costs.largest = self.costs.largest.max(new);
        self.count_write(new.max(old.as_ref().map_or(0, size)));
    }

    fn count_write(&mut self, size: usize) {
        self.costs.writes += 1;
        self.costs.write_units += units(size, WRITE_UNIT);
    }
}

fn id(value: &Value) -> &str {
    value["S"].as_str().unwrap()
}

fn units(size: usize, unit: usize) -> usize {
    size.div_ceil(unit).max(1)
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>
fn size(item: &Item) -> usize {
    let size = |value: &Value| {
        let (kind, value) = value.as_object().unwrap().iter().next().unwrap();
        let text = value.as_str().unwrap();
        match kind.as_str() {
            "S" => text.len(),
            "N" => text.len().div_ceil(2) + 1,
            // Base64.
            "B" => text.len() / 4 * 3 - text.bytes().rev().take_while(|it| *it == b'=').count(),
            other => panic!("unexpected type {other}"),
        }
    };
    item.iter()
        .map(|(name, value)| name.len() + size(value))
        .sum()
}
