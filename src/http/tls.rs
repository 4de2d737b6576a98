//! Configures TLS with the authorities whose certificates are trusted.
//!
//! Mozilla's authorities are compiled in, because reading and parsing the system's takes longer than all other work of
//! a cold start (docs/performance.md). `SSL_CERT_FILE` and `SSL_CERT_DIR` replace them, as in other programs.
//! `AWS_CA_BUNDLE` only adds others: it is set for AWS, and the chats must stay reachable.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use rustls_native_certs::{load_certs_from_paths, load_native_certs};

use super::certificates::{BUNDLE, REPLACING};

pub(super) fn config() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots()).with_no_client_auth())
}

/// Files that cannot be read are skipped here: [`super::certificates::problems`] has reported them at the start.
fn roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    match REPLACING.iter().any(|name| value(name).is_some()) {
        true => add(&mut roots, load_native_certs().certs),
        false => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
    }
    if let Some(bundle) = value(BUNDLE) {
        add(
            &mut roots,
            load_certs_from_paths(Some(Path::new(&bundle)), None).certs,
        );
    }
    roots
}

fn add(roots: &mut RootCertStore, certificates: Vec<CertificateDer<'static>>) {
    let (_, ignored) = roots.add_parsable_certificates(certificates);
    if ignored > 0 {
        tracing::warn!(ignored, "some certificates of authorities cannot be read");
    }
}

fn value(name: &str) -> Option<String> {
    let value = std::env::var(name).ok();
    value.filter(|value| !value.trim().is_empty())
}
