//! Asks name servers: the system's resolver for addresses, and DNS itself for SRV records, which
//! the system's resolver does not know; or name servers of the operator's choice for both.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, RecordType};

use super::services::{self, Service};

/// How long what the system's resolver says is believed: it does not say itself.
const SYSTEM_LIFE: Duration = Duration::from_secs(30);

/// The shortest and the longest time that an answer is believed, whatever its TTL: a call must not
/// wait for a lookup each time, and a carrier that moves must be found again.
const LIFE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(3_600));

/// What was found, and for how long that is believed.
#[derive(Debug, Clone)]
pub(crate) struct Found<T> {
    pub records: Vec<T>,
    pub life: Duration,
}

/// Asks for the records of a name. Nothing found is no error.
pub(crate) type Ask<T> =
    Box<dyn Fn(String) -> BoxFuture<'static, io::Result<Found<T>>> + Send + Sync>;

/// The two questions that are asked.
pub(crate) struct Questions {
    /// A and AAAA records of a host.
    pub addresses: Ask<IpAddr>,
    /// SRV records of a service.
    pub services: Ask<Service>,
}

impl Questions {
    /// Asks the given name servers, or whom the system asks.
    pub(super) fn to(servers: Option<&[SocketAddr]>) -> Self {
        match servers {
            Some(servers) => match by_servers(servers) {
                Ok(dns) => Self {
                    addresses: addresses_by_dns(dns.clone()),
                    services: services_by_dns(dns),
                },
                Err(error) => {
                    tracing::error!(%error, "sip.dns cannot be used: the system's resolver is asked");
                    Self::to(None)
                }
            },
            None => {
                let services = match TokioResolver::builder_tokio().and_then(|mut builder| {
                    restrain(builder.options_mut());
                    builder.build()
                }) {
                    Ok(dns) => services_by_dns(dns),
                    Err(error) => {
                        tracing::warn!(
                            %error,
                            "the system names no name server: SRV records of trunks are not asked for"
                        );
                        nobody()
                    }
                };
                Self { addresses: addresses_by_system(), services }
            }
        }
    }
}

fn by_servers(servers: &[SocketAddr]) -> Result<TokioResolver, NetError> {
    let servers = servers.iter().map(|server| {
        let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut by| {
            by.port = server.port();
            by
        });
        NameServerConfig::new(server.ip(), true, connections.into())
    });
    let config = ResolverConfig::from_name_servers(servers.collect());
    let provider = TokioRuntimeProvider::default();
    let mut builder = TokioResolver::builder_with_config(config, provider);
    restrain(builder.options_mut());
    builder.build()
}

/// A call waits for the answer, and remembering is our own business.
fn restrain(options: &mut ResolverOpts) {
    options.timeout = Duration::from_millis(700);
    options.attempts = 1;
    options.cache_size = 0;
}

fn addresses_by_system() -> Ask<IpAddr> {
    Box::new(|host| {
        async move {
            let found = tokio::net::lookup_host((host, 0)).await?;
            let records = found.map(|address| address.ip()).collect();
            Ok(Found { records, life: SYSTEM_LIFE })
        }
        .boxed()
    })
}

fn addresses_by_dns(dns: TokioResolver) -> Ask<IpAddr> {
    Box::new(move |host| {
        let dns = dns.clone();
        async move {
            let found = dns.lookup_ip(absolute(&host)?).await;
            let Some(found) = nothing_is_an_answer(found)? else { return Ok(nothing()) };
            Ok(Found { records: found.iter().collect(), life: life(found.valid_until()) })
        }
        .boxed()
    })
}

fn services_by_dns(dns: TokioResolver) -> Ask<Service> {
    Box::new(move |name| {
        let dns = dns.clone();
        async move {
            let found = dns.lookup(absolute(&name)?, RecordType::SRV).await;
            let Some(found) = nothing_is_an_answer(found)? else { return Ok(nothing()) };
            let records = found.answers().iter().filter_map(|record| match &record.data {
                RData::SRV(srv) => Some(Service {
                    priority: srv.priority,
                    weight: srv.weight,
                    port: srv.port,
                    host: srv.target.to_utf8().trim_end_matches('.').to_owned(),
                }),
                _ => None,
            });
            let records = records.take(services::MOST).collect();
            Ok(Found { records, life: life(found.valid_until()) })
        }
        .boxed()
    })
}

fn nobody() -> Ask<Service> {
    Box::new(|_| async { Ok(nothing()) }.boxed())
}

/// Known not to exist: asked for again soon, it may have been a mistake.
fn nothing<T>() -> Found<T> {
    Found { records: Vec::new(), life: SYSTEM_LIFE }
}

/// The name as it stands: no search list turns a carrier's name into one of our own domain.
fn absolute(name: &str) -> io::Result<Name> {
    let mut name = Name::from_utf8(name).map_err(io::Error::other)?;
    name.set_fqdn(true);
    Ok(name)
}

fn nothing_is_an_answer<T>(found: Result<T, NetError>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_no_records_found() => Ok(None),
        Err(error) => Err(io::Error::other(error)),
    }
}

fn life(valid_until: Instant) -> Duration {
    valid_until.saturating_duration_since(Instant::now()).clamp(LIFE.0, LIFE.1)
}
