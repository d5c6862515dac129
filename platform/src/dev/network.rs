//! The fake telephone network beside `yunling dev`: this same binary, started again as a process
//! of its own, so that killing one of the two leaves the other as a real carrier would be left.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::demo::{TRUNK_PASSWORD, TRUNK_USER};

/// How long the child may take to bind its sockets.
const READY_WITHIN: Duration = Duration::from_secs(10);

/// The running fake network; killed when dropped.
pub(crate) struct FakeNetwork {
    /// Where it listens for SIP.
    pub(crate) address: SocketAddr,
    _child: Child,
}

impl FakeNetwork {
    /// Starts it. What each handset hears is kept below `heard`.
    pub(crate) async fn start(heard: &Path) -> anyhow::Result<Self> {
        let address = free_port(5070)?;
        let program = std::env::current_exe().context("cannot find our own program file")?;
        let mut child = Command::new(program)
            .arg("carrier-sim")
            .args(["--listen", &address.to_string()])
            .arg("--record")
            .arg(heard)
            .args(["--register-user", TRUNK_USER, "--register-password", TRUNK_PASSWORD])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the fake network")?;
        let stdout = child.stdout.take().expect("stdout was piped just above");
        let mut lines = BufReader::new(stdout).lines();
        let ready = tokio::time::timeout(READY_WITHIN, lines.next_line()).await;
        match ready {
            Ok(Ok(Some(_))) => {}
            Ok(_) => bail!("the fake network ended before it was ready"),
            Err(_) => bail!("the fake network was not ready within {READY_WITHIN:?}"),
        }
        // Its later lines are of no interest, but a full pipe would stop it.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { address, _child: child })
    }
}

/// A loopback address that is free for both UDP and TCP: the usual port, else any.
pub(crate) fn free_port(usual: u16) -> anyhow::Result<SocketAddr> {
    free_port_at(Ipv4Addr::LOCALHOST.into(), usual)
}

/// The same at another address.
pub(crate) fn free_port_at(ip: IpAddr, usual: u16) -> anyhow::Result<SocketAddr> {
    for port in std::iter::once(usual).chain(std::iter::repeat_n(0, 20)) {
        let Ok(udp) = UdpSocket::bind((ip, port)) else { continue };
        let address = udp.local_addr().context("a bound socket has an address")?;
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no port of {ip} is free for SIP over both UDP and TCP")
}
