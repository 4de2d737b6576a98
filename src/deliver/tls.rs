//! Whom a channel's TLS trusts.
//!
//! Mozilla's certificate authorities are compiled in: to read and parse the system's takes longer than all else at a
//! cold start (docs/performance.md). `SSL_CERT_FILE` or `SSL_CERT_DIR` names others, as everywhere.

use std::sync::Arc;

use reqwest::ClientBuilder;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};

use crate::certificates::VARIABLES;

/// The client with the roots that it shall have.
pub(super) fn with_roots(client: ClientBuilder) -> ClientBuilder {
    let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    // Without a configuration of ours, the system's are read, from where these variables say.
    match (VARIABLES.iter().any(is_set), compiled_in()) {
        (false, Ok(config)) => client.tls_backend_preconfigured(config),
        (true, _) | (_, Err(_)) => client,
    }
}

fn compiled_in() -> Result<ClientConfig, rustls::Error> {
    let roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
