//! `preview --output html` in a browser: what the reader sees, and that no text of an event runs as code.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::{events, tools};

/// The HTML page of these inputs, and the file that holds it.
fn page(inputs: &[&Path], folder: &Path) -> (String, PathBuf) {
    let output = Command::new(env!("CARGO_BIN_EXE_ecs-parrot"))
        .args(["preview", "--output", "html"])
        .args(inputs)
        .env_clear()
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", tools::output_text(&output));
    let html = String::from_utf8(output.stdout).unwrap();
    let file = folder.join("page.html");
    fs::write(&file, &html).unwrap();
    (html, file)
}

#[test]
fn the_page_shows_every_event_with_its_message() {
    let folder = tools::scratch();
    let (html, file) = page(&[&events::folder()], folder.path());
    let samples: usize = events::all()
        .iter()
        .map(|(_, payload)| events::evaluate(payload, &Default::default()).len())
        .sum();
    let dom = tools::browse(&file, &[]);
    assert_eq!(dom.matches("<article").count(), samples);
    for part in [
        "out_of_memory<span class=\"why\">task_stopped, critical, urgent</span><code>",
        "<div class=\"message\" style=\"border-color: #a30200\">",
        "<b>Why</b>: <code>checkout</code> exited 137 (SIGKILL)",
        "rel=\"noreferrer\">task 62e6771e</a>",
        "<span class=\"decision drop\">drop</span>routine_stop",
    ] {
        assert!(dom.contains(part), "{part}");
    }
    // The page loads nothing from elsewhere, so that no other server learns what it shows.
    for address in ["src=", "<link", "url(", "@import"] {
        assert!(!html.contains(address), "{address}");
    }
}

/// The colour of a critical message's bar is visible on the screen.
#[test]
fn a_screenshot_shows_the_colours() {
    let folder = tools::scratch();
    let sample = events::folder().join("task_stopped-out-of-memory.json");
    let (_, file) = page(&[&sample], folder.path());
    let picture = folder.path().join("page.png");
    let size = [OsStr::new("1180"), OsStr::new("740"), picture.as_os_str()];
    tools::browse(&file, &size);
    let decoder = png::Decoder::new(std::io::BufReader::new(fs::File::open(picture).unwrap()));
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((frame.width, frame.height), (1180, 740));
    let size = frame.color_type.samples();
    let count = |colour: [u8; 3]| {
        let pixels = pixels.chunks_exact(size);
        pixels.filter(|pixel| pixel[..3] == colour).count()
    };
    for colour in [[0xa3, 0x02, 0x00], [0x17, 0x18, 0x1c], [0xff, 0xff, 0xff]] {
        assert!(count(colour) > 500, "{colour:?}: {}", count(colour));
    }
}

/// Markup from an event is most dangerous in a browser.
#[test]
fn nothing_in_an_event_runs_in_the_browser() {
    let folder = tools::scratch();
    let run = "</pre></title><script>document.title='pwned'</script><img src=x onerror=\"document.title='pwned'\">";
    let mut event = events::sample("task_stopped-out-of-memory");
    for field in [
        "/detail/group",
        "/detail/stoppedReason",
        "/detail/containers/0/reason",
        "/detail/containers/0/image",
        "/detail/clusterArn",
        "/region",
        "/id",
    ] {
        *event.pointer_mut(field).unwrap() = json!(run);
    }
    event["detail"]["stoppedReason"] =
        json!("`<a href=javascript:alert(1)>` *x* ```</pre><svg onload=alert(1)>");
    let input = folder.path().join("<svg onload=alert(1)>.json");
    fs::write(&input, event.to_string()).unwrap();
    let (_, file) = page(&[&input], folder.path());
    let dom = tools::browse(&file, &[]);
    assert!(dom.contains("<title>ecs-parrot preview</title>"), "{dom}");
    for element in [
        "<script",
        "<img",
        "<svg",
        "href=\"javascript",
        "pwned'</script>",
    ] {
        assert!(!dom.contains(element), "{element}: {dom}");
    }
    assert!(dom.contains("&lt;img src=x onerror="), "{dom}");
}
