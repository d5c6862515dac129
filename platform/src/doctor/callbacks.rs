//! Whether the customers' addresses can be found, may be called, and answer.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use url::Url;
use yunling_app::config::Settings;
use yunling_app::ports::Clock as _;
use yunling_workers::callback_refusal;

use super::clock::Reading;
use super::report::{Report, both};
use crate::clock::SystemClock;

const PATIENCE: Duration = Duration::from_secs(4);
/// Addresses that are looked at: a thousand tenants would take an hour.
const MOST: usize = 20;

/// Looks at the addresses, and gives what their answers say of the time.
pub(super) async fn look(
    settings: &Settings,
    urls: &[Arc<str>],
    report: &mut Report,
) -> Vec<Reading> {
    let mut readings = Vec::new();
    let origins = origins(urls);
    for origin in origins.iter().take(MOST) {
        readings.extend(look_at(settings, origin, report).await);
    }
    if origins.len() > MOST {
        let left = origins.len() - MOST;
        report.skip(
            "callbacks",
            both!(
                "另有 {left} 个回调地址未检查",
                "{left} more callback addresses were not looked at"
            ),
        );
    }
    readings
}

/// Scheme, host and port, each once; what a path does is the customer's affair.
fn origins(urls: &[Arc<str>]) -> Vec<Url> {
    let roots = urls.iter().filter_map(|url| Url::parse(url).ok()?.join("/").ok());
    let mut roots: Vec<Url> = roots.collect();
    roots.sort();
    roots.dedup();
    roots
}

async fn look_at(settings: &Settings, origin: &Url, report: &mut Report) -> Option<Reading> {
    let name = format!("callback {}", origin.host_str().unwrap_or_default());
    let (host, port) =
        (origin.host_str()?.trim_matches(['[', ']']), origin.port_or_known_default()?);
    let addresses: Vec<IpAddr> = match resolved(host, port).await {
        Ok(found) => found.map(|address| address.ip()).collect(),
        Err(error) => {
            report.fail(
                name,
                both!("{host} 无法解析：{error}", "{host} cannot be resolved: {error}"),
                both!(
                    "检查应用的回调地址和本机 DNS",
                    "check the application's address, and this machine's name servers"
                ),
            );
            return None;
        }
    };
    let allow: Vec<_> = settings.callbacks.allow.iter().map(|range| range.0).collect();
    let refusal = addresses.iter().find_map(|ip| callback_refusal(&allow, *ip));
    if let Some(refusal) = refusal {
        report.fail(
            name,
            both!("{host}：{refusal}", "{host}: {refusal}"),
            both!(
                "若确为内网接收方，把其网段加入 callbacks.allow",
                "if the receiver is meant to be inside, add its range to callbacks.allow"
            ),
        );
        return None;
    }
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(PATIENCE)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .ok()?;
    let began = Instant::now();
    match client.head(origin.clone()).send().await {
        Ok(answer) => {
            let took = began.elapsed();
            report.ok(
                name,
                both!("{origin} 可达，{took:.0?}", "{origin} can be reached, {took:.0?}"),
            );
            let date = answer.headers().get("date")?.to_str().ok()?;
            let theirs = chrono::DateTime::parse_from_rfc2822(date).ok()?;
            let here_s = SystemClock.now().0 / 1_000_000;
            Some(Reading { whose: host.to_owned(), ahead_s: theirs.timestamp() - here_s })
        }
        Err(error) => {
            let why = if error.is_timeout() { "timeout".to_owned() } else { root(&error) };
            report.warn(
                name,
                both!("{origin} 连接不上：{why}", "{origin} cannot be connected to: {why}"),
                both!("回调会重试约 27 小时；请客户检查接收方、证书和防火墙", "callbacks are repeated for some 27 hours; have the customer check the receiver, its certificate and its firewall"),
            );
            None
        }
    }
}

/// The system's resolver may try for half a minute.
pub(super) async fn resolved(
    host: &str,
    port: u16,
) -> io::Result<impl Iterator<Item = SocketAddr>> {
    match tokio::time::timeout(PATIENCE, tokio::net::lookup_host((host, port))).await {
        Ok(found) => found,
        Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut)),
    }
}

/// The innermost cause: what the outer ones say is only that a request failed.
fn root(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_is_looked_at_once_and_no_path_is_called() {
        let urls = [
            "https://a.example/cdr?x=1",
            "https://a.example:443/status",
            "http://a.example/",
            "nothing",
        ];
        let urls: Vec<Arc<str>> = urls.into_iter().map(Arc::from).collect();
        let origins: Vec<String> = origins(&urls).iter().map(Url::to_string).collect();
        assert_eq!(origins, ["http://a.example/", "https://a.example/"]);
    }
}
