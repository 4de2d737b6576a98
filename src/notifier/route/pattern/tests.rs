//! Tests of the language. The facts are those of the EventBridge user guide ("Comparison operators for use in event
//! patterns") and of the README of `aws/event-ruler`, with other values.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn is_match(pattern: Value, event: Value) -> bool {
    let read = Pattern::read(&pattern);
    read.unwrap_or_else(|error| panic!("{pattern}: {error}"))
        .matches(
            &FieldValues::of_event(&event),
            UnknownField::CountsAsMismatch,
        )
}

/// Each operator, with an event that matches and one that does not.
#[test]
fn each_operator_does_what_aws_documents() {
    for (pattern, matching, other) in [
        // And: all fields. Or: any value of a list.
        (
            json!({"city": ["Oslo"], "day": ["Friday"]}),
            json!({"city": "Oslo", "day": "Friday", "more": 1}),
            json!({"city": "Oslo", "day": "Monday"}),
        ),
        (
            json!({"pay": ["cash", "card"]}),
            json!({"pay": "card"}),
            json!({"pay": "cheque"}),
        ),
        // Values: text, empty text, number, true, false and null are different.
        (json!({"n": [""]}), json!({"n": ""}), json!({"n": null})),
        (json!({"n": [null]}), json!({"n": null}), json!({"n": ""})),
        (json!({"n": [null]}), json!({"n": null}), json!({})),
        (json!({"n": [7]}), json!({"n": 7.0}), json!({"n": "7"})),
        (json!({"n": [3e2]}), json!({"n": 300}), json!({"n": 301})),
        (
            json!({"n": [true]}),
            json!({"n": true}),
            json!({"n": "true"}),
        ),
        (
            json!({"n": [false]}),
            json!({"n": false}),
            json!({"n": true}),
        ),
        (
            json!({"n": ["Oslo"]}),
            json!({"n": "Oslo"}),
            json!({"n": "oslo"}),
        ),
        // Nested objects, and the same with dots.
        (
            json!({"detail": {"state": ["up"]}}),
            json!({"detail": {"state": "up"}}),
            json!({"state": "up"}),
        ),
        (
            json!({"detail.state": ["up"]}),
            json!({"detail": {"state": "up"}}),
            json!({"detail": "up"}),
        ),
        // A field with several values matches if one of them does.
        (
            json!({"disks": ["c", "d"]}),
            json!({"disks": ["a", "d"]}),
            json!({"disks": ["a", "b"]}),
        ),
        (
            json!({"disks": ["c"]}),
            json!({"disks": ["c"]}),
            json!({"disks": []}),
        ),
        (
            json!({"staff": {"name": ["Noor"]}}),
            json!({"staff": [{"name": "Maya"}, {"name": "Noor"}]}),
            json!({"staff": [{"name": "Maya"}]}),
        ),
        // prefix
        (
            json!({"day": [{"prefix": "2026-11"}]}),
            json!({"day": "2026-11-22"}),
            json!({"day": "2026-12-11"}),
        ),
        (
            json!({"n": [{"prefix": "1"}]}),
            json!({"n": "12"}),
            json!({"n": 12}),
        ),
        (json!({"n": [{"prefix": ""}]}), json!({"n": "x"}), json!({})),
        (
            json!({"n": [{"prefix": {"equals-ignore-case": "EventB"}}]}),
            json!({"n": "eVENTbridge"}),
            json!({"n": "event"}),
        ),
        // suffix
        (
            json!({"file": [{"suffix": ".jpg"}]}),
            json!({"file": "a.jpg"}),
            json!({"file": "a.JPG"}),
        ),
        (
            json!({"file": [{"suffix": {"equals-ignore-case": ".jpg"}}]}),
            json!({"file": "a.JPG"}),
            json!({"file": "a.jpeg"}),
        ),
        // equals-ignore-case
        (
            json!({"n": [{"equals-ignore-case": "oslo"}]}),
            json!({"n": "OSLO"}),
            json!({"n": "OSL"}),
        ),
        (
            json!({"n": [{"equals-ignore-case": "ÅRHUS"}]}),
            json!({"n": "århus"}),
            json!({"n": "arhus"}),
        ),
        // wildcard
        (
            json!({"file": [{"wildcard": "dir/*.jpg"}]}),
            json!({"file": "dir/a/b.jpg"}),
            json!({"file": "/dir/a.jpg"}),
        ),
        (
            json!({"n": [{"wildcard": "*"}]}),
            json!({"n": ""}),
            json!({"n": 1}),
        ),
        (
            json!({"n": [{"wildcard": "a"}]}),
            json!({"n": "a"}),
            json!({"n": "ab"}),
        ),
        (
            json!({"n": [{"wildcard": "*a*a*"}]}),
            json!({"n": "banana"}),
            json!({"n": "ba"}),
        ),
        (
            json!({"n": [{"wildcard": "a*a"}]}),
            json!({"n": "aa"}),
            json!({"n": "a"}),
        ),
        (
            json!({"n": [{"wildcard": "a\\*b\\\\*"}]}),
            json!({"n": "a*b\\c"}),
            json!({"n": "axb\\c"}),
        ),
        // anything-but: the field must be there
        (
            json!({"state": [{"anything-but": "starting"}]}),
            json!({"state": "running"}),
            json!({"state": "starting"}),
        ),
        (
            json!({"state": [{"anything-but": "starting"}]}),
            json!({"state": null}),
            json!({}),
        ),
        (
            json!({"state": [{"anything-but": ["a", "b"]}]}),
            json!({"state": "c"}),
            json!({"state": "b"}),
        ),
        (
            json!({"n": [{"anything-but": 5}]}),
            json!({"n": "5"}),
            json!({"n": 5.0}),
        ),
        (
            json!({"n": [{"anything-but": [1, 2]}]}),
            json!({"n": 3}),
            json!({"n": 2}),
        ),
        // Of several values one that is something else is enough.
        (
            json!({"n": [{"anything-but": ["a", "b"]}]}),
            json!({"n": ["a", "c"]}),
            json!({"n": ["a", "b"]}),
        ),
        (
            json!({"n": [{"anything-but": {"prefix": "us-"}}]}),
            json!({"n": "eu-west-1"}),
            json!({"n": "us-east-1"}),
        ),
        (
            json!({"n": [{"anything-but": {"prefix": ["us-", "eu-"]}}]}),
            json!({"n": "ap-south-1"}),
            json!({"n": "eu-west-1"}),
        ),
        (
            json!({"n": [{"anything-but": {"prefix": {"equals-ignore-case": "US-"}}}]}),
            json!({"n": "eu-west-1"}),
            json!({"n": "us-east-1"}),
        ),
        (
            json!({"n": [{"anything-but": {"suffix": [".jpg", ".png"]}}]}),
            json!({"n": "a.gif"}),
            json!({"n": "a.png"}),
        ),
        (
            json!({"n": [{"anything-but": {"wildcard": "*/lib/*"}}]}),
            json!({"n": "a/bin/b"}),
            json!({"n": "a/lib/b"}),
        ),
        (
            json!({"n": [{"anything-but": {"wildcard": ["*x*", "y*"]}}]}),
            json!({"n": "zy"}),
            json!({"n": "axb"}),
        ),
        (
            json!({"n": [{"anything-but": {"equals-ignore-case": "Starting"}}]}),
            json!({"n": "start"}),
            json!({"n": "STARTING"}),
        ),
        (
            json!({"n": [{"anything-but": {"equals-ignore-case": ["a", "b"]}}]}),
            json!({"n": 1}),
            json!({"n": "B"}),
        ),
        // exists
        (
            json!({"n": [{"exists": true}]}),
            json!({"n": null}),
            json!({"m": 1}),
        ),
        (
            json!({"n": [{"exists": false}]}),
            json!({"m": 1}),
            json!({"n": 0}),
        ),
        // It works on leaves only.
        (
            json!({"n": [{"exists": false}]}),
            json!({"n": {"m": 1}}),
            json!({"n": 1}),
        ),
        (
            json!({"n": [{"exists": false}, "x"]}),
            json!({}),
            json!({"n": "y"}),
        ),
        // numeric
        (
            json!({"n": [{"numeric": ["=", 3.5]}]}),
            json!({"n": 3.5}),
            json!({"n": 3}),
        ),
        (
            json!({"n": [{"numeric": ["<", 10]}]}),
            json!({"n": 9.9}),
            json!({"n": 10}),
        ),
        (
            json!({"n": [{"numeric": ["<=", 10]}]}),
            json!({"n": 10}),
            json!({"n": 10.1}),
        ),
        (
            json!({"n": [{"numeric": [">", 10]}]}),
            json!({"n": 11}),
            json!({"n": 10}),
        ),
        (
            json!({"n": [{"numeric": [">=", 10]}]}),
            json!({"n": 10}),
            json!({"n": 9}),
        ),
        (
            json!({"n": [{"numeric": [">", 0, "<=", 5]}]}),
            json!({"n": 5}),
            json!({"n": 0}),
        ),
        (
            json!({"n": [{"numeric": [">", 0]}]}),
            json!({"n": 1}),
            json!({"n": "1"}),
        ),
        // $or
        (
            json!({"$or": [{"city": ["Oslo"]}, {"day": ["Friday"]}]}),
            json!({"city": "Rome", "day": "Friday"}),
            json!({"city": "Rome", "day": "Monday"}),
        ),
        (
            json!({"n": [1], "$or": [{"a": [1]}, {"b": [1], "$or": [{"c": [1]}, {"d": [1]}]}]}),
            json!({"n": 1, "b": 1, "d": 1}),
            json!({"n": 1, "b": 1}),
        ),
        (
            json!({"$or": [{"a": [1]}, {"b": [1]}], "detail": {"$or": [{"c": [1]}, {"d": [1]}]}}),
            json!({"a": 1, "detail": {"d": 1}}),
            json!({"a": 1, "d": 1}),
        ),
    ] {
        assert!(
            is_match(pattern.clone(), matching.clone()),
            "{pattern} {matching}"
        );
        assert!(
            !is_match(pattern.clone(), other.clone()),
            "{pattern} {other}"
        );
    }
}

/// The pattern of the user guide's and the README's summary: all operators together.
#[test]
fn operators_are_combined() {
    let pattern = json!({
        "time": [{"prefix": "2026-11-22"}],
        "detail": {
            "state": [{"anything-but": "starting"}],
            "count": [{"numeric": [">", 0, "<=", 5]}],
            "limit": [{"anything-but": [100, 200, 300]}],
        }
    });
    let event = |count: u32| {
        let detail = json!({"state": "running", "count": count, "limit": 301.8});
        json!({"time": "2026-11-22T16:24:49Z", "detail": detail})
    };
    assert!(is_match(pattern.clone(), event(5)));
    assert!(!is_match(pattern, event(6)));
}

#[test]
fn what_is_wrong_is_named_by_its_path() {
    for (pattern, expected) in [
        (json!([]), ": not an object"),
        (json!({}), ": it is empty"),
        (json!({"tags": {}}), "tags: it is empty"),
        (json!({"cluster": "prod"}), "cluster: not a list"),
        (
            json!({"cluster": []}),
            "cluster: an empty list matches nothing",
        ),
        (
            json!({"cluster": ["a", ["b"]]}),
            "cluster[1]: a list within a list",
        ),
        (
            json!({"cluster": [{}]}),
            "cluster[0]: an object must have one operator",
        ),
        (
            json!({"cluster": [{"prefix": "a", "suffix": "b"}]}),
            "cluster[0]: an object must have one operator",
        ),
        (
            json!({"cluster": [{"prefx": "a"}]}),
            "cluster[0].prefx: not an operator",
        ),
        (
            json!({"cluster": [{"cidr": "10.0.0.0/8"}]}),
            "cluster[0].cidr: `cidr` is not supported, because no field is an address",
        ),
        (
            json!({"cluster": [{"prefix": 1}]}),
            "cluster[0].prefix: not what `prefix` takes",
        ),
        (
            json!({"cluster": [{"prefix": {"suffix": "a"}}]}),
            "cluster[0].prefix: not what `prefix` takes",
        ),
        (
            json!({"cluster": [{"exists": "yes"}]}),
            "cluster[0].exists: not what `exists` takes",
        ),
        (
            json!({"cluster": [{"wildcard": "a**"}]}),
            "cluster[0].wildcard: two `*` in a row",
        ),
        (
            json!({"cluster": [{"wildcard": "a\\d"}]}),
            "cluster[0].wildcard: a `\\` before something other than `*` and `\\`",
        ),
        (
            json!({"cluster": [{"wildcard": "a\\"}]}),
            "cluster[0].wildcard: a `\\` before something other than `*` and `\\`",
        ),
        (
            json!({"cluster": [{"anything-but": []}]}),
            "cluster[0].anything-but: not what `anything-but` takes",
        ),
        (
            json!({"cluster": [{"anything-but": ["a", 1]}]}),
            "cluster[0].anything-but: not what `anything-but` takes",
        ),
        (
            json!({"cluster": [{"anything-but": true}]}),
            "cluster[0].anything-but: not what `anything-but` takes",
        ),
        (
            json!({"cluster": [{"anything-but": {"exists": true}}]}),
            "cluster[0].anything-but: not what `anything-but` takes",
        ),
        (
            json!({"n": [{"numeric": ["<>", 1]}]}),
            "n[0].numeric: not a comparison of numbers",
        ),
        (
            json!({"n": [{"numeric": [">"]}]}),
            "n[0].numeric: not a comparison of numbers",
        ),
        (
            json!({"n": [{"numeric": ["<", 5, ">", 0]}]}),
            "n[0].numeric: not a lower and an upper bound",
        ),
        (
            json!({"n": [{"numeric": [">", 5, "<", 5]}]}),
            "n[0].numeric: no number is in this range",
        ),
        (
            json!({"n": [{"numeric": [">", 5.1e9]}]}),
            "n[0].numeric: EventBridge compares numbers between -5000000000 and 5000000000",
        ),
        (json!({"$or": [{"a": [1]}]}), "$or: not a list of patterns"),
        (json!({"$or": {"a": [1]}}), "$or: not a list of patterns"),
        (json!({"$or": [{"a": [1]}, 7]}), "$or[1]: not an object"),
        (
            json!({"$or": [{"a": [1]}, {"b": 1}]}),
            "$or[1].b: not a list",
        ),
        (
            json!({"a": ["x".repeat(5_000)]}),
            ": it is longer than 4096 characters",
        ),
    ] {
        let error = Pattern::read(&pattern).unwrap_err();
        assert_eq!(error.to_string(), expected, "{pattern}");
    }
}

#[test]
fn a_pattern_is_bounded() {
    let deep = (0..9).fold(json!(["x"]), |inner, _| json!({"a": inner}));
    let error = Pattern::read(&deep).unwrap_err();
    assert_eq!(error.problem, PatternProblem::TooDeep);
    let or = json!([{"a": [1]}, {"b": [1]}]);
    let many = |count: usize| {
        let nested = (0..count).map(|it| (format!("{it}"), json!({"$or": or.clone()})));
        Value::Object(nested.collect())
    };
    assert!(Pattern::read(&many(9)).is_ok());
    let error = Pattern::read(&many(10)).unwrap_err();
    assert_eq!(error.problem, PatternProblem::TooManyCombinations(1_000));
}

#[test]
fn alternatives_are_all_combinations() {
    let pattern =
        json!({"a": [1], "$or": [{"b": [1]}, {"c": [1], "$or": [{"d": [1]}, {"e": [1]}]}]});
    let pattern = Pattern::read(&pattern).unwrap();
    let alternatives = pattern.alternatives();
    let named = alternatives.iter().map(|it| {
        let mut names: Vec<_> = it.iter().map(|it| it.field).collect();
        names.sort_unstable();
        names.concat()
    });
    let mut named: Vec<_> = named.collect();
    named.sort();
    assert_eq!(named, ["ab", "acd", "ace"]);
}

/// A wildcard, by the definition: a `*` stands for nothing, or for one character more.
fn matches_slowly(pattern: &[char], text: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('*', rest)) => {
            matches_slowly(rest, text)
                || text
                    .split_first()
                    .is_some_and(|(_, text)| matches_slowly(pattern, text))
        }
        Some((first, rest)) => text
            .split_first()
            .is_some_and(|(it, text)| it == first && matches_slowly(rest, text)),
    }
}

proptest! {
    #[test]
    fn a_wildcard_matches_what_its_definition_says(
        pattern in "[ab*é]{0,8}",
        text in "[abé]{0,10}",
    ) {
        prop_assume!(!pattern.contains("**"));
        let characters = |text: &str| text.chars().collect::<Vec<_>>();
        let expected = matches_slowly(&characters(&pattern), &characters(&text));
        prop_assert_eq!(Wildcard::read(&pattern).unwrap().matches(&text), expected);
    }
}

/// This would take longer than the age of the universe if each wildcard were tried at each place.
#[test]
fn many_wildcards_take_little_time() {
    let pattern = "*a".repeat(1_000) + "*b";
    let text = "a".repeat(100_000);
    assert!(!Wildcard::read(&pattern).unwrap().matches(&text));
}
