//! A chat server that fails in every way that chats fail, and records the messages that it accepts.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::Dice;

pub(super) struct FailingChat {
    address: std::net::SocketAddr,
    taken: Arc<Mutex<Vec<Taken>>>,
}

/// A message that the chat accepted.
#[derive(Debug, Clone)]
pub(super) struct Taken {
    /// The number of the function that sent it.
    pub(super) slot: usize,
    pub(super) text: String,
    /// Whether the answer confirmed it, complete and in time.
    pub(super) is_certain: bool,
}

impl FailingChat {
    pub(super) async fn start(seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let taken = Arc::new(Mutex::new(Vec::new()));
        let dice = Arc::new(Mutex::new(Dice::new(seed ^ 0xc4a7)));
        let kept = Arc::clone(&taken);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (kept, dice) = (Arc::clone(&kept), Arc::clone(&dice));
                tokio::spawn(async move { serve(stream, &kept, &dice).await });
            }
        });
        Self { address, taken }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn taken(&self) -> Vec<Taken> {
        self.taken.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, taken: &Mutex<Vec<Taken>>, dice: &Mutex<Dice>) {
    while let Some((slot, body)) = request(&mut stream).await {
        let roll = dice.lock().unwrap().roll(100);
        let take = |is_certain| {
            let text = text(&body);
            taken.lock().unwrap().push(Taken {
                slot,
                text,
                is_certain,
            });
        };
        let answer = match roll {
            0..=69 => {
                take(true);
                answer("200 OK", "", "ok")
            }
            70..=75 => answer("429 Too Many Requests", "retry-after: 1\r\n", ""),
            76..=79 => answer("429 Too Many Requests", "", ""),
            80..=87 => answer("500 Internal Server Error", "", "rollup_error"),
            88..=90 => answer(
                "200 OK",
                "",
                r#"{"ok":false,"error":"service_unavailable"}"#,
            ),
            // The chat accepts the message, and sends only half of its answer.
            91..=94 => {
                take(false);
                "HTTP/1.1 200 OK\r\ncontent-le".to_owned()
            }
            95..=98 => return,
            // The chat accepts the message, and does not answer within the timeout.
            _ => {
                take(false);
                tokio::time::sleep(Duration::from_secs(6)).await;
                return;
            }
        };
        if stream.write_all(answer.as_bytes()).await.is_err() || (91..=94).contains(&roll) {
            return;
        }
    }
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The function number and the body of a request. `None` when the client has closed the connection.
async fn request(stream: &mut TcpStream) -> Option<(usize, Value)> {
    let mut bytes = Vec::new();
    loop {
        let read = stream.read_buf(&mut bytes).await.ok()?;
        if read == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, _)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse().ok())?
        });
        let length: usize = length?;
        let start = head.len() + 4;
        if bytes.len() >= start + length {
            let path = head.split(' ').nth(1)?;
            let slot = path.rsplit('/').next()?.parse().ok()?;
            let body = serde_json::from_slice(&bytes[start..start + length]).ok()?;
            return Some((slot, body));
        }
    }
}

/// The text in which each event's service is named once: the details of a summary, or else the headline.
fn text(body: &Value) -> String {
    let headline = body["text"].as_str().unwrap();
    let blocks = body["attachments"][0]["blocks"]
        .as_array()
        .into_iter()
        .flatten();
    let blocks: Vec<_> = blocks
        .map(|block| block["text"]["text"].as_str().unwrap())
        .collect();
    if headline.contains("grouped:") {
        return without_addresses(&blocks.join("\n"));
    }
    headline.to_owned()
}

/// Without the addresses of links, which name the service once more.
fn without_addresses(text: &str) -> String {
    let parts = text.split("<http");
    let labels = parts.map(|part| part.split_once('|').map_or(part, |(_, label)| label));
    labels.collect()
}
