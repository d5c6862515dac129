//! `yunling doctor`: looks at everything that a node needs, one question after the other, and says of
//! each what was found and what to do. It changes nothing, and may look beside a node that runs: what
//! that node holds it asks for, what it needs itself it takes elsewhere.

mod addresses;
mod callbacks;
mod clock;
mod configuration;
mod database;
mod disk;
mod echo;
mod files;
mod ports;
mod report;
mod throwaway;
mod trunks;

use std::path::Path;

use yunling_app::config::Settings;

use report::both;
pub(crate) use report::{Both, Language, Report};

/// Looks at the node of this settings file.
pub(crate) async fn examine(config: &Path) -> Report {
    let mut report = Report::default();
    let Some(settings) = settings(config, &mut report) else {
        return report;
    };
    disk::look(&settings, &mut report).await;
    database::look(&settings, &mut report).await;
    let configured = configuration::read(&settings, &mut report).await;
    let trunks = configured.as_ref().map(configuration::Configured::trunks).unwrap_or_default();
    let running = ports::look_sip(&settings, &mut report).await;
    ports::look_rtp(&settings, &trunks, &mut report);
    files::look(&settings, &trunks, &mut report);
    addresses::look(&settings, &trunks, &mut report).await;
    trunks::look(&settings, &trunks, &mut report).await;
    let urls = configured.as_ref().map(configuration::Configured::urls).unwrap_or_default();
    let dates = callbacks::look(&settings, &urls, &mut report).await;
    clock::look(&settings, &dates, &mut report).await;
    echo::look(&settings, running, &mut report).await;
    if let Some(configured) = configured {
        configured.close().await;
    }
    report
}

fn settings(config: &Path, report: &mut Report) -> Option<Settings> {
    let file = config.display();
    match Settings::load(config) {
        Ok(settings) => {
            let (node, zone) = (settings.node.0, settings.zone.0);
            report.ok(
                "settings",
                both!("{file}：节点 {node}，时区 {zone}", "{file}: node {node}, zone {zone}"),
            );
            Some(settings)
        }
        Err(error) => {
            report.fail(
                "settings",
                both!("{error}", "{error}"),
                both!(
                    "按上面的位置和要求修正；每个键的说明见 deploy/yunling.yaml",
                    "correct it at that place; deploy/yunling.yaml explains every key"
                ),
            );
            None
        }
    }
}
