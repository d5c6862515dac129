//! The object store of recordings, by S3: requests are signed by a library that does no I/O, and
//! sent by the HTTP client that the rest of the program uses.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use futures_util::TryStreamExt as _;
use reqwest::header::{CONTENT_LENGTH, RANGE};
use reqwest::{Client, ClientBuilder, RequestBuilder, Response, StatusCode};
use rusty_s3::{Bucket, Credentials, S3Action as _, UrlStyle};
use tokio_util::io::StreamReader;
use yunling_app::config::ObjectStore;
use yunling_app::ports::{Bytes, Coming, ObjectError, Objects};

/// How long a signature holds: longer than a request may wait for its turn on the wire.
const SIGNED_FOR: Duration = Duration::from_secs(15 * 60);
/// How long a connection may take.
const CONNECTS_WITHIN: Duration = Duration::from_secs(5);
/// How long the store may be silent.
const SILENT: Duration = Duration::from_secs(30);
/// An upload may take so long: hours of talk at a megabit a second.
const UPLOADED_WITHIN: Duration = Duration::from_secs(30 * 60);
/// How much of the store's complaint stands in the log.
const COMPLAINT_CHARS: usize = 300;

/// A bucket.
pub(crate) struct S3 {
    client: Client,
    uploads: Client,
    bucket: Bucket,
    credentials: Credentials,
    prefix: String,
}

impl S3 {
    /// The store that the settings name. Nothing is sent yet.
    ///
    /// # Errors
    /// The operator's: a secret that is not there, a bucket that no address can have.
    pub(crate) fn new(settings: &ObjectStore) -> anyhow::Result<Self> {
        let secret = settings
            .secret(&|name| std::env::var(name).ok())
            .map_err(|problem| anyhow!("{problem}"))?;
        let style = if settings.path_style { UrlStyle::Path } else { UrlStyle::VirtualHost };
        let (endpoint, name) = (settings.endpoint.0.clone(), settings.bucket.clone());
        let bucket = Bucket::new(endpoint, style, name, settings.region.clone())
            .context("recordings.s3: endpoint and bucket make no address")?;
        let built = |client: ClientBuilder| {
            let client = client.connect_timeout(CONNECTS_WITHIN);
            let client = client.redirect(reqwest::redirect::Policy::none());
            client.build().context("recordings.s3: no HTTP client")
        };
        let client = built(Client::builder().read_timeout(SILENT))?;
        // An upload's silence lasts until its end, so it has its own patience.
        let uploads = built(Client::builder().timeout(UPLOADED_WITHIN))?;
        let credentials = Credentials::new(settings.access_key.clone(), secret.expose());
        Ok(Self { client, uploads, bucket, credentials, prefix: settings.prefix.clone() })
    }

    fn name(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }
}

impl Objects for S3 {
    fn put<'a>(&'a self, key: &'a str, file: &'a Path, octets: u64) -> Coming<'a, ()> {
        Box::pin(async move {
            let opened = tokio::fs::File::open(file).await.map_err(|error| match error.kind() {
                std::io::ErrorKind::NotFound => ObjectError::NotFound,
                _ => ObjectError::Unavailable(format!("{}: {error}", file.display())),
            })?;
            let name = self.name(key);
            let url = self.bucket.put_object(Some(&self.credentials), &name).sign(SIGNED_FOR);
            let request = self.uploads.put(url).header(CONTENT_LENGTH, octets).body(opened);
            exchanged(request).await.map(drop)
        })
    }

    fn get<'a>(&'a self, key: &'a str, part: Option<(u64, u64)>) -> Coming<'a, Bytes> {
        Box::pin(async move {
            let name = self.name(key);
            let url = self.bucket.get_object(Some(&self.credentials), &name).sign(SIGNED_FOR);
            let mut request = self.client.get(url);
            if let Some((first, last)) = part {
                request = request.header(RANGE, format!("bytes={first}-{last}"));
            }
            let response = exchanged(request).await?;
            if part.is_some() && response.status() != StatusCode::PARTIAL_CONTENT {
                let problem = "it gives no part of a file".to_owned();
                return Err(ObjectError::Unavailable(problem));
            }
            let stream = response.bytes_stream().map_err(std::io::Error::other);
            Ok(Box::pin(StreamReader::new(stream)) as Bytes)
        })
    }

    fn delete<'a>(&'a self, key: &'a str) -> Coming<'a, ()> {
        Box::pin(async move {
            let name = self.name(key);
            let url = self.bucket.delete_object(Some(&self.credentials), &name).sign(SIGNED_FOR);
            exchanged(self.client.delete(url)).await.map(drop)
        })
    }
}

async fn exchanged(request: RequestBuilder) -> Result<Response, ObjectError> {
    // The address carries the signature: it stands in no message.
    let response = request
        .send()
        .await
        .map_err(|error| ObjectError::Unavailable(error.without_url().to_string()))?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    if status == StatusCode::NOT_FOUND {
        return Err(ObjectError::NotFound);
    }
    let complaint = response.text().await.unwrap_or_default();
    let complaint: String = complaint.chars().take(COMPLAINT_CHARS).collect();
    Err(ObjectError::Unavailable(format!("{status}: {complaint}")))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use parking_lot::Mutex;
    use poem::http::{Method, header};
    use poem::listener::{Acceptor as _, Listener as _, TcpListener};
    use poem::{EndpointExt as _, Request, Response, Server, endpoint};
    use tokio::io::AsyncReadExt as _;
    use yunling_app::config::Settings;

    /// The address of a real server to try instead of the one in this file.
    const REAL: &str = "YUNLING_TEST_S3";

    /// What the tests need of S3: buckets, objects, ranges, 404, and that a request is signed.
    async fn served() -> String {
        let files = Arc::<Mutex<BTreeMap<String, Vec<u8>>>>::default();
        let answer = endpoint::make(move |mut request: Request| {
            let files = Arc::clone(&files);
            async move {
                let path = request.uri().path().trim_end_matches('/').to_owned();
                if !request.uri().query().unwrap_or("").contains("X-Amz-Signature=") {
                    return Response::builder().status(poem::http::StatusCode::FORBIDDEN).finish();
                }
                let bytes = request.take_body().into_vec().await.unwrap();
                let mut files = files.lock();
                let bucket = path.split('/').nth(1).unwrap().to_owned();
                let code = |code: u16| {
                    Response::builder().status(poem::http::StatusCode::from_u16(code).unwrap())
                };
                let is_bucket = path == format!("/{bucket}");
                if !is_bucket && !files.contains_key(&format!("/{bucket}")) {
                    return code(404).body("NoSuchBucket");
                }
                match (request.method(), files.get(&path)) {
                    (&Method::PUT, _) => {
                        files.insert(path, bytes);
                        code(200).finish()
                    }
                    (&Method::DELETE, _) => {
                        files.remove(&path);
                        code(204).finish()
                    }
                    (&Method::GET, Some(file)) => match request.header(header::RANGE) {
                        Some(range) => {
                            let (first, last) =
                                range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
                            let (first, last): (usize, usize) =
                                (first.parse().unwrap(), last.parse().unwrap());
                            code(206).body(file[first..=last].to_vec())
                        }
                        None => code(200).body(file.clone()),
                    },
                    _ => code(404).body("NoSuchKey"),
                }
            }
        });
        let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
        let address = *acceptor.local_addr()[0].as_socket_addr().unwrap();
        tokio::spawn(Server::new_with_acceptor(acceptor).run(answer.map_to_response().boxed()));
        format!("http://{address}")
    }

    fn store(endpoint: &str, bucket: &str) -> S3 {
        let text = format!(
            "node: \"10000\"\ndata_dir: ./data\ndatabase: {{ url: \"sqlite://x.db\" }}\n\
             http: {{ listen: \"127.0.0.1:8080\" }}\nsip: {{ listen: [\"udp:127.0.0.1:5060\"] }}\n\
             rtp: {{ address: 127.0.0.1, ports: 20000-20999 }}\n\
             recordings: {{ store: s3, s3: {{ endpoint: \"{endpoint}\", bucket: {bucket}, \
             prefix: \"yl/\", access_key: AK, secret_key: SK }} }}\n"
        );
        let settings = Settings::from_text("yunling.yaml", &text, Path::new("/")).unwrap();
        S3::new(settings.recordings.objects().unwrap()).unwrap()
    }

    async fn all(bytes: Result<Bytes, ObjectError>) -> Vec<u8> {
        let mut read = Vec::new();
        bytes.unwrap().read_to_end(&mut read).await.unwrap();
        read
    }

    #[tokio::test]
    async fn files_are_put_given_whole_and_in_parts_and_deleted() {
        let endpoint = match std::env::var(REAL) {
            Ok(real) => real,
            Err(_) => served().await,
        };
        let s3 = store(&endpoint, "calls");
        let url = s3.bucket.create_bucket(&s3.credentials).sign(SIGNED_FOR);
        s3.client
            .put(url)
            .header(CONTENT_LENGTH, 0)
            .send()
            .await
            .unwrap()
            .error_for_status()
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (file, key) = (folder.path().join("x.wav"), "10000/20261124/RE1_D_2_1.wav");
        let sound: Vec<u8> = (0..200_000_u32).map(|n| n as u8).collect();
        std::fs::write(&file, &sound).unwrap();
        let octets = sound.len() as u64;
        assert_eq!(s3.get(key, None).await.err(), Some(ObjectError::NotFound));
        for _ in 0..2 {
            s3.put(key, &file, octets).await.unwrap();
        }
        assert_eq!(all(s3.get(key, None).await).await, sound);
        assert_eq!(all(s3.get(key, Some((1_000, 1_999))).await).await, sound[1_000..2_000]);
        s3.delete(key).await.unwrap();
        assert_eq!(s3.get(key, None).await.err(), Some(ObjectError::NotFound));

        let nowhere = store(&endpoint, "no-such-bucket");
        assert_eq!(nowhere.put(key, &file, octets).await, Err(ObjectError::NotFound));
        let gone = folder.path().join("gone.wav");
        assert_eq!(s3.put(key, &gone, 1).await, Err(ObjectError::NotFound));
        // A port that nobody listens on: bound, and closed again.
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let away = store(&format!("http://{closed}"), "calls");
        let error = away.delete(key).await.unwrap_err();
        assert!(matches!(error, ObjectError::Unavailable(_)), "{error}");
        assert!(!error.to_string().contains("Signature"), "{error}");
    }
}
