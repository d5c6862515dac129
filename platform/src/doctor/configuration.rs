//! The trunks and addresses that the node works with: those of its database, or where it has none
//! yet, those of the documents that its first start will apply.

use std::path::PathBuf;
use std::sync::Arc;

use yunling_app::apply::{self, Options};
use yunling_app::config::Settings;
use yunling_app::directory::Trunk;
use yunling_app::ports::{Events, Ids, Random as _};
use yunling_app::principal::Operator;
use yunling_app::secrets::Keyring;
use yunling_app::{App, Parts, documents};
use yunling_assets::Packs;
use yunling_domain::event::ConversationEvent;
use yunling_domain::{ConversationId, IdKind};
use yunling_store::{OpenOptions, Store};

use super::database;
use super::report::{Report, both};
use crate::clock::{SystemClock, SystemRandom};
use crate::ports::Pokes;

/// The configuration, open to be read.
pub(super) struct Configured {
    app: App,
    /// A database of our own, where the node has none yet.
    own: Option<PathBuf>,
}

impl Configured {
    /// The trunks that are enabled.
    pub(super) fn trunks(&self) -> Vec<Arc<Trunk>> {
        self.app.directory().trunks().filter(|trunk| trunk.enabled).cloned().collect()
    }

    /// Where applications have their callbacks sent, each once.
    pub(super) fn urls(&self) -> Vec<Arc<str>> {
        let directory = self.app.directory();
        let applications = directory.accounts().flat_map(|account| account.applications.values());
        let urls = applications.flat_map(|application| {
            let urls = [&application.notice_url, &application.status_url, &application.cdr_url];
            urls.into_iter().flatten().cloned().collect::<Vec<_>>()
        });
        let mut urls: Vec<_> = urls.collect();
        urls.sort();
        urls.dedup();
        urls
    }

    pub(super) async fn close(self) {
        if let Err(error) = self.app.store().clone().close().await {
            tracing::debug!(%error, "the database was not closed in order");
        }
        if let Some(own) = self.own {
            let _ = std::fs::remove_dir_all(own);
        }
    }
}

/// Mints nothing: a doctor makes no requests.
struct NoIds;

impl Ids for NoIds {
    fn mint(&self, _: IdKind) -> String {
        String::new()
    }
}

struct NoEvents;

impl Events for NoEvents {
    fn publish(&self, _: &ConversationId, _: &ConversationEvent) {}
}

pub(super) async fn read(settings: &Settings, report: &mut Report) -> Option<Configured> {
    let stored = Store::schema(&settings.database.url).await;
    let is_current = stored.is_ok_and(|state| state.pending.is_empty());
    let has_key = settings.data_dir.join(Keyring::FILE_NAME).exists();
    let configured =
        if is_current && has_key { of_node(settings).await } else { of_documents(settings).await };
    match configured {
        Ok(configured) => {
            let (trunks, urls) = (configured.trunks().len(), configured.urls().len());
            let found = both!(
                "{trunks} 条启用的线路，{urls} 个回调地址",
                "{trunks} trunks enabled, {urls} callback addresses"
            );
            if trunks == 0 {
                let advice = both!(
                    "用 yunling apply 配置线路，否则无法外呼",
                    "configure a trunk with yunling apply: without one nobody can be called"
                );
                report.warn("configuration", found, advice);
            } else {
                report.ok("configuration", found);
            }
            Some(configured)
        }
        Err(error) => {
            report.fail(
                "configuration",
                both!("{error:#}", "{error:#}"),
                both!("按上面的位置修正资源文件，或恢复匹配的 secret.key", "correct the documents at that place, or restore the secret.key that belongs to the database"),
            );
            None
        }
    }
}

async fn of_node(settings: &Settings) -> anyhow::Result<Configured> {
    let keyring = Keyring::open(&settings.data_dir, &SystemRandom)?;
    let store = Store::open(&settings.database.url, database::options()).await?;
    let app = assemble(settings, keyring, store).await?;
    Ok(Configured { app, own: None })
}

/// In a database of our own, which nobody else sees.
async fn of_documents(settings: &Settings) -> anyhow::Result<Configured> {
    let mut random = [0; 8];
    SystemRandom.fill(&mut random);
    let own = std::env::temp_dir().join(format!("yunling-doctor-{}", hex::encode(random)));
    std::fs::create_dir(&own)?;
    let made = async {
        let keyring = Keyring::open(&own, &SystemRandom)?;
        let url = format!("sqlite://{}", own.join("look.db").display());
        let store = Store::open(&url, OpenOptions::default()).await?;
        let app = assemble(settings, keyring, store).await?;
        if !settings.resources.is_empty() {
            let files = documents::load(&settings.resources)?;
            let operator = Operator::proven("doctor");
            Box::pin(apply::apply(&app, &operator, &files, Options::default())).await?;
        }
        anyhow::Ok(app)
    };
    match made.await {
        Ok(app) => Ok(Configured { app, own: Some(own) }),
        Err(error) => {
            let _ = std::fs::remove_dir_all(&own);
            Err(error)
        }
    }
}

async fn assemble(settings: &Settings, keyring: Keyring, store: Store) -> anyhow::Result<App> {
    let parts = Parts {
        store,
        packs: Packs::load(None)?,
        settings: settings.clone(),
        keyring,
        clock: Arc::new(SystemClock),
        ids: Arc::new(NoIds),
        random: Arc::new(SystemRandom),
        poke: Arc::new(Pokes::default()),
        events: Arc::new(NoEvents),
    };
    Ok(App::assemble(parts).await?)
}
