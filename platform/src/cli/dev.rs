//! `yunling dev`: everything on this machine, offline, with something to call.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use yunling_app::config::Settings;
use yunling_assets::Packs;

use super::serve::stop_signal;
use crate::dev::inbox::Inbox;
use crate::dev::network::{self, FakeNetwork};
use crate::dev::{banner, demo, story};
use crate::node::Node;
use crate::roles::Roles;
use crate::{http, logging};

/// Start everything on this machine: a demo tenant, a fake telephone network, a webhook inbox.
#[derive(Debug, Args)]
pub(super) struct Dev {
    /// Where everything is kept; delete it to begin anew.
    #[arg(long, value_name = "DIR", default_value = super::DEFAULT_DATA_DIR)]
    data: PathBuf,
    /// Where the HTTP server listens.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    http: SocketAddr,
}

impl Dev {
    pub(super) fn run(self) -> anyhow::Result<()> {
        std::fs::create_dir_all(&self.data)
            .with_context(|| format!("--data {}: cannot create it", self.data.display()))?;
        super::runtime()?.block_on(self.serve())
    }

    async fn serve(self) -> anyhow::Result<()> {
        // Taken first: a port that is in use is the likeliest trouble, and nothing has started yet.
        let listener = http::bind(self.http).await?;
        let address = listener.address();
        // A wildcard is an address to listen on, not one to call.
        let url = match address.ip() {
            ip if ip.is_unspecified() => format!("http://127.0.0.1:{}", address.port()),
            _ => format!("http://{address}"),
        };
        let network = FakeNetwork::start(&self.data.join("heard")).await?;
        let packs = Packs::load(None)?;
        let inbox_url = format!("{url}/dev/inbox");
        let resources = demo::write(&self.data.join("demo"), &packs, network.address, &inbox_url)?;
        let settings = settings(&self.data, address, &resources)?;
        logging::start(&settings.log)?;
        let stop = stop_signal()?;
        let mut node = Node::start(settings, Roles::ALL).await?;
        let lang = story::language();
        let zone = node.app.settings().zone.0;
        let inbox = Inbox::new(node.app.clone(), demo::WEBHOOK_SECRET.parse()?);
        let server = listener.serve(&node, Some(inbox)).await?;
        node.begin();
        println!("{}", banner::text(&url, lang));
        tokio::spawn(story::tell(node.watchers.clone(), lang, zone));
        stop.cancelled().await;
        println!();
        node.stop(Some(server)).await;
        Ok(())
    }
}

/// The settings that a developer does not have to write, as the file that they would be.
fn settings(data: &Path, http: SocketAddr, resources: &[PathBuf]) -> anyhow::Result<Settings> {
    let data = std::path::absolute(data).context("--data has no absolute form")?;
    let sip = network::free_port(5060)?;
    let yaml = serde_json::json!({
        "node": "10000",
        "data_dir": data,
        "database": { "url": format!("sqlite://{}", data.join("yunling.db").display()) },
        "http": { "listen": http.to_string() },
        "sip": { "listen": [format!("udp:{sip}"), format!("tcp:{sip}")] },
        "rtp": { "address": "127.0.0.1", "ports": "20000-29999" },
        "callbacks": { "allow": ["127.0.0.0/8", "::1/128"] },
        "resources": resources.iter().map(std::path::absolute).collect::<Result<Vec<_>, _>>()?,
        // Nobody is woken by the fake network.
        "calls": { "drain_s": 3, "campaign_hours": { "from": "00:00", "to": "24:00" } },
        "log": { "filter": "warn" },
    });
    let file = data.join("yunling.yaml");
    let text = format!(
        "# Written anew at each start of `yunling dev`.\n{}",
        serde_yaml::to_string(&yaml)?
    );
    std::fs::write(&file, &text).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(Settings::load(&file)?)
}
