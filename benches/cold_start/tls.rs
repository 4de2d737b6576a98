//! A certificate authority for the time of the benchmark.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use hyper::Request;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::NamedTempFile;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::loopback::server::{Answer, answer, listen};

pub(crate) struct Authority {
    /// Its certificate. A program that trusts it gets this file as `SSL_CERT_FILE`.
    pub(crate) certificate: NamedTempFile,
    pub(crate) acceptor: TlsAcceptor,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params
            .distinguished_name
            .push(DnType::CommonName, "the benchmark's authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let own = params.self_signed(&key).unwrap();
        let certificate = NamedTempFile::new().unwrap();
        std::fs::write(certificate.path(), own.pem()).unwrap();
        let server_key = KeyPair::generate().unwrap();
        let server = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let server = server
            .signed_by(&server_key, &Issuer::new(params, key))
            .unwrap();
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(
                vec![server.der().clone()],
                PrivateKeyDer::Pkcs8(server_key.serialize_der().into()),
            )
            .unwrap();
        Self {
            certificate,
            acceptor: Arc::new(config).into(),
        }
    }
}

/// As [`crate::loopback::server::serve`], over TLS.
pub(crate) async fn serve_tls<H, A>(acceptor: TlsAcceptor, handler: H) -> SocketAddr
where
    H: Fn(Request<Bytes>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Answer> + Send + 'static,
{
    listen(move |stream| {
        let (acceptor, handler) = (acceptor.clone(), handler.clone());
        async move {
            // A client that does not trust the certificate reports this itself.
            if let Ok(stream) = acceptor.accept(stream).await {
                answer(stream, handler).await;
            }
        }
    })
    .await
}
