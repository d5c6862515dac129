//! Takes messages to where they belong: the one place that knows which of them may take long.
//!
//! A peer's Contact or Record-Route may name a host that nobody outside its network can resolve, or
//! a scheme that we do not speak (`sips:`, `tel:`). What would go there goes to the trunk instead,
//! as session border controllers expect of those they face.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Semaphore;
use yunling_switch_contract::Transport;

use super::strays::Standing;
use crate::sip::call::Hop;
use crate::sip::fields::UriParts;
use crate::sip::stack::{Stack, Target, Unreachable};

/// See the module's head.
pub(super) struct Courier {
    stack: Arc<Stack>,
    errands: Arc<Semaphore>,
}

impl Courier {
    /// `errands`: how many messages that take long may be under way behind their sender's back.
    /// Beyond, they are dropped and counted: only such are sent so as are asked for again.
    pub(super) fn new(stack: Arc<Stack>, errands: usize) -> Arc<Self> {
        Arc::new(Self { stack, errands: Arc::new(Semaphore::new(errands)) })
    }

    /// Whether we deal with whoever is at an address.
    pub(super) fn standing(&self, source: IpAddr) -> Standing {
        if self.stack.is_known(source) { Standing::Known } else { Standing::Stranger }
    }

    /// Waits for something, but not behind the end of the sockets.
    pub(super) async fn while_open<T>(&self, awaited: impl Future<Output = T>) -> Option<T> {
        self.stack.while_open(awaited).await
    }

    /// Sends, and waits for whatever that takes: a name's address, a connection.
    pub(super) async fn send(&self, bytes: &[u8], hop: &Hop) -> Result<(), Unreachable> {
        let (uri, usual, otherwise) = match hop {
            Hop::Known(target) => return self.stack.send(bytes, *target).await,
            Hop::Back(target) => return self.stack.send_back(bytes, *target).await,
            Hop::Uri { uri, usual, otherwise } => (uri, *usual, *otherwise),
        };
        let error = match self.resolve(uri, usual, otherwise).await {
            Ok(target) => match self.stack.send(bytes, target).await {
                Err(error) if target != otherwise => error,
                sent => return sent,
            },
            Err(error) => error,
        };
        tracing::debug!(uri, %error, to = %otherwise.address, "sent to the trunk instead");
        self.stack.send(bytes, otherwise).await
    }

    /// Sends what the peer asks for again if it is lost, without making the sender wait for a
    /// name's address or a connection.
    pub(super) async fn send_unawaited(self: &Arc<Self>, bytes: Bytes, hop: Hop) {
        match self.immediate(&hop) {
            Some(target) => logged(self.stack.send_back(&bytes, target).await),
            None => self.run_errand(bytes, hop),
        }
    }

    /// The same for one of many senders that must not wait for each other: a stream's peer may not
    /// read what it gets.
    pub(super) async fn send_detached(self: &Arc<Self>, bytes: Bytes, hop: Hop) {
        match self.immediate(&hop) {
            Some(target) if target.transport == Transport::Udp => {
                logged(self.stack.send_back(&bytes, target).await);
            }
            _ => self.run_errand(bytes, hop),
        }
    }

    fn run_errand(self: &Arc<Self>, bytes: Bytes, hop: Hop) {
        let Ok(turn) = Arc::clone(&self.errands).try_acquire_owned() else {
            metrics::counter!("switch_sip_dropped_total", "why" => "errands").increment(1);
            return;
        };
        let courier = Arc::clone(self);
        tokio::spawn(async move {
            logged(courier.send(&bytes, &hop).await);
            drop(turn);
        });
    }

    /// Where a message goes, if it can go at once.
    fn immediate(&self, hop: &Hop) -> Option<Target> {
        let target = match hop {
            Hop::Known(target) | Hop::Back(target) => *target,
            Hop::Uri { uri, usual, otherwise } => match address(uri, *usual) {
                Ok(place) => self.stack.resolve_known(place, *otherwise)?.unwrap_or(*otherwise),
                Err(_) => *otherwise,
            },
        };
        self.stack.is_linked(&target).then_some(target)
    }

    async fn resolve(
        &self,
        uri: &str,
        usual: Transport,
        trunk: Target,
    ) -> Result<Target, Unreachable> {
        self.stack.resolve(address(uri, usual)?, trunk).await
    }
}

/// Host, port and transport of a URI (RFC 3263 §4.1).
fn address(uri: &str, usual: Transport) -> Result<(&str, Option<u16>, Transport), Unreachable> {
    let parts = UriParts::parse(uri).ok_or_else(|| Unreachable::Uri(uri.to_owned()))?;
    Ok((parts.host, parts.port, parts.transport.unwrap_or(usual)))
}

fn logged(sent: Result<(), Unreachable>) {
    if let Err(error) = sent {
        tracing::debug!(%error, "a SIP message could not be sent");
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]

    use std::net::SocketAddr;
    use std::time::{Duration, Instant};

    use futures_util::FutureExt as _;
    use tokio::net::{TcpListener, UdpSocket};
    use tokio::time::timeout;

    use super::*;
    use crate::config::{FloodLimits, SipListen};
    use crate::engine::strays::{self, Stray};
    use crate::sip::stack::{Belongs, Message, Questions, StackConfig};
    use crate::sip::timers::Timers;
    use crate::supervision::Vitals;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// A stack that listens for both transports, and whose resolver never answers for `slow`.
    async fn stack() -> Arc<Stack> {
        let listen = [Transport::Udp, Transport::Tcp].map(|transport| SipListen {
            transport,
            address: "127.0.0.1:0".parse().unwrap(),
            advertised: None,
        });
        let (timers, vitals) = (Timers::default(), Vitals::default());
        let nobody = Box::new(|_, _| Belongs::ToNobody);
        let config = StackConfig {
            listen: &listen,
            tls: None,
            dns: None,
            user_agent: "x",
            flood: FloodLimits::default(),
            timers: &timers,
        };
        let stack = Stack::bind(config, &vitals, nobody).await.unwrap();
        Arc::new(stack.with_resolver(Questions {
            addresses: Box::new(|host| match host.as_str() {
                "slow" => std::future::pending().boxed(),
                _ => async { Err(std::io::ErrorKind::NotFound.into()) }.boxed(),
            }),
            services: Box::new(|_| async { Err(std::io::ErrorKind::NotFound.into()) }.boxed()),
        }))
    }

    async fn socket() -> (UdpSocket, SocketAddr) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        (socket, address)
    }

    async fn expect(socket: &UdpSocket, text: &str) {
        let mut buffer = [0; 2_000];
        let received = timeout(PATIENCE, socket.recv(&mut buffer)).await;
        let length = received.unwrap_or_else(|_| panic!("{text} does not come")).unwrap();
        assert!(buffer[..length].starts_with(text.as_bytes()));
    }

    fn udp(address: SocketAddr) -> Target {
        Target { transport: Transport::Udp, address, listener: 0 }
    }

    fn named(uri: &str, otherwise: SocketAddr) -> Hop {
        let (usual, otherwise) = (Transport::Udp, udp(otherwise));
        Hop::Uri { uri: uri.to_owned(), usual, otherwise }
    }

    #[tokio::test]
    async fn what_a_uri_leads_to_is_sent_there_and_all_else_to_the_trunk() {
        let courier = Courier::new(stack().await, 8);
        let ((trunk, trunk_at), (peer, peer_at)) = (socket().await, socket().await);
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let refused = free.local_addr().unwrap();
        drop(free);
        let rows = [
            (format!("sip:a@{peer_at}"), &peer),
            ("sip:a@scscf.ims.mnc000.invalid".to_owned(), &trunk),
            ("sips:a@127.0.0.1".to_owned(), &trunk),
            ("tel:+8613800138000".to_owned(), &trunk),
            // No socket of ours speaks to it.
            ("sip:a@[::1]:5060".to_owned(), &trunk),
            (format!("sip:a@{refused};transport=tcp"), &trunk),
        ];
        for (number, (uri, expected)) in rows.iter().enumerate() {
            let hop = named(uri, trunk_at);
            courier.send(format!("{number} sent").as_bytes(), &hop).await.unwrap();
            expect(expected, &format!("{number} sent")).await;
            let bytes = format!("{number} unawaited");
            courier.send_unawaited(bytes.clone().into(), hop).await;
            expect(expected, &bytes).await;
        }
    }

    /// The ACK of an answer whose Contact takes the system seconds to give up.
    #[tokio::test]
    async fn nobody_waits_for_a_name() {
        let courier = Courier::new(stack().await, 8);
        let (trunk, trunk_at) = socket().await;
        let began = Instant::now();
        courier.send_unawaited("ACK".into(), named("sip:a@slow", trunk_at)).await;
        let waited = began.elapsed();
        expect(&trunk, "ACK").await;
        assert!(waited < began.elapsed() / 4, "{waited:?} of {:?}", began.elapsed());
    }

    #[tokio::test]
    async fn what_waits_is_bounded() {
        let courier = Courier::new(stack().await, 1);
        let (trunk, trunk_at) = socket().await;
        for text in ["first", "dropped"] {
            courier.send_unawaited(text.into(), named("sip:a@slow", trunk_at)).await;
        }
        expect(&trunk, "first").await;
        courier.send_unawaited("last".into(), named("sip:a@slow", trunk_at)).await;
        expect(&trunk, "last").await;
    }

    /// A stranger's connection is gone, another names a host that nobody knows: neither is called
    /// back, and the next one gets its answer at once.
    #[tokio::test]
    async fn answers_to_strays_wait_for_nobody_and_make_no_connection() {
        let (vitals, (sender, queue)) = (Vitals::default(), strays::queue());
        strays::answer(&vitals, queue, Courier::new(stack().await, strays::ERRANDS));
        let ((outside, outside_at), (trunk, trunk_at)) = (socket().await, socket().await);
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let options = Box::new(Message::parse(
            "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=1\r\nFrom: <sip:x@y>;tag=f\r\n\
             To: <sip:a@b>\r\nCall-ID: i\r\nCSeq: 7 OPTIONS\r\n\r\n",
        ));
        let address = gone.local_addr().unwrap();
        let back = Target { transport: Transport::Tcp, address, listener: 1 };
        sender.give(Stray::Refuse(options.clone(), back));
        sender.give(Stray::Send("ACK".into(), named("sip:a@slow", trunk_at)));
        sender.give(Stray::Refuse(options, udp(outside_at)));
        expect(&outside, "SIP/2.0 200 OK").await;
        assert!(trunk.try_recv(&mut [0; 10]).is_err(), "the answer came before the lookup's end");
        expect(&trunk, "ACK").await;
        assert!(gone.accept().now_or_never().is_none(), "a connection was made to answer");
    }
}
