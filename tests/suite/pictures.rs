//! The pictures of docs/channels.md: one message as the page of a preview shows it for each type of channel.
//!
//! `UPDATE_PICTURES=1 cargo test --test suite pictures::` takes them anew. Without it the tests only check that each type
//! has its picture, because fonts differ between machines.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ecs_parrot::notifier::channel::ChannelType;
use strum::VariantArray as _;

use crate::tools;

/// Without a folder of this machine, because the page shows the path.
const SAMPLE: &str = "samples/task_stopped-out-of-memory.json";

/// Wide enough for one message, and high enough for all its lines.
const SIZE: [&str; 2] = ["760", "470"];

/// The browser of the tests has no font with emoji, so that the marks of severities become discs of the same colour.
const MARKS: [(&str, &str); 2] = [("🔴", "#dd2e44"), ("🟠", "#f4900c")];

fn picture(channel_type: ChannelType) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures");
    folder.join(format!("{channel_type}.png"))
}

/// The page of one message, as one type of channel shows it.
fn page(channel_type: ChannelType) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_ecs-parrot"))
        .args(["preview", "--output", "html", "--channel"])
        .arg(channel_type.to_string())
        .arg(SAMPLE)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_clear()
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", tools::output_text(&output));
    let html = String::from_utf8(output.stdout).unwrap();
    MARKS.iter().fold(html, |html, (mark, colour)| {
        let disc = format!(
            "<i style=\"display:inline-block;width:.75em;height:.75em;border-radius:50%;background:{colour}\"></i>"
        );
        html.replace(mark, &disc)
    })
}

fn take(channel_type: ChannelType) {
    let folder = tools::scratch();
    let file = folder.path().join("page.html");
    fs::write(&file, page(channel_type)).unwrap();
    let path = picture(channel_type);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let [width, height] = SIZE.map(OsStr::new);
    tools::browse(&file, &[width, height, path.as_os_str()]);
}

/// The types that show messages. A webhook sends them to a program.
fn shown_types() -> impl Iterator<Item = ChannelType> {
    let types = ChannelType::VARIANTS.iter().copied();
    types.filter(|it| *it != ChannelType::Webhook)
}

#[test]
fn each_type_has_a_picture_in_its_section() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/channels.md"));
    let page = page.unwrap();
    for channel_type in shown_types() {
        if std::env::var_os("UPDATE_PICTURES").is_some() {
            take(channel_type);
        }
        let name = format!("](pictures/{channel_type}.png)");
        assert_eq!(page.matches(&name).count(), 1, "{name}");
        let path = picture(channel_type);
        let file = fs::File::open(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        let reader = png::Decoder::new(std::io::BufReader::new(file)).read_info();
        let reader = reader.unwrap();
        let size = [reader.info().width, reader.info().height].map(|it| it.to_string());
        assert_eq!(size, SIZE, "{channel_type}");
    }
}
