//! RFC 4475 against the sockets: each message by UDP and by TCP.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use crate::counters;
use crate::rig::{PATIENCE, Rig, UNLIMITED, own_address, ping, socket};
use crate::torture_table::{Outcome, ROWS, Row};

/// Where the messages say that responses go: Via's port, and SIP's own.
const PORTS: [u16; 2] = [5060, 5050];

/// The stream is closed because nobody can tell where its next message begins.
const TORN: Outcome = Outcome::Dropped("torn");

fn message(row: &Row) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/hostile_survival/rfc4475");
    std::fs::read(folder.join(format!("{}.sip", row.name))).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_tortuous_datagram_comes_to_what_the_table_says() {
    let rig = Rig::start(UNLIMITED).await;
    let engine = rig.udp();
    let wrong = tokio::task::spawn_blocking(move || {
        let ip = own_address();
        let sockets = PORTS.map(|port| socket(ip, port));
        let outcome = |row: &Row| by_udp(row, engine, ip, &sockets);
        differences(outcome, |row| row.udp)
    });
    let wrong = wrong.await.unwrap();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(rig.switch.is_bound());
    counters::assert_nothing_panicked();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_tortuous_message_on_a_stream_comes_to_what_the_table_says() {
    let rig = Rig::start(UNLIMITED).await;
    let engine = rig.tcp();
    let wrong =
        tokio::task::spawn_blocking(move || differences(|row| by_tcp(row, engine), |row| row.tcp));
    let wrong = wrong.await.unwrap();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(rig.switch.is_bound());
    counters::assert_nothing_panicked();
}

/// Rows whose outcome is not the expected one.
fn differences(
    found: impl Fn(&Row) -> Option<Outcome>,
    expected: impl Fn(&Row) -> Outcome,
) -> Vec<String> {
    let differs = |row: &Row| {
        let (found, expected) = (found(row), expected(row));
        (found != Some(expected))
            .then(|| format!("{} {}: {found:?}, not {expected:?}", row.section, row.name))
    };
    ROWS.iter().filter_map(differs).collect()
}

/// The reason that was counted since.
fn dropped_since(before: &std::collections::BTreeMap<String, u64>) -> Option<Outcome> {
    let now = counters::dropped();
    let why = now.iter().find(|(why, count)| before.get(*why).copied().unwrap_or(0) < **count)?.0;
    ROWS.iter()
        .flat_map(|row| [row.udp, row.tcp])
        .find(|outcome| matches!(outcome, Outcome::Dropped(known) if known == why))
        .or(Some(Outcome::Dropped("a reason that no row has")))
}

fn by_udp(
    row: &Row,
    engine: SocketAddr,
    ip: Ipv4Addr,
    sockets: &[UdpSocket; 2],
) -> Option<Outcome> {
    let before = counters::dropped();
    sockets[0].send_to(&message(row), engine).unwrap();
    // Answered behind whatever the message is answered with.
    let barrier = ping(&format!("behind-{}", row.name), SocketAddr::from((ip, PORTS[0])));
    sockets[0].send_to(barrier.as_bytes(), engine).unwrap();
    let mut buffer = [0; 65_536];
    let mut statuses = Vec::new();
    loop {
        let length = sockets[0].recv(&mut buffer).unwrap();
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if text.contains("Call-ID: behind-") {
            break;
        }
        statuses.push(status(&text));
    }
    sockets[1].set_nonblocking(true).unwrap();
    match sockets[1].recv(&mut buffer) {
        Ok(length) => statuses.push(status(&String::from_utf8_lossy(&buffer[..length]))),
        Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
    }
    match statuses[..] {
        [] => dropped_since(&before),
        [one] => Some(Outcome::Status(one)),
        _ => panic!("{}: answered more than once: {statuses:?}", row.name),
    }
}

/// Sends a message on a stream of its own, and waits for what it comes to.
fn by_tcp(row: &Row, engine: SocketAddr) -> Option<Outcome> {
    let before = counters::dropped();
    let mut stream = TcpStream::connect(engine).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&message(row)).unwrap();
    if row.tcp == Outcome::Awaited {
        stream.shutdown(Shutdown::Write).unwrap();
    }
    let since = Instant::now();
    let mut text = String::new();
    stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let mut buffer = [0; 8_192];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => {
                text += &String::from_utf8_lossy(&buffer[..length]);
                // Line ends between messages are keep-alives, which are answered too.
                if text.contains("SIP/2.0 ") && row.tcp != TORN {
                    break;
                }
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(_) if dropped_since(&before).is_some() => break,
            Err(_) => {}
        }
        assert!(since.elapsed() < PATIENCE, "{}: neither answered nor dropped", row.name);
    }
    let _closed = stream.shutdown(Shutdown::Both);
    if row.tcp == Outcome::Awaited && text.is_empty() && dropped_since(&before).is_none() {
        return Some(Outcome::Awaited);
    }
    // Whether what came before was answered is a race with the stream's end.
    if row.tcp == TORN && dropped_since(&before) == Some(TORN) {
        return Some(TORN);
    }
    if let Some(response) = text.find("SIP/2.0 ") {
        return Some(Outcome::Status(status(&text[response..])));
    }
    // The counter moves beside the connection's end.
    while dropped_since(&before).is_none() && since.elapsed() < Duration::from_secs(5) {
        thread::sleep(Duration::from_millis(2));
    }
    dropped_since(&before)
}

fn status(response: &str) -> u16 {
    response[8..11].parse().unwrap_or_else(|_| panic!("no status: {response}"))
}

#[test]
fn every_message_of_the_rfc_is_in_the_table() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/hostile_survival/rfc4475");
    let files = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<String> = files
        .map(|file| file.unwrap().file_name().to_string_lossy().into_owned())
        .filter_map(|name| name.strip_suffix(".sip").map(str::to_owned))
        .collect();
    let mut names: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
    files.sort();
    names.sort_unstable();
    assert_eq!(files, names);
}

/// `YUNLING_WRITE_DOCS=1` writes it.
#[test]
fn the_table_in_the_docs_is_this_one() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/HOSTILE-INPUT.md");
    let page = std::fs::read_to_string(&file).unwrap();
    let (begin, end) = ("<!-- torture table: begin -->\n", "<!-- torture table: end -->");
    let (before, rest) = page.split_once(begin).unwrap();
    let (found, after) = rest.split_once(end).unwrap();
    let expected = markdown();
    if std::env::var_os("YUNLING_WRITE_DOCS").is_some() {
        return std::fs::write(&file, format!("{before}{begin}{expected}{end}{after}")).unwrap();
    }
    assert_eq!(found, expected, "write it with YUNLING_WRITE_DOCS=1");
}

fn markdown() -> String {
    let show = |outcome: Outcome| match outcome {
        Outcome::Status(status) => status.to_string(),
        Outcome::Dropped(why) => format!("dropped, `{why}`"),
        Outcome::Awaited => "the rest is awaited".to_owned(),
    };
    let mut text =
        "| § | message | what is tortuous | UDP | TCP | why |\n|---|---|---|---|---|---|\n"
            .to_owned();
    for row in &ROWS {
        let (udp, tcp) = (show(row.udp), show(row.tcp));
        text += &format!(
            "| {} | `{}` | {} | {udp} | {tcp} | {} |\n",
            row.section, row.name, row.about, row.why
        );
    }
    text
}
