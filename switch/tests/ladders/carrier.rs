//! sipp as the carrier, its scenarios written as steps.

use std::fmt::Write as _;
use std::net::{TcpListener, UdpSocket};
use std::process::Stdio;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::{Child, Command};

/// How long sipp may take before it fails by itself.
const LIMIT_S: u32 = 45;

/// One step of a scenario.
#[derive(Clone, Copy)]
pub(crate) enum Step {
    /// A request must come.
    Recv(&'static str),
    /// A request must come, and match this regular expression.
    Check(&'static str, &'static str),
    /// A re-INVITE must come, and match.
    CheckReinvite(&'static str),
    /// A response of this status must come to a request of ours.
    RecvStatus(u16),
    /// A response must come, and match.
    CheckStatus(u16, &'static str),
    /// Respond to the last request: status line, further headers.
    Answer(&'static str, &'static str),
    /// Respond to the last request, with SDP whose media section is this.
    AnswerSdp(&'static str, &'static str),
    /// Respond to the last request with headers and SDP.
    AnswerBoth(&'static str, &'static str, &'static str),
    /// Respond to the INVITE although something else came later.
    AnswerInvite(&'static str, &'static str),
    /// The same with SDP.
    AnswerInviteSdp(&'static str, &'static str),
    /// The same with headers and SDP.
    AnswerInviteBoth(&'static str, &'static str, &'static str),
    /// Send a request in the dialog: method, CSeq, further headers.
    Send(&'static str, u32, &'static str),
    /// The same with a body; its Content-Type is among the headers.
    SendBody(&'static str, u32, &'static str, &'static str),
    /// Wait, milliseconds.
    Pause(u32),
}

/// A media section that we can use.
pub(crate) const AUDIO: &str = "m=audio [media_port] RTP/AVP 8 101\n\
    a=rtpmap:8 PCMA/8000\na=rtpmap:101 telephone-event/8000\na=ptime:20";

const NEW_TAG: &str = ";tag=callee[call_number]";
const LAST: &str = "[last_Via:]\n[last_CSeq:]\n[last_From:]\n[last_To:]";
const INVITE: &str = "Via:[$invite_via]\nCSeq:[$invite_cseq]\nFrom:[$caller]\nTo:[$called]";

const SDP_HEAD: &str = "v=0\no=- 1 1 IN IP4 [local_ip]\ns=-\nc=IN IP4 [local_ip]\nt=0 0";

/// A running sipp.
pub(crate) struct Carrier {
    child: Child,
    pub port: u16,
    folder: TempDir,
}

impl Carrier {
    pub(crate) async fn start(steps: &[Step]) -> Self {
        Self::launch(steps, "u1", 1).await
    }

    pub(crate) async fn over_tcp(steps: &[Step]) -> Self {
        Self::launch(steps, "t1", 1).await
    }

    /// For so many calls, of `u1` (datagrams) or `t1` (one connection).
    pub(crate) async fn launch(steps: &[Step], transport: &str, calls: u32) -> Self {
        loop {
            let mut carrier = Self::spawn(steps, transport, calls, free_port());
            if carrier.is_bound(transport).await {
                return carrier;
            }
            // Between our choosing a port and its binding, somebody else was quicker.
            let errors = carrier.errors();
            assert!(errors.contains("Address already in use"), "sipp ended at once: {errors}");
        }
    }

    /// Where another carrier was before.
    pub(crate) async fn at_port(steps: &[Step], port: u16) -> Self {
        let mut carrier = Self::spawn(steps, "u1", 1, port);
        assert!(carrier.is_bound("u1").await, "sipp ended at once: {}", carrier.errors());
        carrier
    }

    fn spawn(steps: &[Step], transport: &str, calls: u32, port: u16) -> Self {
        static MEDIA_PORTS: AtomicU16 = AtomicU16::new(0);
        // Below the ports that the system gives away; sipp takes four in a row.
        let turn = MEDIA_PORTS.fetch_add(4, Ordering::Relaxed);
        let start = u16::try_from(std::process::id() % 2_000).unwrap() * 4;
        let media_port = 10_000 + (start + turn) % 8_000;
        let folder = tempfile::tempdir().unwrap();
        let scenario = folder.path().join("scenario.xml");
        std::fs::write(&scenario, xml(steps)).unwrap();
        let child = Command::new("sipp")
            .args(["-i", "127.0.0.1", "-mi", "127.0.0.1", "-mp", &media_port.to_string()])
            .args(["-t", transport, "-p", &port.to_string(), "-buff_size", "4000000"])
            .args(["-m", &calls.to_string(), "-nostdin"])
            .args(["-timeout", &format!("{LIMIT_S}s"), "-timeout_error"])
            .args(["-trace_err", "-error_file", "errors.log"])
            .args(["-trace_msg", "-message_file", "messages.log"])
            .arg("-sf")
            .arg(&scenario)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.path().join("stderr.log")).unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("sipp does not start ({error}): install sip-tester"));
        Self { child, port, folder }
    }

    /// Waits until its port can no longer be had: it listens. False if it ended instead.
    async fn is_bound(&mut self, transport: &str) -> bool {
        let address = ("127.0.0.1", self.port);
        loop {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            let free = match transport {
                "u1" => UdpSocket::bind(address).is_ok(),
                _ => TcpListener::bind(address).is_ok(),
            };
            if !free {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// It went through all its steps.
    pub(crate) async fn assert_content(mut self) {
        let status = self.child.wait().await.unwrap();
        assert!(status.success(), "sipp: {status}\n{}\n{}", self.errors(), self.messages());
    }

    /// All messages that it saw.
    pub(crate) fn messages(&self) -> String {
        self.read("messages.log")
    }

    fn errors(&self) -> String {
        self.read("stderr.log") + &self.read("errors.log")
    }

    fn read(&self, name: &str) -> String {
        let bytes = std::fs::read(self.folder.path().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// A port that both transports have free.
pub(crate) fn free_port() -> u16 {
    loop {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

fn xml(steps: &[Step]) -> String {
    let mut xml =
        String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<scenario name=\"carrier\">\n");
    // What belongs to the dialog has our tag already.
    let mut tag = NEW_TAG;
    for step in steps {
        if let Step::Recv(method) | Step::Check(method, _) = *step {
            tag = if matches!(method, "INVITE" | "CANCEL") { NEW_TAG } else { "" };
        } else if let Step::CheckReinvite(_) = *step {
            tag = "";
        }
        match *step {
            Step::Recv(method) => recv(&mut xml, method, ".*"),
            Step::Check(method, pattern) => recv(&mut xml, method, pattern),
            Step::CheckReinvite(pattern) => recv(&mut xml, "INVITE", pattern),
            Step::RecvStatus(status) => recv_status(&mut xml, status, ".*"),
            Step::CheckStatus(status, pattern) => recv_status(&mut xml, status, pattern),
            Step::Answer(line, headers) => answer(&mut xml, line, (LAST, tag), headers, None),
            Step::AnswerSdp(line, media) => answer(&mut xml, line, (LAST, tag), "", Some(media)),
            Step::AnswerBoth(line, headers, media) => {
                answer(&mut xml, line, (LAST, tag), headers, Some(media));
            }
            Step::AnswerInvite(line, headers) => {
                answer(&mut xml, line, (INVITE, tag), headers, None);
            }
            Step::AnswerInviteSdp(line, media) => {
                answer(&mut xml, line, (INVITE, tag), "", Some(media));
            }
            Step::AnswerInviteBoth(line, headers, media) => {
                answer(&mut xml, line, (INVITE, tag), headers, Some(media));
            }
            Step::Send(method, cseq, headers) => request(&mut xml, method, cseq, headers, None),
            Step::SendBody(method, cseq, headers, body) => {
                request(&mut xml, method, cseq, headers, Some(body));
            }
            Step::Pause(ms) => {
                let _infallible = writeln!(xml, "<pause milliseconds=\"{ms}\"/>");
            }
        }
    }
    // sipp takes a variable that nothing reads for a slip, and one that nothing sets for another.
    let of_invite = if xml.contains("invite_cseq") {
        ",contact,caller,called,invite_cseq,invite_via"
    } else {
        ""
    };
    let _infallible = write!(xml, "<Reference variables=\"checked{of_invite}\"/>\n</scenario>\n");
    xml
}

fn recv(xml: &mut String, method: &str, pattern: &str) {
    let _infallible = writeln!(xml, "<recv request=\"{method}\">\n<action>");
    check(xml, pattern);
    if method == "INVITE" {
        for (expression, header, variable) in [
            ("sip:[^&gt;]*", "Contact:", "contact"),
            (".*", "From:", "caller"),
            (".*", "To:", "called"),
            (".*", "CSeq:", "invite_cseq"),
            (".*", "Via:", "invite_via"),
        ] {
            let _infallible = writeln!(
                xml,
                "<ereg regexp=\"{expression}\" search_in=\"hdr\" header=\"{header}\" check_it=\"true\" assign_to=\"{variable}\"/>"
            );
        }
    }
    xml.push_str("</action>\n</recv>\n");
}

fn recv_status(xml: &mut String, status: u16, pattern: &str) {
    let _infallible = writeln!(xml, "<recv response=\"{status}\">\n<action>");
    check(xml, pattern);
    xml.push_str("</action>\n</recv>\n");
}

fn check(xml: &mut String, pattern: &str) {
    let pattern = pattern
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;");
    let _infallible = writeln!(
        xml,
        "<ereg regexp=\"{pattern}\" search_in=\"msg\" check_it=\"true\" assign_to=\"checked\"/>"
    );
}

fn answer(
    xml: &mut String,
    line: &str,
    (transaction, tag): (&str, &str),
    headers: &str,
    media: Option<&str>,
) {
    let tag = match transaction {
        _ if line.starts_with("100") => "",
        INVITE => NEW_TAG,
        _ => tag,
    };
    let body = media.map_or_else(String::new, |media| format!("{SDP_HEAD}\n{media}\n"));
    let content_type = if media.is_some() { "Content-Type: application/sdp\n" } else { "" };
    let _infallible = writeln!(
        xml,
        "<send><![CDATA[\nSIP/2.0 {line}\n{transaction}{tag}\n\
         [last_Call-ID:]\n\
         Contact: <sip:callee@[local_ip]:[local_port];transport=[transport]>\n{headers}{content_type}\
         Content-Length: [len]\n\n{body}]]></send>"
    );
}

fn request(xml: &mut String, method: &str, cseq: u32, headers: &str, body: Option<&str>) {
    let body = body.map_or_else(String::new, |body| format!("{body}\n"));
    let _infallible = writeln!(
        xml,
        "<send><![CDATA[\n{method} [$contact] SIP/2.0\n\
         Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\nMax-Forwards: 70\n\
         From: <sip:callee@[local_ip]>;tag=callee[call_number]\nTo:[$caller]\n[last_Call-ID:]\n\
         CSeq: {cseq} {method}\n\
         Contact: <sip:callee@[local_ip]:[local_port];transport=[transport]>\n{headers}\
         Content-Length: [len]\n\n{body}]]></send>"
    );
}
