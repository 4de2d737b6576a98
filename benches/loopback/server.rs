//! A small HTTP server on loopback.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

pub(crate) type Answer = Response<Full<Bytes>>;

/// Answers requests until the process ends. Returns the address of the server.
pub(crate) async fn serve<H, A>(handler: H) -> SocketAddr
where
    H: Fn(Request<Bytes>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Answer> + Send + 'static,
{
    listen(move |stream| answer(stream, handler.clone())).await
}

/// Runs `connection` for each connection. Returns the address of the server.
pub(crate) async fn listen<F, C>(connection: F) -> SocketAddr
where
    F: Fn(TcpStream) -> C + Send + 'static,
    C: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            tokio::spawn(connection(stream));
        }
    });
    address
}

/// Answers the requests of one connection.
pub(crate) async fn answer<S, H, A>(stream: S, handler: H)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Fn(Request<Bytes>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Answer> + Send + 'static,
{
    let service = service_fn(|request: Request<Incoming>| {
        let handler = handler.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.map(|it| it.to_bytes());
            let request = Request::from_parts(head, body.unwrap_or_default());
            Ok::<_, Infallible>(handler(request).await)
        }
    });
    // It is no failure of the server if the client closes the connection.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// An invocation, as the Runtime API delivers it.
/// <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>
pub(crate) fn invocation(payload: String, time: Duration) -> Answer {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let mut answer = answer_with(200, payload);
    for (name, value) in [
        ("content-type", "application/json"),
        (
            "lambda-runtime-aws-request-id",
            "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
        ),
        (
            "lambda-runtime-deadline-ms",
            &(now + time).as_millis().to_string(),
        ),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:eu-west-1:210987654321:function:parrot",
        ),
        (
            "lambda-runtime-trace-id",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
        ),
    ] {
        let value = HeaderValue::from_str(value).unwrap();
        answer.headers_mut().insert(name, value);
    }
    answer
}

pub(crate) fn answer_with(status: u16, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status.try_into().unwrap();
    answer
}
