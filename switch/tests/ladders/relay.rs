//! TLS in front of a carrier that speaks plain TCP.

use std::sync::Arc;

use rcgen::{CertificateParams, DnType, KeyPair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// A certificate that speaks for itself, and its key.
pub(crate) struct Identity {
    pub certificate: rcgen::Certificate,
    pub key: KeyPair,
}

impl Identity {
    pub(crate) fn of(name: &str) -> Self {
        Self::with(name, |_| {})
    }

    /// One whose time is over.
    pub(crate) fn expired(name: &str) -> Self {
        Self::with(name, |params| params.not_after = rcgen::date_time_ymd(2020, 1, 1))
    }

    fn with(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        // Names of issuers tell them apart before their signatures do.
        let issuer = hex::encode(&key.public_key_raw()[..8]);
        params.distinguished_name.push(DnType::CommonName, issuer);
        change(&mut params);
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate, key }
    }

    /// As an authority that a trunk may be told to believe.
    pub(crate) fn pem(&self) -> Arc<[u8]> {
        self.certificate.pem().into_bytes().into()
    }
}

/// Ends with the test.
pub(crate) struct Relay {
    pub port: u16,
    task: JoinHandle<()>,
    cut: watch::Sender<u32>,
    cut_off: watch::Receiver<u32>,
    accepted: watch::Receiver<u32>,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Relay {
    /// Goes on to the carrier at that port, and has its answers say that it is reached here.
    pub(crate) async fn start(identity: &Identity, carrier: u16) -> Self {
        let key = PrivateKeyDer::try_from(identity.key.serialize_der()).unwrap();
        let chain = vec![identity.certificate.der().clone()];
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let ((cut, cuts), (count, accepted)) = (watch::channel(0), watch::channel(0));
        let (done, cut_off) = watch::channel(0);
        // One connection to the carrier, whatever becomes of those that lead here.
        let task = tokio::spawn(async move {
            let mut plain = TcpStream::connect(("127.0.0.1", carrier)).await.unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let Ok(mut safe) = acceptor.accept(stream).await else { continue };
                count.send_modify(|count| *count += 1);
                let mut cuts = cuts.clone();
                cuts.mark_unchanged();
                let (mut from_us, mut from_carrier) = (vec![0; 8_000], vec![0; 8_000]);
                loop {
                    tokio::select! {
                        _ = cuts.changed() => {
                            safe.shutdown().await.unwrap();
                            while safe.read(&mut from_us).await.is_ok_and(|length| length > 0) {}
                            done.send_modify(|done| *done += 1);
                            break;
                        }
                        read = safe.read(&mut from_us) => match read {
                            Ok(length) if length > 0 => {
                                plain.write_all(&from_us[..length]).await.unwrap();
                            }
                            _ => break,
                        },
                        read = plain.read(&mut from_carrier) => {
                            let length = read.unwrap();
                            if length == 0 {
                                return;
                            }
                            let text = String::from_utf8_lossy(&from_carrier[..length])
                                .replace(&format!(":{carrier};transport=TCP"), &format!(":{port};transport=TLS"));
                            if safe.write_all(text.as_bytes()).await.is_err() {
                                break;
                            }
                        }
                    }
                }
            }
        });
        Self { port, task, cut, cut_off, accepted }
    }

    /// Ends the present connection, and waits until the other side has noticed.
    pub(crate) async fn cut(&mut self) {
        self.cut.send_modify(|cuts| *cuts += 1);
        self.cut_off.changed().await.unwrap();
    }

    /// Connections whose handshake was completed.
    pub(crate) fn accepted(&self) -> u32 {
        *self.accepted.borrow()
    }
}
