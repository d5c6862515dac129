//! Storms of mutated packets against an engine with live calls.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use yunling_fuzz::{Dice, Mutator};
use yunling_switch::FloodLimits;
use yunling_switch_contract::LegId;

use crate::counters;
use crate::phone::{Phone, Talking, key_press};
use crate::rig::{PATIENCE, Rig, own_address, ping, socket};

/// Datagrams of SIP, and of RTP and RTCP.
const SIP_DATAGRAMS: usize = 100_000;
const MEDIA_PACKETS: usize = 1_000_000;

/// Resident memory may grow by so much: what the allocator keeps, and the remains of ended calls.
const GROWTH_BYTES: usize = 48 << 20;

/// And by so much in the second half of a storm: what grows with each packet shows here.
const LATE_GROWTH_BYTES: usize = 8 << 20;

/// Datagrams between two barriers: fewer than the socket's buffer holds.
const BATCH: usize = 400;

/// The generator's seed.
fn seed() -> u64 {
    let seed = std::env::var("YUNLING_FUZZ_SEED").map_or(4_475, |text| text.parse().unwrap());
    eprintln!("YUNLING_FUZZ_SEED={seed}");
    seed
}

/// Resident memory of this process.
fn resident_bytes() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4_096
}

async fn talk(rig: &Rig, leg: &LegId) -> Talking {
    let phone = Phone::new();
    rig.dial(leg, phone.port());
    let phone = tokio::task::spawn_blocking(|| phone.answer()).await.unwrap();
    rig.until_answered(leg).await;
    phone
}

/// Makes sure that all was read: a request behind it is answered.
fn barrier(from: &UdpSocket, engine: SocketAddr, number: usize) {
    let call_id = format!("barrier-{number}-end");
    let request = ping(&call_id, from.local_addr().unwrap());
    let since = Instant::now();
    let mut buffer = [0; 65_536];
    loop {
        from.send_to(request.as_bytes(), engine).unwrap();
        while let Ok(length) = from.recv(&mut buffer) {
            if String::from_utf8_lossy(&buffer[..length]).contains(&call_id) {
                return;
            }
        }
        assert!(since.elapsed() < PATIENCE, "the engine does not answer any more");
    }
}

/// Messages of and to a live call, to be mutated.
fn messages(phone: &Talking) -> Vec<Vec<u8>> {
    let (via, from, to) = (phone.header("Via"), phone.header("From"), phone.header("To"));
    let (call_id, cseq) = (phone.header("Call-ID"), phone.header("CSeq"));
    let sdp = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
        m=audio 9 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n";
    let reply = |line: &str, tag: &str, cseq: &str, body: &str| {
        format!(
            "SIP/2.0 {line}\r\n{via}\r\n{from}\r\n{to};tag={tag}\r\n{call_id}\r\n{cseq}\r\n\
             Contact: <sip:x@127.0.0.1:9>\r\nContent-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let ask = |method: &str, cseq: u32, headers: &str, body: &str| {
        format!(
            "{method} sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK{cseq}\r\n\
             Max-Forwards: 70\r\n{};tag=phone\r\n{}\r\n{call_id}\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:x@127.0.0.1:9>\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            to.replacen("To", "From", 1),
            from.replacen("From", "To", 1),
            body.len()
        )
    };
    let info = "Content-Type: application/dtmf-relay\r\n";
    [
        reply("180 Ringing", "phone", &cseq, ""),
        reply("200 OK", "phone", &cseq, sdp),
        reply("200 OK", "other", &cseq, sdp),
        reply("401 Unauthorized", "phone", &cseq, ""),
        reply("503 Service Unavailable", "phone", &cseq, ""),
        reply("200 OK", "phone", "CSeq: 2 BYE", ""),
        ask("INVITE", 5, "Content-Type: application/sdp\r\n", sdp),
        ask("ACK", 5, "", ""),
        ask("INFO", 6, info, "Signal=5\r\nDuration=160\r\n"),
        ask("UPDATE", 7, "Session-Expires: 90;refresher=uac\r\n", ""),
        ask("OPTIONS", 8, "", ""),
        ask("REGISTER", 9, "", ""),
    ]
    .map(String::into_bytes)
    .to_vec()
}

/// One call's identifiers are in the storm and may end of it; the other's media is measured.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_signalling_is_survived_and_calls_beside_it_go_on() {
    let rig = Rig::start(FloodLimits::default()).await;
    let (target, other) = (LegId::new("CAtarget"), LegId::new("CAother"));
    let (aimed_at, beside) = (talk(&rig, &target).await, talk(&rig, &other).await);
    let (mut seeds, engine) = (messages(&aimed_at), rig.udp());
    seeds.extend(tortuous());
    let before = resident_bytes();
    let sip = Arc::clone(&aimed_at.sip);
    let storm = tokio::task::spawn_blocking(move || {
        let mut dice = Dice::new(seed());
        let mutator = Mutator::new(&["\r\n", "Via: ", ";tag=", "sip:", "127.0.0.1"], 4_000);
        // A neighbour of the peer's, which is no stranger; the peer itself; two strangers.
        let neighbour = UdpSocket::bind("127.0.0.1:0").unwrap();
        neighbour.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let strangers = [socket(own_address(), 0), socket(own_address(), 0)];
        let began = Instant::now();
        let mut half = 0;
        for number in 0..SIP_DATAGRAMS {
            let datagram = mutator.mutate(&seeds, &mut dice);
            let from = match dice.below(10) {
                0 => &strangers[0],
                1 => &strangers[1],
                2 => &*sip,
                _ => &neighbour,
            };
            let _too_long = from.send_to(&datagram, engine);
            if number % BATCH == 0 {
                barrier(&neighbour, engine, number);
            }
            if number == SIP_DATAGRAMS / 2 {
                half = resident_bytes();
            }
        }
        barrier(&neighbour, engine, SIP_DATAGRAMS);
        eprintln!("{SIP_DATAGRAMS} datagrams in {:?}", began.elapsed());
        half
    });
    let memory = [before, storm.await.unwrap(), resident_bytes()];
    let heard = beside.stop();
    rig.hang_up(&other);
    rig.hang_up(&target);
    rig.until_ended(&target).await;
    check_after(&rig, &memory, &heard).await;
    aimed_at.stop();
    assert!(counters::dropped_for("malformed") > 100, "{:?}", counters::dropped());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_media_is_survived_and_calls_beside_it_go_on() {
    let rig = Rig::start(FloodLimits::default()).await;
    let (target, other) = (LegId::new("CAtarget"), LegId::new("CAother"));
    let (aimed_at, beside) = (talk(&rig, &target).await, talk(&rig, &other).await);
    // The peer is heard first, so that none of the storm's own sources is taken for it.
    for phone in [&aimed_at, &beside] {
        phone.press(1, 1);
    }
    let before = resident_bytes();
    let (rtp, rtcp) = (Arc::clone(&aimed_at.rtp), Arc::clone(&aimed_at.rtcp));
    let (aim, side) = (aimed_at.media, beside.media);
    let storm = tokio::task::spawn_blocking(move || {
        let mut dice = Dice::new(seed());
        let mutator = Mutator::new(&[], 1_700);
        let mut seeds: Vec<Vec<u8>> = key_press(5, 9).into_iter().collect();
        seeds.push([&[0x80, 8, 0, 1, 0, 0, 0, 160, 9, 9, 9, 9][..], &[0xD5; 160]].concat());
        seeds.push(vec![
            0x81, 201, 0, 7, 0, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 5, 0, 0, 0, 6, 0, 0, 0,
            7, 1, 2, 3, 4,
        ]);
        let stranger = socket(own_address(), 0);
        let packets: Vec<Vec<u8>> =
            (0..20_000).map(|_| mutator.mutate(&seeds, &mut dice)).collect();
        let began = Instant::now();
        let mut half = 0;
        for number in 0..MEDIA_PACKETS {
            let packet = &packets[dice.below(packets.len())];
            let control = |media: SocketAddr| SocketAddr::new(media.ip(), media.port() + 1);
            // What is too long for the network is not sent; a full buffer loses it, as it should.
            let _lost = match dice.below(8) {
                0 => stranger.send_to(packet, aim),
                1 => stranger.send_to(packet, control(aim)),
                2 => stranger.send_to(packet, side),
                3 => rtcp.send_to(packet, control(aim)),
                4 => rtp.send_to(packet, control(side)),
                _ => rtp.send_to(packet, aim),
            };
            if number == MEDIA_PACKETS / 2 {
                half = resident_bytes();
            }
        }
        eprintln!("{MEDIA_PACKETS} packets in {:?}", began.elapsed());
        half
    });
    let memory = [before, storm.await.unwrap(), resident_bytes()];
    let heard = beside.stop();
    rig.hang_up(&other);
    rig.hang_up(&target);
    let figures = rig.until_ended(&target).await;
    eprintln!(
        "{} packets heard, {} of strangers",
        figures.received_packets, figures.foreign_packets
    );
    assert!(figures.received_packets > 1_000 && figures.foreign_packets > 1_000, "{figures:?}");
    check_after(&rig, &memory, &heard).await;
    aimed_at.stop();
}

/// Memory (before the storm, at its half and at its end) has not grown, the other call was talked to
/// without a break, and a new one works.
async fn check_after(rig: &Rig, memory: &[usize; 3], heard: &crate::phone::Heard) {
    eprintln!(
        "resident {:?} MiB; {} gaps, worst {:?}, {:.1} % within 30 ms",
        memory.iter().map(|bytes| bytes >> 20).collect::<Vec<_>>(),
        heard.gaps.len(),
        heard.worst(),
        heard.share_within(30) * 100.0
    );
    let [before, half, end] = *memory;
    let (growth, late) = (end.saturating_sub(before), end.saturating_sub(half));
    assert!(growth < GROWTH_BYTES, "{} MiB more", growth >> 20);
    assert!(late <= LATE_GROWTH_BYTES, "{late} bytes more in the second half");
    assert!(heard.gaps.len() > 50, "the other call hears nothing: {}", heard.gaps.len());
    // The storm's own thread and the phone's share the machine with the engine: what is asked for is
    // that nobody starves, not the spacing of a quiet node.
    assert!(heard.share_within(60) > 0.9, "{:.3} within 60 ms", heard.share_within(60));
    assert!(heard.worst() < Duration::from_secs(1), "{:?}", heard.worst());
    rig.until_idle().await;
    let leg = LegId::new("CAafter");
    let phone = talk(rig, &leg).await;
    rig.play(&leg, 1);
    rig.hang_up(&leg);
    rig.until_ended(&leg).await;
    phone.stop();
    rig.until_idle().await;
    assert!(rig.switch.is_bound());
    counters::assert_nothing_panicked();
}

fn tortuous() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hostile_survival/rfc4475");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}
