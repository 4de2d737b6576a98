//! `replay --output html` in a browser: the page shows what `--output json` says that the channel showed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ecs_parrot::notifier::channel::{Capabilities, ChannelType};
use serde_json::{Value, json};
use strum::VariantArray as _;

use crate::tools;

fn story(name: &str) -> PathBuf {
    tools::root().join(format!("samples/stories/{name}.json"))
}

fn replay(input: &Path, channel: &str, output: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_ecs-parrot"))
        .args(["replay", "--channel", channel, "--output", output])
        .arg(input)
        .env_clear()
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", tools::output_text(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// A replay as a file with its page, and as the lines of `--output json`.
struct Played {
    folder: tempfile::TempDir,
    lines: Vec<Value>,
}

impl Played {
    fn new(input: &Path, channel: &str) -> Self {
        let folder = tools::scratch();
        let html = replay(input, channel, "html");
        fs::write(folder.path().join("page.html"), html).unwrap();
        let lines = replay(input, channel, "json");
        let lines = lines.lines().map(|it| serde_json::from_str(it).unwrap());
        Self {
            lines: lines.collect(),
            folder,
        }
    }

    fn page(&self) -> PathBuf {
        self.folder.path().join("page.html")
    }

    /// What a reader of the page sees, after these clicks.
    fn see<const N: usize>(&self, clicked: &[&str], selectors: [&str; N]) -> [Vec<String>; N] {
        tools::visible_texts(&self.page(), clicked, selectors)
    }

    /// The lines with one of these actions.
    fn actions<'a>(&'a self, actions: &[&str]) -> Vec<&'a Value> {
        let lines = self.lines.iter();
        let is_one = |line: &&Value| actions.contains(&line["action"].as_str().unwrap());
        lines.filter(is_one).collect()
    }
}

fn headlines(lines: &[&Value]) -> Vec<String> {
    let headline = |it: &&Value| it["headline"].as_str().unwrap().to_owned();
    lines.iter().map(headline).collect()
}

/// `14:20:24`
fn times(lines: &[&Value]) -> Vec<String> {
    let time = |it: &&Value| it["at"].as_str().unwrap()[11..19].to_owned();
    lines.iter().map(time).collect()
}

#[test]
fn a_message_shows_its_last_state_with_its_replies_below_it() {
    let played = Played::new(&story("crash-loop"), "slack_app");
    let replies = played.actions(&["reply", "broadcast"]);
    let states = played.actions(&["post", "update"]);
    let last = *states.last().unwrap();
    assert!(replies.len() > 3 && states.len() > 52, "{:?}", played.lines);
    let [posts, edited, below, marks, summary] = played.see(
        &[],
        [
            "article.post > .message > .headline",
            "#message-1 .edited",
            "#message-1 > .replies > .reply > .message > .headline",
            "#message-1 > .replies > summary",
            "header span",
        ],
    );
    assert_eq!(posts, headlines(&[last]));
    let last_edit = times(&[last]).remove(0);
    assert_eq!(edited, [format!("(edited, {last_edit})")]);
    assert_eq!(below, headlines(&replies));
    let count = replies.len();
    let last_reply = times(&replies).pop().unwrap();
    assert_eq!(
        marks,
        [format!("{count} replies, the last at {last_reply}")]
    );
    let edits = states.len() - 1;
    assert_eq!(
        summary[..4],
        [
            "slack_app".to_owned(),
            "1 message".to_owned(),
            format!("{count} replies"),
            format!("{edits} edits"),
        ]
    );
}

#[test]
fn a_broadcast_is_in_the_thread_and_in_the_channel() {
    let played = Played::new(&story("hook-waits"), "slack_app");
    let broadcasts = played.actions(&["broadcast"]);
    let in_channel = played.actions(&["post", "broadcast"]);
    assert!(!broadcasts.is_empty());
    let [headlines_seen, marks, marks_below, senders] = played.see(
        &[],
        [
            "article.broadcast > .message > .headline",
            "article.broadcast > .mark > a[href='#message-1']",
            "#message-1 .reply .mark",
            "article > .message > .sender",
        ],
    );
    assert_eq!(headlines_seen, headlines(&broadcasts));
    assert_eq!(marks, vec!["replied to a thread"; broadcasts.len()]);
    assert_eq!(
        marks_below,
        vec!["also sent to the channel"; broadcasts.len()]
    );
    let in_order = times(&in_channel).into_iter();
    let in_order: Vec<_> = in_order.map(|it| format!("ecs-parrot {it}")).collect();
    assert_eq!(senders, in_order);
}

/// The first state and the last 50 edits.
#[test]
fn the_history_of_a_message_opens_on_a_click() {
    const KEPT: usize = 50;
    let played = Played::new(&story("crash-loop"), "slack_app");
    let selectors = [".edits .edit", ".edits .left-out", ".edits li:first-child"];
    assert_eq!(played.see(&[], selectors), [[""; 0]; 3]);
    let [edits, left_out, first] = played.see(&["#message-1 > .edits > summary"], selectors);
    let updates = played.actions(&["update"]);
    let line = |lines: &[&Value]| {
        let lines = times(lines).into_iter().zip(headlines(lines));
        lines
            .map(|(time, headline)| format!("{time} {headline}"))
            .collect::<Vec<_>>()
    };
    let before = updates.len() - KEPT;
    assert_eq!(edits, line(&updates[before..]));
    assert_eq!(left_out, [format!("({before} earlier edits)")]);
    assert_eq!(first, line(&played.actions(&["post"])));
}

#[test]
fn a_channel_without_edits_and_replies_has_messages_only() {
    let types = ChannelType::VARIANTS.iter();
    let none = Capabilities {
        edits: false,
        replies: false,
    };
    let can_nothing = |it: &&ChannelType| it.definition().capabilities == none;
    let types: Vec<_> = types.filter(can_nothing).collect();
    assert!(types.len() > 2, "{types:?}");
    for channel_type in types {
        let name = channel_type.to_string();
        let played = Played::new(&story("crash-loop"), &name);
        let own = format!("article.post.{name} > .message > .headline");
        let [posts, senders, others] = played.see(
            &[],
            [
                &own,
                "article > .message > .sender",
                "article.broadcast, .reply, .edited",
            ],
        );
        let lines: Vec<_> = played.lines.iter().collect();
        assert!(lines.len() > 3, "{name}");
        assert_eq!(posts, headlines(&lines), "{name}");
        let times = times(&lines);
        let mut shown = senders.iter().zip(&times);
        assert_eq!(senders.len(), times.len(), "{name}");
        assert!(
            shown.all(|(sender, time)| sender.ends_with(time)),
            "{senders:?}"
        );
        assert_eq!(others, [""; 0], "{name}");
    }
}

#[test]
fn a_filter_hides_the_other_messages() {
    let played = Played::new(&story("crash-loop"), "terminal");
    let [posts] = played.see(&["#severity-success"], ["article .headline"]);
    let is_success = |it: &&Value| it["severity"] == "success";
    let successes: Vec<_> = played.lines.iter().filter(is_success).collect();
    assert!(!successes.is_empty() && successes.len() < played.lines.len());
    assert_eq!(posts, headlines(&successes));
}

#[test]
fn messages_are_grouped_by_day() {
    let played = Played::new(&tools::root().join("samples/stories"), "terminal");
    let day = |it: &Value| it["at"].as_str().unwrap()[..10].to_owned();
    let mut days: Vec<_> = played.lines.iter().map(day).collect();
    days.dedup();
    let [titles] = played.see(&[], [".day > h2"]);
    assert!(titles.len() > 3, "{titles:?}");
    assert_eq!(titles.len(), days.len());
    assert!(
        titles.contains(&"Friday, 13 November 2026".to_owned()),
        "{titles:?}"
    );
}

#[test]
fn the_page_is_one_complete_document() {
    for (story_name, shows_something) in [
        ("zone-outage", true),
        ("rebalancing-and-autoscaling", false),
    ] {
        let html = replay(&story(story_name), "slack_app", "html");
        assert!(html.starts_with("<!doctype html>\n<html lang=\"en\">"));
        assert!(html.trim_end().ends_with("</html>"), "{html}");
        for element in ["html", "head", "style", "body", "main"] {
            let ends = html.matches(&format!("</{element}>")).count();
            assert_eq!(ends, 1, "{element}");
        }
        assert_eq!(html.contains("<article"), shows_something, "{html}");
        assert_ne!(
            html.contains("The channel showed nothing."),
            shows_something
        );
        assert!(!html.contains("{{") && !html.contains("{%"), "{html}");
        for address in ["src=", "<link", "<script", "url(", "@import"] {
            assert!(!html.contains(address), "{address}");
        }
    }
}

/// The page shows a hostile name as text, also in a thread and in a history.
#[test]
fn nothing_in_an_event_runs_in_the_browser() {
    let run = "</pre></title><script>document.title='pwned'</script><img src=x onerror=\"document.title='pwned'\">";
    let folder = tools::scratch();
    let input = folder.path().join("hostile.json");
    let events = fs::read_to_string(story("crash-loop")).unwrap();
    // The other events name the service in an ARN, which cannot contain such a text.
    let events = events
        .lines()
        .filter(|it| it.contains("\"ECS Task State Change\""));
    let events: String = events.map(|line| hostile(line, run)).collect();
    fs::write(&input, events).unwrap();
    for (channel, clicked) in [
        ("slack_app", ["#message-1 > .edits > summary"].as_slice()),
        ("terminal", &[]),
    ] {
        let played = Played::new(&input, channel);
        let [headlines, states] = played.see(clicked, [".headline", ".edit"]);
        assert!(headlines.len() > 3, "{headlines:?}");
        assert_eq!(states.is_empty(), clicked.is_empty());
        for text in headlines.iter().chain(&states) {
            assert!(text.contains("<img src=x onerror="), "{text}");
        }
        let dom = tools::browse(&played.page(), &[]);
        assert!(dom.contains("<title>ecs-parrot replay</title>"), "{dom}");
        for element in [
            "<script",
            "<img",
            "<svg",
            "href=\"javascript",
            "pwned'</script>",
        ] {
            assert!(!dom.contains(element), "{element}: {dom}");
        }
    }
}

/// The event with a hostile service and hostile reasons.
fn hostile(line: &str, text: &str) -> String {
    let mut event: Value = serde_json::from_str(line).unwrap();
    for (field, value) in [
        ("/detail/group", format!("service:{text}")),
        ("/detail/stoppedReason", text.to_owned()),
        ("/detail/containers/0/reason", text.to_owned()),
        ("/detail/containers/0/image", text.to_owned()),
        ("/region", text.to_owned()),
    ] {
        if let Some(old) = event.pointer_mut(field) {
            *old = json!(value);
        }
    }
    event.to_string() + "\n"
}
