//! DynamoDB's expressions, as far as the program uses them.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html>

use std::cmp::Ordering;

use serde_json::Value;

use super::table::Item;

/// Whether the condition of a request is met. A request without one always is.
pub(crate) fn holds(item: Option<&Item>, request: &Value) -> bool {
    let Some(condition) = request["ConditionExpression"].as_str() else {
        return true;
    };
    let mut parser = Parser {
        tokens: tokens(condition),
        item,
        request,
    };
    let holds = parser.any();
    assert!(parser.tokens.is_empty(), "not read to its end: {condition}");
    holds
}

/// Applies an UpdateExpression with SET, REMOVE and ADD. Returns the attributes that it has written.
pub(crate) fn update(item: &mut Item, request: &Value) -> Item {
    let mut updated = Item::new();
    let mut tokens = tokens(request["UpdateExpression"].as_str().unwrap());
    let mut clause = String::new();
    while !tokens.is_empty() {
        let token = tokens.remove(0);
        if ["SET", "REMOVE", "ADD"].contains(&token.as_str()) {
            clause = token;
            continue;
        }
        if token == "," {
            continue;
        }
        let name = name_of(&token, request).to_owned();
        if clause == "REMOVE" {
            item.remove(&name);
            continue;
        }
        if clause == "SET" {
            assert_eq!(tokens.remove(0), "=");
        }
        let mut value = request["ExpressionAttributeValues"][tokens.remove(0)].clone();
        if clause == "ADD" {
            let old = item.get(&name).map_or(0, number);
            value = serde_json::json!({"N": (old + number(&value)).to_string()});
        }
        updated.insert(name.clone(), value.clone());
        item.insert(name, value);
    }
    updated
}

/// Words, `=` and the like, brackets and commas.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut last = ' ';
    for c in text.chars() {
        let kind = |c: char| match c {
            '=' | '<' | '>' => '=',
            ' ' | '(' | ')' | ',' => c,
            _ => 'a',
        };
        let continues = kind(c) == kind(last) && ['=', 'a'].contains(&kind(c));
        match tokens.last_mut() {
            Some(token) if continues => String::push(token, c),
            _ if c == ' ' => {}
            _ => tokens.push(c.to_string()),
        }
        last = c;
    }
    tokens
}

struct Parser<'a> {
    tokens: Vec<String>,
    item: Option<&'a Item>,
    request: &'a Value,
}

impl<'a> Parser<'a> {
    fn any(&mut self) -> bool {
        let mut holds = self.all();
        while self.accept("OR") {
            holds |= self.all();
        }
        holds
    }

    fn all(&mut self) -> bool {
        let mut holds = self.one();
        while self.accept("AND") {
            holds &= self.one();
        }
        holds
    }

    fn one(&mut self) -> bool {
        if self.accept("(") {
            let holds = self.any();
            self.expect(")");
            return holds;
        }
        let first = self.tokens.remove(0);
        if first == "attribute_not_exists" {
            self.expect("(");
            let name = self.tokens.remove(0);
            self.expect(")");
            return self.operand(&name).is_none();
        }
        let operator = self.tokens.remove(0);
        let second = self.tokens.remove(0);
        let order = match (self.operand(&first), self.operand(&second)) {
            (Some(first), Some(second)) => compare(first, second),
            // An attribute that does not exist is not equal to anything, and not less.
            _ => return false,
        };
        match operator.as_str() {
            "=" => order == Some(Ordering::Equal),
            "<" => order == Some(Ordering::Less),
            other => panic!("unexpected operator {other}"),
        }
    }

    fn operand(&self, text: &str) -> Option<&'a Value> {
        match text.starts_with(':') {
            true => Some(&self.request["ExpressionAttributeValues"][text]),
            false => self.item?.get(name_of(text, self.request)),
        }
    }

    fn accept(&mut self, token: &str) -> bool {
        let is_next = self.tokens.first().is_some_and(|it| it == token);
        if is_next {
            self.tokens.remove(0);
        }
        is_next
    }

    fn expect(&mut self, token: &str) {
        assert!(self.accept(token), "no {token} before {:?}", self.tokens);
    }
}

fn name_of<'a>(text: &'a str, request: &'a Value) -> &'a str {
    match text.starts_with('#') {
        true => request["ExpressionAttributeNames"][text].as_str().unwrap(),
        false => text,
    }
}

/// Values of different types are never equal.
fn compare(one: &Value, other: &Value) -> Option<Ordering> {
    match (one.get("S"), other.get("S")) {
        (Some(one), Some(other)) => Some(one.as_str().cmp(&other.as_str())),
        (None, None) => Some(number(one).cmp(&number(other))),
        _ => None,
    }
}

fn number(value: &Value) -> i64 {
    value["N"].as_str().unwrap().parse().unwrap()
}
