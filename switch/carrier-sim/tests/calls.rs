//! Calls with media, by a caller that sees every byte.

#![expect(clippy::unwrap_used, reason = "a failed set-up is a failed test")]

mod support;

use std::net::UdpSocket;

use audio_codec::Decoder;
use audio_codec::pcma::PcmaDecoder;
use audio_codec::pcmu::PcmuDecoder;
use serde_json::Value;
use support::caller::{Caller, body};
use support::{PATIENCE, Sim};

const A_LAW: (&str, &str) = ("8", "");
const WITH_KEYS: (&str, &str) = ("8 101", "a=rtpmap:101 telephone-event/8000\r\n");

#[test]
fn what_is_sent_is_heard_bit_by_bit() {
    let sim = Sim::start(&["--answer-after-ms", "0", "--rtp", "43000-43199"]);
    let decode = |payload_type, bytes: &[u8]| match payload_type {
        8 => PcmaDecoder::new().decode(bytes),
        _ => PcmuDecoder::new().decode(bytes),
    };
    for (payload_type, codecs, number) in
        [(8, A_LAW, "13800138000"), (0, ("0 8", ""), "13800138100")]
    {
        let mut caller = Caller::call(sim.address, number, codecs);
        caller.talk();
        let frame =
            |number: u8| -> Vec<u8> { (0..160_u8).map(|at| at.wrapping_mul(7) ^ number).collect() };
        let mut expected = Vec::new();
        for number in 0..40 {
            if number == 20 {
                caller.lose(&frame(number));
                expected.extend([0; 160]);
            } else {
                caller.speak(payload_type, &frame(number));
                expected.extend(decode(payload_type, &frame(number)).iter().copied());
            }
        }
        caller.hang_up();
        let ended = sim.wait_for(number, "ended", 1);
        assert_eq!(ended["identity"], "01080001001");
        assert_eq!(
            (&ended["rtp"]["packets"], &ended["rtp"]["lost"]),
            (&Value::from(39), &Value::from(1))
        );
        assert!(Sim::recording(&ended) == expected, "{number}: another recording than was sent");
    }
}

#[test]
fn spacing_is_measured_where_packets_arrive() {
    let sim = Sim::start(&["--answer-after-ms", "0", "--rtp", "43200-43399"]);
    let mut caller = Caller::call(sim.address, "13800138000", A_LAW);
    caller.talk();
    caller.speak_for(1_000, 8, |_| 0xD5);
    caller.hang_up();
    let rtp = sim.wait_for("13800138000", "ended", 1)["rtp"].clone();
    let p50 = rtp["spacing_p50_ms"].as_f64().unwrap();
    assert!((17.0..23.0).contains(&p50), "{rtp}");
    assert!(rtp["spacing_max_ms"].as_f64().unwrap() >= rtp["spacing_p99_ms"].as_f64().unwrap());
    assert!(rtp["share_20ms"].as_f64().unwrap() > 0.5, "{rtp}");
}

/// A square wave that any ear takes for speech.
fn loud(at: usize) -> u8 {
    if (at / 10).is_multiple_of(2) { 0xA5 } else { 0x25 }
}

#[test]
fn a_key_is_pressed_when_the_prompt_falls_silent() {
    let cases: [(&str, &str, (&str, &str)); 4] = [
        ("rfc4733", "rfc4733", WITH_KEYS),
        ("rfc4733", "inband", A_LAW),
        ("info", "info", WITH_KEYS),
        ("inband", "inband", WITH_KEYS),
    ];
    std::thread::scope(|scope| {
        for (at, (keys, by, codecs)) in cases.into_iter().enumerate() {
            scope.spawn(move || {
                let ports = format!("{}-{}", 43_400 + at * 10, 43_409 + at * 10);
                let sim = Sim::start(&["--answer-after-ms", "0", "--keys", keys, "--rtp", &ports]);
                let mut caller = Caller::call(sim.address, "13800138003", codecs);
                caller.talk();
                caller.speak_for(1_600, 8, loud);
                let spoken_us =
                    sim.events().last().map_or(0, |event| event["at_us"].as_i64().unwrap());
                caller.speak_for(1_600, 8, |_| 0xD5);
                let pressed = sim.wait_for("13800138003", "key", 1);
                assert_eq!(
                    (&pressed["key"], &pressed["by"]),
                    (&Value::from("2"), &Value::from(by))
                );
                assert!(pressed["at_us"].as_i64().unwrap() > spoken_us);
                match by {
                    "rfc4733" => assert_events(&caller, 2),
                    "info" => {
                        let info = caller.receive_until("INFO ");
                        assert!(
                            info.contains("application/dtmf-relay")
                                && info.contains("Signal=2\r\n"),
                            "{info}"
                        );
                        caller.reply(&info, "200 OK");
                        let answered = sim.wait_for("13800138003", "info_answered", 1);
                        assert_eq!(answered["code"], 200);
                    }
                    _ => assert_tones(&caller, [697.0, 1_336.0]),
                }
                caller.speak_for(1_600, 8, loud);
                caller.speak_for(1_600, 8, |_| 0xD5);
                assert_eq!(sim.wait_for("13800138003", "key", 2)["key"], "1");
                caller.hang_up();
            });
        }
    });
}

/// The next key on the line is `event`: one timestamp, growing duration, three ends.
fn assert_events(caller: &Caller, event: u8) {
    let is_key = |packet: &(u8, bool, u16, u32, Vec<u8>)| packet.0 == 101;
    let first = std::iter::repeat_with(|| caller.hear()).find(is_key).unwrap();
    let packets: Vec<_> = std::iter::once(first).chain((0..6).map(|_| caller.hear())).collect();
    let (start, sequence) = (packets[0].3, packets[0].2);
    for (at, (payload_type, marker, number, timestamp, payload)) in (0_u16..).zip(&packets) {
        assert_eq!((*payload_type, *marker, *timestamp), (101, at == 0, start));
        assert_eq!(*number, sequence.wrapping_add(at));
        let duration = u16::from_be_bytes([payload[2], payload[3]]);
        assert_eq!(
            (payload[0], payload[1] & 0x80 != 0, duration),
            (event, at >= 4, (at + 1).min(5) * 160)
        );
    }
    let (payload_type, _, _, timestamp, _) = caller.hear();
    assert_eq!(
        (payload_type, timestamp),
        (8, start.wrapping_add(7 * 160)),
        "audio goes on where it would be"
    );
}

/// Both tones are heard in some frame.
fn assert_tones(caller: &Caller, tones_hz: [f32; 2]) {
    let heard = std::iter::repeat_with(|| caller.hear()).any(|(_, _, _, _, payload)| {
        let samples = PcmaDecoder::new().decode(&payload);
        tones_hz.iter().all(|hz| {
            let (mut real, mut imaginary) = (0.0_f32, 0.0_f32);
            for (at, sample) in samples.iter().enumerate() {
                let angle = std::f32::consts::TAU * hz * at as f32 / 8_000.0;
                real += f32::from(*sample) * angle.cos();
                imaginary += f32::from(*sample) * angle.sin();
            }
            real.hypot(imaginary) / samples.len() as f32 > 2_000.0
        })
    });
    assert!(heard);
}

#[test]
fn early_media_is_the_ringback_tone() {
    let sim = Sim::start(&["--answer-after-ms", "1500", "--rtp", "43500-43599"]);
    let caller = Caller::call(sim.address, "13800138015", A_LAW);
    let progress = caller.receive_until("SIP/2.0 183");
    assert!(progress.contains("m=audio "), "{progress}");
    assert_tones(&caller, [450.0, 450.0]);
    caller.receive_until("SIP/2.0 200");
}

#[test]
fn a_handset_that_hears_nothing_hangs_up_along_the_dialog() {
    let sim =
        Sim::start(&["--answer-after-ms", "0", "--media-timeout-s", "1", "--rtp", "43600-43699"]);
    let mut caller = Caller::call(sim.address, "13800138000", A_LAW);
    caller.talk();
    let bye = caller.receive_until("BYE sip:caller@127.0.0.1:");
    assert!(bye.contains(";tag=caller\r\n") && bye.contains("CSeq: 1 BYE\r\n"), "{bye}");
    assert_eq!(caller.receive_until("BYE "), bye, "it is repeated until it is answered");
    caller.reply(&bye, "200 OK");
    assert_eq!(sim.wait_for("13800138000", "bye_answered", 1)["code"], 200);
    assert_eq!(sim.wait_for("13800138000", "ended", 1)["by"], "media_timeout");
}

#[test]
fn an_answer_is_repeated_until_it_is_acknowledged() {
    let sim = Sim::start(&["--answer-after-ms", "0", "--rtp", "43700-43799"]);
    let mut caller = Caller::call(sim.address, "13800138000", A_LAW);
    let first = caller.receive_until("SIP/2.0 200");
    assert_eq!(caller.receive_until("SIP/2.0 200"), first);
    caller.learn(&first);
    caller.send("ACK", 1, "ack", "");
    sim.wait_for("13800138000", "acked", 1);
    caller.hang_up();
}

#[test]
fn number_19_says_nothing_not_even_to_a_cancel() {
    let sim = Sim::start(&[]);
    let caller = Caller::call(sim.address, "13800138019", A_LAW);
    sim.wait_for("13800138019", "ignored", 1);
    caller.send("CANCEL", 1, "one", "");
    sim.wait_for("13800138019", "ended", 1);
    // Whatever it might have said would have come before the answer to this.
    caller.send("OPTIONS", 3, "ping", "");
    let answer = caller.receive();
    assert!(answer.starts_with("SIP/2.0 200") && answer.contains("CSeq: 3 OPTIONS"), "{answer}");
}

#[test]
fn a_bad_line_loses_packets_both_ways() {
    let sim =
        Sim::start(&["--answer-after-ms", "0", "--loss-percent", "50", "--rtp", "43800-43899"]);
    let mut caller = Caller::call(sim.address, "13800138020", A_LAW);
    caller.talk();
    caller.speak_for(2_000, 8, loud);
    caller.hang_up();
    let rtp = sim.wait_for("13800138020", "ended", 1)["rtp"].clone();
    for (lost, came) in [("dropped", "packets"), ("sent_dropped", "sent")] {
        let (lost, came) = (rtp[lost].as_f64().unwrap(), rtp[came].as_f64().unwrap());
        assert!((0.3..0.7).contains(&(lost / (lost + came))), "{rtp}");
    }
}

#[test]
fn a_call_can_be_changed_and_what_belongs_to_none_is_refused() {
    let sim = Sim::start(&["--answer-after-ms", "0", "--rtp", "43900-43999"]);
    let mut caller = Caller::call(sim.address, "13800138000", A_LAW);
    caller.talk();
    let offer = |port: u16, direction: &str| {
        let sdp = format!(
            "v=0\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nm=audio {port} RTP/AVP 8\r\na={direction}\r\n"
        );
        format!("Content-Type: application/sdp\r\n{}", body(&sdp))
    };
    caller.send("INVITE", 5, "hold", &offer(9, "sendonly"));
    let held = caller.receive_until("SIP/2.0 200");
    assert!(held.contains("a=recvonly\r\n"), "{held}");
    caller.send("ACK", 5, "hold-ack", "");
    sim.wait_for("13800138000", "acked", 2);
    caller.send("UPDATE", 6, "resume", &offer(9, "sendrecv"));
    assert!(caller.receive_until("SIP/2.0 200").contains("a=sendrecv\r\n"));
    caller.send("SUBSCRIBE", 7, "subscribe", "");
    caller.receive_until("SIP/2.0 405");
    caller.hang_up();
    caller.send("BYE", 8, "again", "");
    caller.receive_until("SIP/2.0 481");
    caller.send("CANCEL", 1, "never", "");
    caller.receive_until("SIP/2.0 481");
}

/// Somebody who tells telephones what to do, by MESSAGE; gives back the status line.
fn tell(sim: &Sim, number: &str, order: &str) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let (sim, own) = (sim.address, socket.local_addr().unwrap());
    let message = format!(
        "MESSAGE sip:{number}@{sim} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{}\r\n\
         From: <sip:test@{own}>;tag=t\r\nTo: <sip:{number}@{sim}>\r\nCall-ID: m@{own}\r\n\
         CSeq: 1 MESSAGE\r\nContent-Type: application/json\r\n{}",
        own.port(),
        body(order),
    );
    socket.send_to(message.as_bytes(), sim).unwrap();
    let mut buffer = [0; 2_048];
    let (length, _) = socket.recv_from(&mut buffer).unwrap();
    String::from_utf8_lossy(&buffer[..length]).lines().next().unwrap_or_default().to_owned()
}

#[test]
fn a_telephone_does_what_it_is_told() {
    let sim = Sim::start(&["--packets", "--rtp", "44000-44099"]);
    let number = "13800138011";
    let behave =
        r#"{"behave":{"ring":"early_media","early_hz":1250,"voice_hz":650,"codec":"pcma"}}"#;
    assert_eq!(tell(&sim, number, r#""answer""#), "SIP/2.0 404 Not Found");
    assert_eq!(tell(&sim, number, "sing"), "SIP/2.0 400 Bad Request");
    assert_eq!(tell(&sim, number, behave), "SIP/2.0 200 OK");

    let mut caller = Caller::call(sim.address, number, ("0 8 101", WITH_KEYS.1));
    let progress = caller.receive_until("SIP/2.0 183");
    assert!(progress.contains("m=audio ") && progress.contains("PCMA"), "{progress}");
    assert_tones(&caller, [1_250.0; 2]);
    assert_eq!(tell(&sim, number, r#""hang_up""#), "SIP/2.0 480 Not Up");
    assert_eq!(tell(&sim, number, r#""answer""#), "SIP/2.0 200 OK");
    caller.talk();
    assert_tones(&caller, [650.0; 2]);
    caller.speak_for(200, 8, loud);

    assert_eq!(tell(&sim, number, r#""hold""#), "SIP/2.0 200 OK");
    let hold = caller.receive_until("INVITE sip:caller@127.0.0.1:");
    assert!(hold.contains("a=sendonly\r\n") && hold.contains("CSeq: 1 INVITE\r\n"), "{hold}");
    assert_eq!(tell(&sim, number, r#""retrieve""#), "SIP/2.0 480 Already Up", "it is changing");
    caller.send("UPDATE", 6, "glare", "");
    caller.receive_until("SIP/2.0 491");
    caller.reply(&hold, "488 Not Acceptable Here");
    let ack = caller.receive_until("ACK ");
    let branch = |message: &str| message.split("branch=").nth(1).unwrap()[..20].to_owned();
    assert_eq!(branch(&ack), branch(&hold), "the ACK of a failure");
    assert!(ack.contains("CSeq: 1 ACK\r\n"), "{ack}");
    let changed = sim.wait_for(number, "change_answered", 1);
    assert_eq!((&changed["code"], &changed["direction"]), (&488.into(), &"sendrecv".into()));

    assert_eq!(tell(&sim, number, r#""hang_up""#), "SIP/2.0 200 OK");
    caller.receive_until("BYE ");
    let wav = sim.wait_for(number, "ended", 1)["wav"].as_str().unwrap().to_owned();
    let notes = std::fs::read_to_string(wav.replace(".wav", ".packets")).unwrap();
    assert_eq!(notes.lines().count(), 10, "a line a packet");
    let payload: String = (0..160).map(|at| format!("{:02x}", loud(at))).collect();
    assert!(notes.lines().all(|line| line.ends_with(&payload)), "{notes}");
}

#[test]
fn a_telephone_refuses_when_and_as_it_is_told() {
    let sim = Sim::start(&["--rtp", "44100-44199"]);
    assert_eq!(tell(&sim, "13800138000", r#"{"behave":{"ring":"nothing"}}"#), "SIP/2.0 200 OK");
    let caller = Caller::call(sim.address, "13800138000", A_LAW);
    caller.receive_until("SIP/2.0 100");
    let order = r#"{"refuse":{"code":480,"reason":"Q.850;cause=18"}}"#;
    assert_eq!(tell(&sim, "13800138000", order), "SIP/2.0 200 OK");
    let refusal = caller.receive();
    assert!(refusal.starts_with("SIP/2.0 480 Temporarily Unavailable"), "{refusal}");
    assert!(refusal.contains("Reason: Q.850;cause=18\r\n"), "{refusal}");
}
