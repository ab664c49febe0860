//! Which certificates a client accepts: the system's, one file's, one by its fingerprint, or any.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use clap::Args;
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use thiserror::Error;

/// The options about certificates. Without any of them the system's root certificates decide.
#[derive(Args, Clone, Debug, Default)]
#[group(id = "trust", multiple = false)]
pub struct TlsArgs {
    /// Accept only the certificate with this fingerprint, as `fallcast serve --tls-self-signed` prints it
    #[arg(long, value_name = "SHA256", help_heading = "TLS")]
    fingerprint: Option<Fingerprint>,
    /// Trust the certificates in this PEM file instead of the system's
    #[arg(long, value_name = "FILE", help_heading = "TLS")]
    ca: Option<PathBuf>,
    /// Accept any certificate: nobody can listen in, but anybody can pretend to be the server
    #[arg(long, help_heading = "TLS")]
    insecure: bool,
}

/// Why the options about certificates cannot be followed.
#[derive(Debug, Error)]
pub enum BadTrust {
    /// The address does not use TLS.
    #[error("--fingerprint, --ca and --insecure are about certificates, and an http URL has none; write https://…")]
    NotSecure,
    /// The file with trusted certificates cannot be used.
    #[error("--ca {}: {cause}", path.display())]
    File {
        /// The file's path.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// The system has no root certificates.
    #[error("this system has no root certificates ({0}); pass --fingerprint or --ca")]
    NoRoots(String),
    /// The TLS library refuses the configuration.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

impl TlsArgs {
    /// Checks that nobody relies on these options where they have no effect.
    ///
    /// # Errors
    /// One of the options was given although there is no TLS.
    pub(in crate::cli) fn must_be_unused(&self) -> Result<(), BadTrust> {
        let is_used = self.insecure || self.fingerprint.is_some() || self.ca.is_some();
        if is_used { Err(BadTrust::NotSecure) } else { Ok(()) }
    }

    /// Builds the TLS configuration of a client.
    ///
    /// # Errors
    /// The file of `--ca` cannot be used, or the system has no root certificates.
    pub(in crate::cli) fn client_config(&self) -> Result<Arc<ClientConfig>, BadTrust> {
        let provider = Arc::new(ring::default_provider());
        let verifier = self.verifier(&provider)?;
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        // awc opens WebSockets over HTTP/1.1 only, and one subscription gains nothing from HTTP/2.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    fn verifier(&self, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, BadTrust> {
        let algorithms = provider.signature_verification_algorithms;
        let roots = match (self.fingerprint, self.insecure, &self.ca) {
            (Some(fingerprint), ..) => {
                return Ok(Arc::new(WithoutRoots { expected: Some(fingerprint), algorithms }));
            }
            (None, true, _) => return Ok(Arc::new(WithoutRoots { expected: None, algorithms })),
            (None, false, Some(file)) => roots_of_file(file)?,
            (None, false, None) => roots_of_system()?,
        };
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
        Ok(verifier.build().map_err(|error| BadTrust::NoRoots(error.to_string()))?)
    }
}

fn roots_of_file(path: &Path) -> Result<RootCertStore, BadTrust> {
    let wrong = |cause: String| BadTrust::File { path: path.to_owned(), cause };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))? {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(wrong("there is no certificate in this file".to_owned()));
    }
    Ok(roots)
}

fn roots_of_system() -> Result<RootCertStore, BadTrust> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Systems keep a few certificates that rustls cannot read; the others still count.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let causes: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
        return Err(BadTrust::NoRoots(causes.join(", ")));
    }
    Ok(roots)
}

/// The SHA-256 hash of a certificate, by which a person can compare two of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Computes the fingerprint of a certificate in DER form.
    ///
    /// # Panics
    /// Never: the cipher suite that lends its hash belongs to TLS 1.3, and SHA-256 has 32 bytes.
    #[must_use]
    pub fn of(certificate: &[u8]) -> Self {
        let suite = ring::cipher_suite::TLS13_AES_128_GCM_SHA256.tls13().expect("a suite of TLS 1.3");
        let hash = suite.common.hash_provider.hash(certificate);
        Self(hash.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }
}

/// Prints `AB:CD:…`, as browsers show it.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs: Vec<String> = self.0.iter().map(|byte| format!("{byte:02X}")).collect();
        f.write_str(&pairs.join(":"))
    }
}

/// Why a text is no fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a SHA-256 fingerprint is 64 hexadecimal digits, with or without colons between the pairs")]
pub struct BadFingerprint;

impl FromStr for Fingerprint {
    type Err = BadFingerprint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits: Option<Vec<u32>> = text.chars().filter(|&c| c != ':').map(|c| c.to_digit(16)).collect();
        let digits = digits.filter(|digits| digits.len() == 64).ok_or(BadFingerprint)?;
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = u8::try_from(pair[0] * 16 + pair[1]).map_err(|_| BadFingerprint)?;
        }
        Ok(Self(bytes))
    }
}

/// Accepts one certificate, or any, without asking who signed it.
///
/// The handshake's signature is still verified: it proves that the server holds the certificate's private key. Names
/// and dates are not looked at, because a fingerprint says more than both.
#[derive(Debug)]
struct WithoutRoots {
    expected: Option<Fingerprint>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for WithoutRoots {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let found = Fingerprint::of(certificate);
        match self.expected {
            Some(expected) if expected != found => Err(other_certificate(found)),
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn other_certificate(found: Fingerprint) -> rustls::Error {
    rustls::Error::General(format!("its certificate has another fingerprint, {found}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHA-256 of the three bytes `abc` (FIPS 180-2, appendix B.1).
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn a_fingerprint_is_sha_256_in_hexadecimal_pairs() {
        let fingerprint = Fingerprint::of(b"abc");
        assert!(fingerprint.to_string().starts_with("BA:78:16:BF:"));
        assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
        assert_eq!(ABC.parse(), Ok(fingerprint));
        assert_eq!(ABC.to_uppercase().parse(), Ok(fingerprint));
    }

    #[test]
    fn other_texts_are_no_fingerprints() {
        for text in ["", "BA:78", &ABC[1..], &format!("{ABC}0"), &ABC.replace('b', "x")] {
            assert_eq!(text.parse::<Fingerprint>(), Err(BadFingerprint), "{text}");
        }
    }

    fn verify(expected: Option<&[u8]>, certificate: &[u8]) -> Result<ServerCertVerified, rustls::Error> {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        let verifier = WithoutRoots { expected: expected.map(Fingerprint::of), algorithms };
        let name = ServerName::try_from("localhost").expect("a name");
        verifier.verify_server_cert(&CertificateDer::from(certificate), &[], &name, &[], UnixTime::now())
    }

    #[test]
    fn a_pinned_certificate_is_accepted_and_another_is_not() {
        assert!(verify(Some(b"mine"), b"mine").is_ok());
        assert!(verify(Some(b"mine"), b"theirs").is_err());
        assert!(verify(None, b"theirs").is_ok());
    }

    #[test]
    fn options_about_certificates_need_an_https_address() {
        assert!(TlsArgs::default().must_be_unused().is_ok());
        let used = TlsArgs { insecure: true, ..TlsArgs::default() };
        assert!(matches!(used.must_be_unused(), Err(BadTrust::NotSecure)));
    }

    #[test]
    fn a_file_without_certificates_is_named() {
        let args = TlsArgs { ca: Some("no/such/file.pem".into()), ..TlsArgs::default() };
        let error = args.client_config().expect_err("there is no such file").to_string();
        assert!(error.contains("no/such/file.pem"), "{error}");
    }
}
