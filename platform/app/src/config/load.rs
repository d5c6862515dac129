//! Reading `yunling.yaml`: text → settings whose paths are whole and whose numbers are possible.

use super::{Settings, SipListen, SipTransport, exports, recordings};
use crate::yaml::{self, FieldPath, FileError, Parsed};
use std::path::{Path, PathBuf};

impl Settings {
    /// Reads a file. Relative paths in it start from the file's own folder.
    ///
    /// # Errors
    /// [`FileError`]: the file cannot be read, or something in it is wrong; it says which field.
    pub fn load(file: &Path) -> Result<Self, FileError> {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file)
            .map_err(|error| FileError::whole(&name, format!("cannot be read: {error}")))?;
        let folder =
            file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Self::from_text(&name, &text, folder)
    }

    /// Reads a text that stands for the file `name` in `folder`.
    ///
    /// # Errors
    /// [`FileError`] with the place and the field.
    pub fn from_text(name: &str, text: &str, folder: &Path) -> Result<Self, FileError> {
        let mut settings: Self = yaml::parse(name, text)?;
        settings.data_dir = from_folder(folder, &settings.data_dir);
        for file in &mut settings.resources {
            *file = from_folder(folder, file);
        }
        if let Some(packs) = &mut settings.speech.packs {
            *packs = from_folder(folder, packs);
        }
        let recordings = settings.recordings.folder.take();
        settings.recordings.folder = Some(match recordings {
            Some(given) => from_folder(folder, &given),
            None => settings.data_dir.join(recordings::FOLDER),
        });
        settings.recordings.place(folder);
        let given = settings.exports.folder.take();
        settings.exports.folder = Some(match given {
            Some(given) => from_folder(folder, &given),
            None => settings.data_dir.join(exports::FOLDER),
        });
        if let Some(tls) = &mut settings.sip.tls {
            for file in [&mut tls.certificate, &mut tls.key] {
                *file = from_folder(folder, file);
            }
        }
        settings.database.url = database_url(folder, &settings.database.url);
        match settings.impossible() {
            Some((path, problem)) => Err(FileError::at(name, text, &path, problem)),
            None => Ok(settings),
        }
    }

    /// The first field whose value cannot work, and what was expected of it.
    fn impossible(&self) -> Option<(FieldPath, String)> {
        let field = |outer: &str, inner: &str| FieldPath::root().key(outer).key(inner);
        if !(self.database.url.starts_with("sqlite:") || self.database.url.starts_with("postgres"))
        {
            return Some((
                field("database", "url"),
                "expected sqlite://… or postgres://…".to_owned(),
            ));
        }
        if self.sip.listen.is_empty() {
            return Some((field("sip", "listen"), "expected at least one listener".to_owned()));
        }
        let over_tls = |listen: &Parsed<SipListen>| listen.0.transport == SipTransport::Tls;
        if self.sip.tls.is_none() && self.sip.listen.iter().any(over_tls) {
            let problem = "expected sip.tls with certificate and key for the tls: listener";
            return Some((field("sip", "listen"), problem.to_owned()));
        }
        if self.sip.dns.as_ref().is_some_and(Vec::is_empty) {
            let problem = "expected at least one name server, or the key left out";
            return Some((field("sip", "dns"), problem.to_owned()));
        }
        if let Some(problem) = self.telemetry.impossible() {
            let (key, problem) = problem;
            return Some((field("telemetry", key), problem));
        }
        if let Some((key, problem)) = self.recordings.impossible() {
            return Some((field("recordings", key), problem));
        }
        let hours = self.calls.campaign_hours;
        if hours.from >= hours.to {
            let problem = format!("expected from before to, found {} to {}", hours.from, hours.to);
            return Some((field("calls", "campaign_hours"), problem));
        }
        let flood = self.sip.flood;
        let limits = [("per_source_per_s", flood.per_source_per_s), ("burst", flood.burst)];
        if let Some((key, found)) =
            limits.into_iter().find(|(_, value)| !(1..=1_000_000).contains(value))
        {
            let problem = format!("expected 1 to 1000000, found {found}");
            return Some((field("sip", "flood").key(key), problem));
        }
        let numbers: [(&str, &str, u64, u64, u64); 28] = [
            ("rtp", "silence_s", self.rtp.silence_s.into(), 2, 3_600),
            ("callbacks", "max_in_flight", self.callbacks.max_in_flight.into(), 1, 100_000),
            (
                "callbacks",
                "max_in_flight_per_endpoint",
                self.callbacks.max_in_flight_per_endpoint.into(),
                1,
                10_000,
            ),
            ("callbacks", "timeout_ms", self.callbacks.timeout_ms.into(), 100, 120_000),
            ("calls", "ring_ms", self.calls.ring_ms.into(), 1_000, 300_000),
            ("calls", "no_reply_ms", self.calls.no_reply_ms.into(), 500, 32_000),
            ("calls", "max_duration_ms", self.calls.max_duration_ms.into(), 1_000, 86_400_000),
            ("calls", "key_window_ms", self.calls.key_window_ms.into(), 0, 60_000),
            ("calls", "max_plays", self.calls.max_plays.into(), 3, 100),
            ("calls", "captcha_times", self.calls.captcha_times.into(), 1, 10),
            ("calls", "queue_max_len", self.calls.queue_max_len.into(), 0, 10_000_000),
            ("calls", "live_share_percent", self.calls.live_share_percent.into(), 0, 90),
            ("calls", "batch_max_numbers", self.calls.batch_max_numbers.into(), 1, 300_000),
            ("calls", "batch_max_waiting", self.calls.batch_max_waiting.into(), 1, 100_000_000),
            ("calls", "drain_s", self.calls.drain_s.into(), 0, 3_600),
            ("speech", "gap_ms", self.speech.gap_ms.into(), 0, 5_000),
            ("speech", "replay_gap_ms", self.speech.replay_gap_ms.into(), 0, 10_000),
            ("speech", "media_cache_mib", self.speech.media_cache_mib.into(), 1, 1 << 20),
            ("media", "max_upload_mib", self.media.max_upload_mib.into(), 1, 1_024),
            ("media", "max_length_s", self.media.max_length_s.into(), 1, 3_600),
            ("recordings", "keep_days", self.recordings.keep_days.into(), 1, 36_500),
            ("recordings", "link_s", self.recordings.link_s.into(), 60, 315_360_000),
            ("recordings", "min_free_mib", self.recordings.min_free_mib.into(), 0, 1 << 30),
            ("exports", "keep_days", self.exports.keep_days.into(), 1, 36_500),
            ("exports", "link_s", self.exports.link_s.into(), 60, 315_360_000),
            ("sip_trace", "ring_mib", self.sip_trace.ring_mib.into(), 0, 1 << 16),
            ("sip_trace", "sample_percent", self.sip_trace.sample_percent.into(), 0, 100),
            ("sip_trace", "keep_days", self.sip_trace.keep_days.into(), 1, 3_650),
        ];
        numbers.into_iter().find(|(_, _, value, least, most)| !(least..=most).contains(&value)).map(
            |(outer, inner, value, least, most)| {
                (field(outer, inner), format!("expected {least} to {most}, found {value}"))
            },
        )
    }
}

fn from_folder(folder: &Path, path: &Path) -> PathBuf {
    if path.is_absolute() { path.to_owned() } else { folder.join(path) }
}

/// `sqlite://./data/x.db` starts from the file's folder as every other path does.
fn database_url(folder: &Path, url: &str) -> String {
    let Some(rest) = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")) else {
        return url.to_owned();
    };
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (rest, None),
    };
    if path.is_empty() || path == ":memory:" {
        return url.to_owned();
    }
    let whole = from_folder(folder, Path::new(path));
    match query {
        Some(query) => format!("sqlite://{}?{query}", whole.display()),
        None => format!("sqlite://{}", whole.display()),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const WHOLE: &str = r#"
node: "10000"
data_dir: ./data
database: { url: "sqlite://./data/yunling.db" }
http: { listen: "127.0.0.1:8080", public_url: "http://127.0.0.1:8080" }
sip: { listen: ["udp:127.0.0.1:5060", "tcp:127.0.0.1:5060"] }
rtp: { address: "127.0.0.1", ports: "20000-29999" }
callbacks: { allow: ["127.0.0.0/8"] }
resources: ["./tenant.yaml", "/etc/yunling/more.yaml"]
"#;

    fn read(text: &str) -> Result<Settings, FileError> {
        Settings::from_text("yunling.yaml", text, Path::new("/srv/yunling"))
    }

    #[test]
    fn the_contract_is_read_and_paths_start_at_the_file() {
        let settings = read(WHOLE).unwrap();
        assert_eq!(settings.data_dir, Path::new("/srv/yunling/./data"));
        assert_eq!(settings.database.url, "sqlite:///srv/yunling/./data/yunling.db");
        assert_eq!(
            settings.resources,
            [Path::new("/srv/yunling/./tenant.yaml"), Path::new("/etc/yunling/more.yaml")]
        );
        assert_eq!(settings.sip.listen.len(), 2);
        assert_eq!(settings.public_url(), "http://127.0.0.1:8080");
        assert_eq!(settings.calls.ring_ms, 60_000);
        assert_eq!(settings.calls.queue_max_wait.captchas_s, 5);
        assert_eq!(settings.callbacks.timeout_ms, 15_000);
        assert_eq!(settings.zone.0, chrono_tz::Asia::Shanghai);
    }

    #[test]
    fn wrong_settings_are_told_with_place_field_and_expectation() {
        let swaps = [
            ("node: \"10000\"", "node: \"123\""),
            ("http: {", "htpp: {"),
            ("127.0.0.1:8080\",", "localhost\","),
            ("udp:127.0.0.1:5060", "sctp:127.0.0.1:5060"),
            ("20000-29999", "20001-29999"),
            ("address: \"127.0.0.1\"", "address: \"eth0\""),
            ("127.0.0.0/8", "127.0.0.0/64"),
            ("[\"udp:127.0.0.1:5060\", \"tcp:127.0.0.1:5060\"]", "[]"),
            ("sqlite://./data/yunling.db", "mysql://x"),
            ("\"tcp:127.0.0.1:5060\"] }", "\"tls:127.0.0.1:5061\"] }"),
            ("\"tcp:127.0.0.1:5060\"] }", "\"tcp:127.0.0.1:5060\"], dns: [] }"),
            ("\"tcp:127.0.0.1:5060\"] }", "\"tcp:127.0.0.1:5060\"], dns: [\"dns.example\"] }"),
            ("callbacks: {", "calls: { ring_ms: 10 }\ncallbacks: {"),
            ("callbacks: {", "zone: Asia/Peking\ncallbacks: {"),
            ("callbacks: {", "log: { format: xml }\ncallbacks: {"),
            ("callbacks: {", "sip_trace: { keep: some }\ncallbacks: {"),
            ("callbacks: {", "sip_trace: { sample_percent: 101 }\ncallbacks: {"),
            ("callbacks: {", "telemetry: { otlp: \"grpc://c:4317\" }\ncallbacks: {"),
            ("callbacks: {", "telemetry: { sample_ratio: 1.5 }\ncallbacks: {"),
        ];
        let told: Vec<String> = swaps
            .iter()
            .map(|(from, to)| {
                let text = WHOLE.replace(from, to);
                assert_ne!(text, WHOLE, "{from:?} is in the sample");
                format!("{to}\n    {}", read(&text).unwrap_err())
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"));
    }
}
