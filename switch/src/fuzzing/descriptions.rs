//! Session descriptions: offers and answers.

use yunling_fuzz::Target;
use yunling_switch_contract::Codec;

use super::LIMITS;
use crate::sdp::{Session, take_answer, take_offer};

const WORDS: &[&str] = &[
    "v=0\r\n",
    "o=- 1 1 IN IP4 10.0.0.1\r\n",
    "s=-\r\n",
    "t=0 0\r\n",
    "c=IN IP4 10.0.0.1\r\n",
    "c=IN IP6 ::1\r\n",
    "c=IN IP4 0.0.0.0\r\n",
    "m=audio 4000 RTP/AVP 8 0 101\r\n",
    "m=audio 0 RTP/AVP 8\r\n",
    "m=video 6000 RTP/AVP 31\r\n",
    "m=image 9 udptl t38\r\n",
    "RTP/SAVP",
    "a=rtpmap:101 telephone-event/8000\r\n",
    "a=rtpmap:8 PCMA/8000/1\r\n",
    "a=fmtp:101 0-15\r\n",
    "a=ptime:20\r\n",
    "a=maxptime:60\r\n",
    "a=sendonly\r\n",
    "a=recvonly\r\n",
    "a=inactive\r\n",
    "a=rtcp:53020 IN IP4 10.0.0.3\r\n",
    "a=rtcp-mux\r\n",
    "a=crypto:1 X inline:y\r\n",
    "\r\n",
    "/127/2",
];

fn session() -> Session {
    Session::new(7, "10.0.0.9:20000".parse().unwrap(), vec![Codec::Pcma, Codec::Pcmu])
}

#[test]
fn any_description_is_survived_and_answered_line_by_line() {
    let head = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n";
    let seeds = [
        "m=audio 4000 RTP/AVP 8\r\n",
        "m=audio 4000 RTP/AVP 18 0 100\r\na=rtpmap:100 telephone-event/8000\r\na=sendonly\r\na=ptime:40\r\n",
        "m=video 6000 RTP/AVP 31 32\r\nm=audio 4000/1 RTP/AVP 97 8\r\na=rtpmap:97 PCMA/8000\r\n\
         c=IN IP6 2001:db8::1\r\na=rtcp:53020 IN IP4 10.0.0.3\r\na=maxptime:30\r\n",
    ];
    let target = Target {
        name: "sdp",
        run_by: "test -p yunling-switch --lib fuzzing::descriptions",
        seeds: seeds.iter().map(|seed| format!("{head}{seed}").into_bytes()).collect(),
        words: WORDS,
        longest: 16_384,
        limits: LIMITS,
    };
    target.run(|input| {
        let text = String::from_utf8_lossy(input);
        let mut ours = session();
        let _offered = ours.offer();
        let taken = take_answer(&text, &ours);
        if let Ok(agreement) = &taken {
            assert!(matches!(agreement.ptime_ms, 10 | 20 | 30 | 40 | 50 | 60), "{agreement:?}");
            assert!(agreement.telephone_event.is_none_or(|kind| kind < 128), "{agreement:?}");
        }
        match take_offer(&text, &mut ours) {
            Ok((agreement, answer)) => {
                assert!(answer.len() <= input.len() * 2 + 512, "{} bytes", answer.len());
                assert!(
                    !answer.contains('\0') && !answer.replace("\r\n", "").contains(['\r', '\n'])
                );
                // Its own answer is one that the other side can take.
                let again = take_answer(&answer, &session());
                let again = again.unwrap_or_else(|why| panic!("{why:?}: {answer}"));
                assert_eq!(
                    (again.codec, again.remote),
                    (agreement.codec, "10.0.0.9:20000".parse().unwrap())
                );
                let sections = |text: &str| text.lines().filter(|l| l.starts_with("m=")).count();
                assert_eq!(sections(&answer), sections(&text), "{answer}");
                (2, usize::from(agreement.ptime_ms) + sections(&answer) * 100)
            }
            Err(why) => (usize::from(taken.is_ok()), why as usize),
        }
    });
}
