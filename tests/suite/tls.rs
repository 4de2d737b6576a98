//! Whom the function trusts: the authorities that are compiled in, or those that `SSL_CERT_FILE` names.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::chat::take_all;
use crate::events;
use crate::runtime_api::{Answer, RuntimeApi};

/// A chat over TLS, with the certificate of an authority that nobody knows: its address, and that certificate.
async fn chat() -> (String, String) {
    let mut params = CertificateParams::new([]).unwrap();
    let name = &mut params.distinguished_name;
    name.push(DnType::CommonName, "an authority of our own");
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
    let address = format!("https://{}/services/x", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // Who does not trust us hangs up.
                if let Ok(stream) = acceptor.accept(stream).await {
                    take_all(stream).await;
                }
            });
        }
    });
    (address, authority)
}

/// Not an error of each message: the function says at once which variable is wrong, and does not start.
#[tokio::test]
async fn an_authority_that_is_not_there_is_named_at_start() {
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
        let said =
            "cannot start: SSL_CERT_FILE: `/nosuch` cannot be read: No such file or directory";
        assert!(log.contains(said), "{log}");
    }
}

#[tokio::test]
async fn who_is_named_is_trusted_and_nobody_else() {
    let (webhook, authority) = chat().await;
    let folder = crate::tools::scratch();
    let file = folder.path().join("authority.pem");
    std::fs::write(&file, authority).unwrap();
    let payload = events::sample("task_stopped-out-of-memory");
    let trusting = [
        ("SLACK_WEBHOOKURL", webhook.as_str()),
        ("SSL_CERT_FILE", file.to_str().unwrap()),
    ];
    let api = RuntimeApi::with(vec![payload.clone()]).await;
    let (answers, log) = api.run(&trusting).await;
    assert_eq!(answers, [Answer::Response(Value::Null)], "{log}");

    let api = RuntimeApi::with(vec![payload]).await;
    let (answers, log) = api.run(&trusting[..1]).await;
    let Answer::Error { kind, message } = &answers[0] else {
        panic!("it trusts anybody: {log}")
    };
    assert_eq!(kind, "DeliveryFailed");
    assert!(message.contains("certificate"), "{message}");
}
