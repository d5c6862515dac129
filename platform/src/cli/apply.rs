//! `yunling apply`: resource documents against a running server, by its admin API.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::{Value, json};
use yunling_app::documents;

/// The token that a node mints for its operator, in its data folder.
const OPERATOR_TOKEN: &str = "operator.token";

/// Show what resource documents would change, and change it.
#[derive(Debug, Args)]
pub(super) struct Apply {
    /// A resource document; may be given several times.
    #[arg(short, long = "file", value_name = "FILE", required = true)]
    file: Vec<PathBuf>,
    /// Only show what would change.
    #[arg(long)]
    plan: bool,
    /// Delete what these files applied earlier and do not name any more.
    #[arg(long)]
    prune: bool,
    /// Where both sides changed a field, take the file's.
    #[arg(long)]
    force: bool,
    /// The server.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    server: String,
    /// The operator's token; absent: read from the data folder.
    #[arg(long, value_name = "T", env = "YUNLING_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Where to read the operator's token.
    #[arg(long, value_name = "DIR", default_value = super::DEFAULT_DATA_DIR)]
    data: PathBuf,
}

impl Apply {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let files = documents::load(&self.file)?;
        let token = match &self.token {
            Some(token) => token.clone(),
            None => read_token(&self.data)?,
        };
        let request = json!({
            "files": files.iter().map(documents::DocumentFile::to_wire).collect::<Vec<_>>(),
            "options": { "force": self.force, "prune": self.prune },
        });
        let url = format!("{}/api/v1/apply", self.server.trim_end_matches('/'));
        let answer = super::runtime()?.block_on(send(&url, &token, self.plan, &request))?;
        print!("{}", answer["text"].as_str().unwrap_or_default());
        // The only time that anybody sees them, so before anything that may fail.
        for minted in answer["minted"].as_array().into_iter().flatten() {
            let word = |name: &str| minted[name].as_str().unwrap_or_default();
            println!(
                "{} {}: {} {} (minted, shown once)",
                word("kind"),
                word("key"),
                word("name"),
                word("secret")
            );
        }
        if answer["plan"]["problems"].as_array().is_some_and(|problems| !problems.is_empty()) {
            bail!("nothing can be applied until what is marked ✗ is mended");
        }
        if answer["conflicts"].as_bool() == Some(true) {
            bail!(
                "some fields were changed on both sides and stay as they are stored; --force takes the files'"
            );
        }
        Ok(())
    }
}

async fn send(url: &str, token: &str, plan: bool, request: &Value) -> anyhow::Result<Value> {
    check_server(url)?;
    // The request carries secrets: it goes where it was sent, and nowhere else.
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .context("cannot start an HTTP client")?;
    let answer = client
        .post(format!("{url}?plan={plan}"))
        .bearer_auth(token)
        .json(request)
        .send()
        .await
        .with_context(|| format!("{url} cannot be reached: is the server running? (--server)"))?;
    let status = answer.status();
    let body: Value =
        answer.json().await.with_context(|| format!("{url} answered {status} without JSON"))?;
    if status.is_success() {
        return Ok(body);
    }
    let detail = body["detail"].as_str().or(body["title"].as_str()).unwrap_or("no reason given");
    bail!("{url} answered {status}: {detail}")
}

/// Secrets travel in the clear inside the request: over TLS, or on this machine.
fn check_server(url: &str) -> anyhow::Result<()> {
    let parsed = url::Url::parse(url).with_context(|| format!("--server: {url:?} is no URL"))?;
    let on_this_machine = match parsed.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    match parsed.scheme() {
        "https" => Ok(()),
        "http" if on_this_machine => Ok(()),
        "http" => bail!("--server: {url} would send secrets in the clear: expected https://"),
        _ => bail!("--server: expected an http or https URL, found {url}"),
    }
}

fn read_token(data: &Path) -> anyhow::Result<String> {
    let file = data.join(OPERATOR_TOKEN);
    let token = std::fs::read_to_string(&file).with_context(|| {
        format!(
            "no --token was given, and {} cannot be read (--data names the server's data folder)",
            file.display()
        )
    })?;
    Ok(token.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_leave_this_machine_only_over_tls() {
        let cases = [
            ("https://voice.example.com/api/v1/apply", true),
            ("http://127.0.0.1:8080/api/v1/apply", true),
            ("http://[::1]:8080/api/v1/apply", true),
            ("http://localhost:8080/api/v1/apply", true),
            ("http://voice.example.com/api/v1/apply", false),
            ("http://10.0.0.7/api/v1/apply", false),
            ("ftp://127.0.0.1/", false),
            ("voice.example.com", false),
        ];
        for (url, may) in cases {
            assert_eq!(check_server(url).is_ok(), may, "{url}");
        }
    }
}
