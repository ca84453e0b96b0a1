//! Encrypts a socket with rustls (feature `tls`), and checks the certificate as the URL demands. Called by `Socket`.

use std::{net::TcpStream, path::Path, sync::Arc};

use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme, StreamOwned,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};

use crate::address::{Address, Tls};

use super::error::{Result, WireError};

/// An encrypted connection.
pub(super) type Encrypted = StreamOwned<ClientConnection, TcpStream>;

/// Encrypts a connection on which the server has agreed to it.
pub(super) fn encrypt(mut stream: TcpStream, address: &Address, name: &str) -> Result<Encrypted> {
    let config = config(address).map_err(WireError::Login)?;
    let server = ServerName::try_from(name.to_owned())
        .map_err(|_| WireError::Login(format!("{name:?} is no name that a certificate can have")))?;
    let mut session = ClientConnection::new(Arc::new(config), server).map_err(|error| failed(name, &error))?;
    while session.is_handshaking() {
        session.complete_io(&mut stream).map_err(|error| match error.downcast::<rustls::Error>() {
            Ok(error) => failed(name, &error),
            Err(error) => error.into(),
        })?;
    }
    Ok(StreamOwned::new(session, stream))
}

/// The error of a login. The server checks the certificate of a client when the client has finished the handshake.
pub(super) fn of_login(error: WireError) -> WireError {
    let alert = match &error {
        WireError::Broken(error) => error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>()),
        _ => None,
    };
    alert.map(ToString::to_string).map_or(error, |alert| {
        WireError::Login(format!("the server refused the encryption: {alert}; correct sslcert and sslkey"))
    })
}

fn failed(name: &str, error: &rustls::Error) -> WireError {
    WireError::Login(format!(
        "the encryption with {name} failed: {error}; name the certificate of its authority with sslrootcert"
    ))
}

fn config(address: &Address) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let is_verified = address.tls == Tls::Verify || address.root_certificate.is_some();
    let builder = if is_verified {
        builder.with_root_certificates(roots(address.root_certificate.as_deref())?)
    } else {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(Unverified(provider)))
    };
    match (&address.certificate, &address.key) {
        (Some(certificate), Some(key)) => {
            let key = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, &error))?;
            builder.with_client_auth_cert(certificates(certificate)?, key).map_err(|error| error.to_string())
        }
        (None, None) => Ok(builder.with_no_client_auth()),
        _ => Err("sslcert and sslkey belong together: give both or none".into()),
    }
}

fn roots(file: Option<&Path>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    match file {
        Some(file) => {
            for certificate in certificates(file)? {
                roots.add(certificate).map_err(|error| unreadable(file, &error))?;
            }
        }
        // A certificate that cannot be read verifies nothing; the others count.
        None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
    }
    Ok(roots)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unreadable(file, &error))
}

fn unreadable(file: &Path, error: &dyn std::fmt::Display) -> String {
    format!("cannot read {}: {error}", file.display())
}

/// Accepts any certificate: `sslmode=prefer` and `require` encrypt without knowing the server, as with the server's own programs.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
