//! The demo tenant: the published document's own sample account, application and numbers, written
//! as ordinary configuration files, so that what a developer edits first is the real thing.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use yunling_assets::{Encoded, Packs, phrase};
use yunling_domain::Lang;

/// The sample account of the published document.
pub(crate) const ACCOUNT_SID: &str = "abcdefghijklmnopqrstuvwxyz012345";
/// Its token; the document names none.
pub(crate) const ACCOUNT_TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// The sample application of the published document.
pub(crate) const APPLICATION_SID: &str = "11111111111111111111111111111111";
/// The sample line number of the published document.
pub(crate) const CALLER_ID: &str = "01080001001";
/// What the demo application's callbacks are signed with.
pub(crate) const WEBHOOK_SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3";

/// As whom the demo trunk registers with the fake network.
pub(crate) const TRUNK_USER: &str = "demo";
/// And the password that the fake network asks for.
pub(crate) const TRUNK_PASSWORD: &str = "demo-password";

/// The document's sample prompts, said by phrases of the Chinese pack.
const PROMPTS: [(&str, &str); 3] = [
    ("prompt1.wav", phrase::CODE_IS),
    ("prompt2.wav", phrase::CONFIRM),
    ("prompt3.wav", phrase::GOODBYE),
];

/// Writes the demo files below `folder` where they are missing; the trunk's address always (the
/// fake network may have had to take another port), and the inbox's where the server listens
/// elsewhere than the last time. Returns the documents in order.
pub(crate) fn write(
    folder: &Path,
    packs: &Packs,
    network: SocketAddr,
    inbox_url: &str,
) -> anyhow::Result<Vec<PathBuf>> {
    let media = folder.join("media");
    fs::create_dir_all(&media).with_context(|| format!("cannot create {}", media.display()))?;
    for (name, phrase) in PROMPTS {
        let path = media.join(name);
        if !path.exists() {
            let encoded = packs
                .get(Lang::Zh)
                .phrase(phrase)
                .with_context(|| format!("the Chinese pack has no phrase {phrase:?}"))?;
            fs::write(&path, wav(encoded)).with_context(|| format!("cannot write {name}"))?;
        }
    }
    let trunks = folder.join("trunks.yaml");
    fs::write(&trunks, trunks_yaml(network)).context("cannot write the demo trunk")?;
    let tenant = folder.join("tenant.yaml");
    let text = match fs::read_to_string(&tenant) {
        Ok(text) => with_inbox(&text, inbox_url),
        Err(_) => tenant_yaml(inbox_url),
    };
    fs::write(&tenant, text).context("cannot write the demo tenant")?;
    Ok(vec![trunks, tenant])
}

fn trunks_yaml(network: SocketAddr) -> String {
    format!(
        "# Written anew at each start of `yunling dev`: the fake network's address.\n\
         trunks:\n\
         \x20 - {{ name: carrier-a, uri: \"sip:{network};transport=udp\", max_calls: 500, max_cps: 50, number_format: national,\n\
         \x20     username: {TRUNK_USER}, password: {TRUNK_PASSWORD}, register: true }}\n"
    )
}

fn tenant_yaml(inbox_url: &str) -> String {
    format!(
        r#"# The demo tenant of `yunling dev`. Edit it, then: yunling apply -f tenant.yaml --plan
accounts:
  - sid: {ACCOUNT_SID}
    token: "{ACCOUNT_TOKEN}"
    name: Demo
    caller_ids: [{{ number: "{CALLER_ID}", trunks: [carrier-a] }}]
    applications:
      - sid: "{APPLICATION_SID}"
        name: demo
        webhook_secret: "{WEBHOOK_SECRET}"
        notice_url: "{inbox_url}/notice"
        status_url: "{inbox_url}/status"
        cdr_url: "{inbox_url}/cdr"
        media:
          - {{ name: prompt1.wav, file: ./media/prompt1.wav }}
          - {{ name: prompt2.wav, file: ./media/prompt2.wav }}
          - {{ name: prompt3.wav, file: ./media/prompt3.wav }}
"#
    )
}

/// The tenant's file with its inbox at `inbox_url`, and whatever else a developer has written into
/// it as it is.
fn with_inbox(text: &str, inbox_url: &str) -> String {
    let lines = text.lines().map(|line| match line.split_once("\"http://") {
        Some((before, rest)) => match rest.split_once("/dev/inbox") {
            Some((_, after)) => format!("{before}\"{inbox_url}{after}"),
            None => line.to_owned(),
        },
        None => line.to_owned(),
    });
    lines.map(|line| line + "\n").collect()
}

/// A WAV file of A-law samples (format 6 of RFC 2361), which any player opens.
fn wav(encoded: &Encoded) -> Vec<u8> {
    let data = &encoded.alaw;
    let length = u32::try_from(data.len()).expect("a phrase is seconds long");
    let mut file = Vec::with_capacity(data.len() + 58);
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(length + length % 2 + 50).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt ");
    file.extend_from_slice(&18u32.to_le_bytes());
    for half in [6u16, 1] {
        file.extend_from_slice(&half.to_le_bytes());
    }
    for word in [8_000u32, 8_000] {
        file.extend_from_slice(&word.to_le_bytes());
    }
    for half in [1u16, 8, 0] {
        file.extend_from_slice(&half.to_le_bytes());
    }
    file.extend_from_slice(b"fact");
    file.extend_from_slice(&4u32.to_le_bytes());
    file.extend_from_slice(&length.to_le_bytes());
    file.extend_from_slice(b"data");
    file.extend_from_slice(&length.to_le_bytes());
    file.extend_from_slice(data);
    if data.len() % 2 == 1 {
        file.push(0);
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inbox_follows_the_server_and_edits_stay() {
        let before = tenant_yaml("http://127.0.0.1:8080/dev/inbox")
            .replace("name: demo", "name: my own")
            + "# http://elsewhere/x\n";
        let after = with_inbox(&before, "http://127.0.0.1:9999/dev/inbox");
        assert!(
            after.contains("notice_url: \"http://127.0.0.1:9999/dev/inbox/notice\""),
            "{after}"
        );
        assert!(after.contains("name: my own") && after.contains("# http://elsewhere/x"));
        assert!(!after.contains("8080"));
        assert_eq!(with_inbox(&after, "http://127.0.0.1:9999/dev/inbox"), after);
    }
}
