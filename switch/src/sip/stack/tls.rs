//! TLS under SIP (RFC 3261 §26.2.1, RFC 5922): whose certificate a trunk must show, and what to say
//! when it shows another. TLS 1.2 and 1.3.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, aws_lc_rs as provider, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore,
    ServerConfig, SignatureScheme,
};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};
use yunling_switch_contract::{Peer, TlsTrust};

use super::Unreachable;
use crate::config::{StartError, TlsIdentity};

/// Trunks of different names or trust that get a number; beyond, new ones cannot be called until a
/// restart. A node has some hundred.
const LIMIT: usize = 16_384;

/// Settings that are kept ready; beyond, all are made anew.
const CLIENTS: usize = 256;

/// Whom a TLS connection must lead to. The name is the trunk's own and not that of a SRV record,
/// which anybody between us and its name server could have written (RFC 5922 §4).
#[derive(Debug, Clone, PartialEq, Eq)]
struct Expected {
    host: String,
    trust: TlsTrust,
}

#[derive(Default)]
struct Known {
    expected: Vec<Expected>,
    clients: Vec<(TlsTrust, Arc<ClientConfig>)>,
}

/// Makes TLS connections to trunks.
pub(super) struct Tls {
    /// The number of the first trunk: those below are sockets that we listen on.
    first: usize,
    provider: Arc<CryptoProvider>,
    known: Mutex<Known>,
}

impl Tls {
    /// Trunks are numbered from `first`.
    pub(super) fn new(first: usize) -> Self {
        let provider = Arc::new(provider::default_provider());
        Self { first, provider, known: Mutex::default() }
    }

    /// The number of a trunk, by which [`Tls::shake_hands`] knows whom to expect.
    ///
    /// # Errors
    /// There have been too many different ones.
    pub(super) fn number(&self, peer: &Peer) -> Result<usize, Unreachable> {
        let mut known = self.known.lock();
        let is_peers =
            |expected: &Expected| expected.host == peer.host && expected.trust == peer.trust;
        if let Some(index) = known.expected.iter().position(is_peers) {
            return Ok(self.first + index);
        }
        if known.expected.len() >= LIMIT {
            return Err(Unreachable::Tls("too many different TLS trunks since the start".into()));
        }
        known.expected.push(Expected { host: peer.host.clone(), trust: peer.trust.clone() });
        Ok(self.first + known.expected.len() - 1)
    }

    /// Makes a connection safe: the peer must prove that it is the trunk of that number. Takes as
    /// long as the peer likes: [`Tls::gave_up`] is for whoever does not wait that long.
    pub(super) async fn shake_hands(
        &self,
        number: usize,
        stream: TcpStream,
    ) -> Result<client::TlsStream<TcpStream>, Unreachable> {
        let index = number.checked_sub(self.first);
        let expected = index.and_then(|index| self.known.lock().expected.get(index).cloned());
        let Some(Expected { host, trust }) = expected else {
            return Err(Unreachable::Tls("the peer's own connection is gone".to_owned()));
        };
        let config = self.client(&trust).await.map_err(Failure::counted)?;
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(bare).map_err(|_invalid| {
            Failure::new("name", format!("{host} is no name that a certificate can have")).counted()
        })?;
        let shaking = TlsConnector::from(config).connect(name, stream);
        shaking.await.map_err(|error| Failure::of_handshake(&error, &host).counted())
    }

    /// The trunk of that number did not finish its handshake in the time that there was.
    pub(super) fn gave_up(&self, number: usize) -> Unreachable {
        let index = number.checked_sub(self.first);
        let expected = index.and_then(|index| self.known.lock().expected.get(index).cloned());
        let host = expected.map_or_else(|| "the peer".to_owned(), |expected| expected.host);
        let text = format!("{host} did not finish the TLS handshake in time");
        Failure::new("timeout", text).counted()
    }

    /// The settings for trunks of that trust, made once: what they cost is reading certificates.
    async fn client(&self, trust: &TlsTrust) -> Result<Arc<ClientConfig>, Failure> {
        let known = {
            let known = self.known.lock();
            known.clients.iter().find(|(of, _)| of == trust).map(|(_, client)| Arc::clone(client))
        };
        if let Some(client) = known {
            return Ok(client);
        }
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| Failure::new("other", error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(self.verifier(trust).await?);
        let client = Arc::new(builder.with_no_client_auth());
        let mut known = self.known.lock();
        if known.clients.len() >= CLIENTS {
            known.clients.clear();
        }
        known.clients.push((trust.clone(), Arc::clone(&client)));
        Ok(client)
    }

    async fn verifier(&self, trust: &TlsTrust) -> Result<Arc<dyn ServerCertVerifier>, Failure> {
        let roots = match trust {
            TlsTrust::Pinned(fingerprint) => {
                let provider = Arc::clone(&self.provider);
                return Ok(Arc::new(Pinned { fingerprint: *fingerprint, provider }));
            }
            TlsTrust::System => {
                let loaded = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs);
                loaded.await.map(|loaded| loaded.certs).unwrap_or_default()
            }
            TlsTrust::Authorities(pem) => {
                let read = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
                read.map_err(|error| {
                    let text = format!("the trunk's authorities cannot be read: {error}");
                    Failure::new("authority", text)
                })?
            }
        };
        let mut store = RootCertStore::empty();
        let (_added, _ignored) = store.add_parsable_certificates(roots);
        let provider = Arc::clone(&self.provider);
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider);
        verifier.build().map(|verifier| verifier as _).map_err(|_empty| {
            let whose = if *trust == TlsTrust::System { "this machine" } else { "the trunk" };
            let text = format!("{whose} has no certificate of an authority that can be used");
            Failure::new("authority", text)
        })
    }
}

/// Takes one certificate and no other, whatever it says of itself.
#[derive(Debug)]
struct Pinned {
    fingerprint: [u8; 32],
    provider: Arc<CryptoProvider>,
}

/// The peer showed another certificate than the pinned one: this is its fingerprint.
#[derive(Debug, thiserror::Error)]
#[error("fingerprint {0}")]
struct OtherFingerprint(String);

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let found = digest(&SHA256, end_entity);
        if found.as_ref() == self.fingerprint {
            return Ok(ServerCertVerified::assertion());
        }
        let other = OtherFingerprint(hex::encode(found));
        Err(Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(other)))))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Why there is no TLS connection: a label for figures, a text for the operator.
#[derive(Debug)]
struct Failure {
    label: &'static str,
    text: String,
}

impl Failure {
    fn new(label: &'static str, text: impl Into<String>) -> Self {
        Self { label, text: text.into() }
    }

    /// Counts it, and gives what a caller is told.
    fn counted(self) -> Unreachable {
        metrics::counter!("switch_tls_handshake_failures_total", "why" => self.label).increment(1);
        Unreachable::Tls(self.text)
    }

    fn of_handshake(error: &io::Error, host: &str) -> Self {
        let source = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
        match source {
            Some(Error::InvalidCertificate(flaw)) => Self::of_certificate(flaw, host),
            Some(Error::AlertReceived(alert)) => {
                Self::new("alert", format!("{host} ended the TLS handshake: {alert:?}"))
            }
            Some(other) => Self::new("protocol", format!("TLS with {host}: {other}")),
            None => Self::new("broken", format!("TLS with {host}: {error}")),
        }
    }

    /// Short: a call's record has room for 128 characters.
    fn of_certificate(flaw: &CertificateError, host: &str) -> Self {
        let (label, what) = match flaw {
            CertificateError::Expired => ("expired", "has expired".to_owned()),
            CertificateError::ExpiredContext { time, not_after } => {
                let days = time.as_secs().saturating_sub(not_after.as_secs()) / 86_400;
                ("expired", format!("has expired, {days} days ago by this machine's clock"))
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                ("expired", "is not valid yet by this machine's clock".to_owned())
            }
            CertificateError::NotValidForName => ("name", format!("is not for {host}")),
            CertificateError::NotValidForNameContext { presented, .. } => {
                ("name", format!("is for {}, expected {host}", names(presented)))
            }
            CertificateError::UnknownIssuer => {
                ("authority", "is of an unknown authority, expected one that is trusted".to_owned())
            }
            CertificateError::BadSignature => {
                ("authority", "is not signed by the authority that it names".to_owned())
            }
            CertificateError::Other(OtherError(other)) => match fingerprint(other.as_ref()) {
                Some(found) => ("fingerprint", format!("is not the pinned one, but {found}")),
                None => ("certificate", format!("cannot be accepted: {other}")),
            },
            other => ("certificate", format!("cannot be accepted: {other}")),
        };
        Self::new(label, format!("the trunk's certificate {what}"))
    }
}

/// The names of a certificate in as few words as a message has room for.
fn names(presented: &[String]) -> String {
    // rustls writes them as `DnsName("sip.example")`.
    let bare = |name: &String| name.split('"').nth(1).unwrap_or(name).to_owned();
    match presented {
        [] => "no name".to_owned(),
        [one] => bare(one),
        [first, others @ ..] => format!("{} and {} others", bare(first), others.len()),
    }
}

fn fingerprint<'a>(error: &'a (dyn StdError + Send + Sync + 'static)) -> Option<&'a str> {
    error.downcast_ref::<OtherFingerprint>().map(|other| other.0.as_str())
}

/// Makes connections from outside safe: we prove who we are.
#[derive(Clone)]
pub(super) struct TlsServer(TlsAcceptor);

impl TlsServer {
    /// Shows that certificate.
    pub(super) fn new(identity: &TlsIdentity) -> Result<Self, StartError> {
        let chain = CertificateDer::pem_slice_iter(&identity.certificate)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| StartError::Tls(format!("sip.tls.certificate: {error}")))?;
        let key = PrivateKeyDer::from_pem_slice(&identity.key)
            .map_err(|error| StartError::Tls(format!("sip.tls.key: {error}")))?;
        let config = ServerConfig::builder_with_provider(Arc::new(provider::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| StartError::Tls(error.to_string()))?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| StartError::Tls(format!("sip.tls: {error}")))?;
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }

    pub(super) async fn accept(
        &self,
        stream: TcpStream,
        patience: Duration,
    ) -> io::Result<server::TlsStream<TcpStream>> {
        let shaken = timeout(patience, self.0.accept(stream)).await;
        shaken.unwrap_or_else(|_elapsed| Err(io::ErrorKind::TimedOut.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flaw_is_told_in_few_words_with_what_was_found_and_expected() {
        let at = |secs| UnixTime::since_unix_epoch(Duration::from_secs(secs));
        let presented = |names: &[&str]| CertificateError::NotValidForNameContext {
            expected: ServerName::try_from("sip.example").expect("a name").to_owned(),
            presented: names.iter().map(|name| format!("DnsName({name:?})")).collect(),
        };
        let pinned = OtherFingerprint("0".repeat(64));
        let rows = [
            (
                CertificateError::ExpiredContext { time: at(3 * 86_400), not_after: at(0) },
                "has expired, 3 days ago by this machine's clock".to_owned(),
            ),
            (presented(&["a.example"]), "is for a.example, expected sip.example".to_owned()),
            (
                presented(&["a.example", "b.example", "c.example"]),
                "is for a.example and 2 others, expected sip.example".to_owned(),
            ),
            (presented(&[]), "is for no name, expected sip.example".to_owned()),
            (
                CertificateError::UnknownIssuer,
                "is of an unknown authority, expected one that is trusted".to_owned(),
            ),
            (
                CertificateError::Other(OtherError(Arc::new(pinned))),
                format!("is not the pinned one, but {}", "0".repeat(64)),
            ),
        ];
        for (flaw, expected) in rows {
            let text = Failure::of_certificate(&flaw, "sip.example").text;
            assert_eq!(text, format!("the trunk's certificate {expected}"));
            assert!(text.len() <= 128, "{text}");
        }
    }
}
