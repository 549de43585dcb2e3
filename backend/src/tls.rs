//! The server's certificate and key, for TLS by rustls.

use std::path::Path;

use anyhow::Context;
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

/// Reads a certificate chain and its key, both PEM.
pub(crate) fn load(cert: &Path, key: &Path) -> anyhow::Result<ServerConfig> {
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| {
            format!(
                "the certificate {} cannot be read; --tls-cert takes a PEM file",
                cert.display()
            )
        })?;
    let key_der = PrivateKeyDer::from_pem_file(key)
        .with_context(|| format!("the key {} cannot be read; --tls-key takes a PEM file", key.display()))?;
    ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key_der)
        .context("the certificate and the key do not belong together; give the key of this certificate")
}
