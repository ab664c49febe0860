//! TLS: a certificate from files, or one made for this run.

use std::{net::IpAddr, path::Path, sync::Arc};

use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use crate::{cli::Fingerprint, config::Config};

use super::{ServerError, announce};

/// What the server proves itself with.
#[derive(Debug)]
pub struct Identity {
    /// What the listeners need. actix adds ALPN to it, so that browsers choose HTTP/2.
    pub config: ServerConfig,
    /// The fingerprint to compare, for a certificate that no authority has signed.
    pub fingerprint: Fingerprint,
}

impl Identity {
    /// The identity that the configuration asks for, if any.
    ///
    /// # Errors
    /// Tells what is wrong with the certificate.
    pub fn of(config: &Config) -> Result<Option<Self>, ServerError> {
        if config.tls_self_signed {
            return self_signed().map(Some);
        }
        if config.has_tls() {
            return from_files(&config.tls_cert, &config.tls_key).map(Some);
        }
        Ok(None)
    }

    fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Self, ServerError> {
        let first = chain.first().ok_or_else(|| ServerError::Tls("the file holds no certificate".to_owned()))?;
        let fingerprint = Fingerprint::of(first);
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|fault| ServerError::Tls(fault.to_string()))?;
        Ok(Self { config, fingerprint })
    }
}

fn from_files(certificate: &Path, key: &Path) -> Result<Identity, ServerError> {
    let fault = |path: &Path, fault| ServerError::Tls(format!("{}: {fault}", path.display()));
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| fault(certificate, error))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| fault(key, error))?;
    Identity::new(chain, private)
}

/// A certificate for every name and address by which this machine may be reached.
fn self_signed() -> Result<Identity, ServerError> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    names.extend(announce::lan_addresses().iter().map(IpAddr::to_string));
    let made = rcgen::generate_simple_self_signed(names).map_err(|fault| ServerError::Tls(fault.to_string()))?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der());
    let key = key.map_err(|fault| ServerError::Tls(fault.to_owned()))?;
    Identity::new(vec![made.cert.der().clone()], key)
}
