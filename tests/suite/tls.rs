//! Which certificate authorities the function trusts: the compiled-in ones, or those that `SSL_CERT_FILE` names.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::chat::answer_all;
use crate::events;
use crate::runtime_api::{Answer, RuntimeApi};

/// A TLS server. Its certificate is signed by a new authority. It answers each request with the same text.
struct Server {
    address: String,
    /// The authority's certificate.
    authority: NamedTempFile,
}

async fn server(answer: &str) -> Server {
    let mut params = CertificateParams::new([]).unwrap();
    let name = &mut params.distinguished_name;
    name.push(DnType::CommonName, "the test authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap().pem();
    let server_key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let issuer = Issuer::new(params, key);
    let certificate = server.signed_by(&server_key, &issuer).unwrap();
    let private = PrivateKeyDer::Pkcs8(server_key.serialize_der().into());
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    let answer = answer.to_owned();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, answer) = (acceptor.clone(), answer.clone());
            tokio::spawn(async move {
                // A client that does not trust the certificate closes the connection.
                if let Ok(stream) = acceptor.accept(stream).await {
                    answer_all(stream, answer).await;
                }
            });
        }
    });
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), authority).unwrap();
    Server {
        address,
        authority: file,
    }
}

impl Server {
    fn authority(&self) -> &str {
        self.authority.path().to_str().unwrap()
    }
}

/// The function names the wrong variable when it starts, and ends. It does not wait for the first message to fail.
#[tokio::test]
async fn a_missing_certificate_file_is_named_at_start() {
    for program in [
        env!("CARGO_BIN_EXE_parrot"),
        env!("CARGO_BIN_EXE_run-from-queue"),
    ] {
        let output = tokio::process::Command::new(program)
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9")
            .env("SSL_CERT_FILE", "/nosuch")
            .output()
            .await
            .unwrap();
        assert!(!output.status.success());
        let log = String::from_utf8(output.stdout).unwrap();
        let expected =
            "cannot start: SSL_CERT_FILE: `/nosuch` cannot be read: No such file or directory";
        assert!(log.contains(expected), "{log}");
    }
}

#[tokio::test]
async fn only_the_named_authority_is_trusted() {
    let chat = server("ok").await;
    let webhook = format!("{}/services/x", chat.address);
    let payload = events::sample("task_stopped-out-of-memory");
    for variable in ["SSL_CERT_FILE", "AWS_CA_BUNDLE"] {
        let trusting = [
            ("SLACK_WEBHOOKURL", webhook.as_str()),
            (variable, chat.authority()),
        ];
        let api = RuntimeApi::with(vec![payload.clone()]).await;
        let (answers, log) = api.run(&trusting).await;
        assert_eq!(answers, [Answer::Response(Value::Null)], "{log}");
    }
    let api = RuntimeApi::with(vec![payload]).await;
    let (answers, log) = api.run(&[("SLACK_WEBHOOKURL", &webhook)]).await;
    let Answer::Error { kind, message } = &answers[0] else {
        panic!("it trusts an unknown authority: {log}")
    };
    assert_eq!(kind, "DeliveryFailed");
    assert!(message.contains("certificate"), "{message}");
}

/// AWS and the chat share one HTTP client. It trusts the authorities of both variables.
#[tokio::test]
async fn aws_and_the_chat_may_have_different_authorities() {
    let chat = server("ok").await;
    let webhook = format!("{}/services/x", chat.address);
    let secret = json!({"Parameter": {"Value": webhook}}).to_string();
    let aws = server(&secret).await;
    let variables = [
        ("SLACK_WEBHOOKURL", "ssm:/ops/webhook"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ENDPOINT_URL", aws.address.as_str()),
        ("AWS_ACCESS_KEY_ID", "mine"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("ENRICH", "false"),
        ("SSL_CERT_FILE", chat.authority()),
        ("AWS_CA_BUNDLE", aws.authority()),
    ];
    let event = events::sample("task_stopped-out-of-memory");
    let api = RuntimeApi::with(vec![event.clone()]).await;
    let (answers, log) = api.run(&variables).await;
    assert_eq!(answers, [Answer::Response(Value::Null)], "{log}");

    let api = RuntimeApi::with(vec![event]).await;
    let (answers, log) = api.run(&variables[..7]).await;
    let Answer::Error { message, .. } = &answers[0] else {
        panic!("it trusts an unknown authority: {log}")
    };
    let expected = "GetParameter: AWS did not answer: invalid peer certificate";
    assert!(message.contains(expected), "{message}");
}

/// The error message of a command says what to do about a certificate that is not trusted.
#[tokio::test]
async fn commands_say_what_to_do_about_an_unknown_certificate() {
    let aws = server("{}").await;
    let queue = "https://sqs.eu-west-1.amazonaws.com/210987654321/dead-letters";
    for arguments in [
        &[
            "run",
            "--task-name",
            "x",
            "--cluster",
            "prod",
            "--from-task",
            "web",
            "--",
            "true",
        ][..],
        &["redrive", "--queue", queue, "--dry-run"],
    ] {
        let command = || {
            let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_ecs-parrot"));
            command.args(arguments).env_clear().envs([
                ("AWS_REGION", "eu-west-1"),
                ("AWS_ACCESS_KEY_ID", "mine"),
                ("AWS_SECRET_ACCESS_KEY", "test"),
            ]);
            command
        };
        let refused = command()
            .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
            .output();
        let unknown = command().env("AWS_ENDPOINT_URL", &aws.address).output();
        let (refused, unknown) = tokio::join!(refused, unknown);
        for (output, parts) in [
            (
                refused,
                [
                    "AWS did not answer",
                    "Connection refused",
                    "check the region's name and the network",
                ],
            ),
            (
                unknown,
                ["AWS did not answer", "certificate", "AWS_CA_BUNDLE"],
            ),
        ] {
            let output = output.unwrap();
            assert_eq!(output.status.code(), Some(1), "{output:?}");
            let err = String::from_utf8(output.stderr).unwrap();
            for part in parts {
                assert!(err.contains(part), "{arguments:?}: {part}: {err}");
            }
        }
    }
}
