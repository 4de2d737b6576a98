//! A chat server that records the messages that it receives.

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

pub(crate) const SECRET: &str = "B00000/very-secret-part";

/// Answers every request of one connection with this text.
pub(crate) async fn answer_all<S>(stream: S, text: String)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|request: Request<Incoming>| {
        let answer = Response::new(text.clone());
        async {
            request.collect().await?;
            Ok::<_, hyper::Error>(answer)
        }
    });
    // It is no failure of the server if the client closes the connection.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// Slack's answer to a message that it accepts.
pub(crate) fn ok() -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_string("ok")
}

/// Flowdock's answer to a message that it accepts.
pub(crate) fn flowdock_ok() -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_string("{}")
}

/// A chat server that gives every message the same answer.
pub(crate) async fn chat(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(answer)
        .mount(&server)
        .await;
    server
}

pub(crate) fn webhook(server: &MockServer) -> String {
    format!("{}/services/{SECRET}", server.uri())
}

async fn bodies(server: &MockServer) -> Vec<Value> {
    let requests = server.received_requests().await.unwrap();
    let bodies = requests
        .iter()
        .map(|it| serde_json::from_slice(&it.body).unwrap());
    bodies.collect()
}

/// The headlines of the received messages.
pub(crate) async fn texts(server: &MockServer) -> Vec<String> {
    let bodies = bodies(server).await.into_iter().map(|body| {
        let text = body.get("text").or_else(|| body.get("content")).unwrap();
        text.as_str().unwrap().lines().next().unwrap().to_owned()
    });
    bodies.collect()
}

/// The received messages in Slack's markup: the headline and all blocks.
pub(crate) async fn messages(server: &MockServer) -> Vec<String> {
    let bodies = bodies(server).await.into_iter().map(|body| {
        let blocks = body["attachments"][0]["blocks"]
            .as_array()
            .into_iter()
            .flatten();
        let blocks = blocks.map(|block| block["text"]["text"].as_str().unwrap());
        let lines: Vec<_> = [body["text"].as_str().unwrap()]
            .into_iter()
            .chain(blocks)
            .collect();
        lines.join("\n")
    });
    bodies.collect()
}
