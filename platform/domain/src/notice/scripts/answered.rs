//! After the answer: plays, keys, the end.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::{Plan, Script, keyed, plain};

pub(super) fn scripts() -> Vec<Script> {
    vec![
        Script {
            name: "answered, heard out",
            plan: plain(),
            lines: "
                0 start -> dial 0, arm no_reply 4000, arm ring 60000
                100 trying -> disarm no_reply
                900 ringing 180 ->
                1400 ringing 183 media ->
                5000 answered -> disarm ring, arm max_duration 600000, play 1 contents
                9000 mark 1 1 ->
                9500 key 1 ->
                10000 played 1 -> play 2 contents
                15000 played 2 -> disarm max_duration, hang_up normal
                15030 ended local_bye -> finished 0 completed nobody attempts 1 plays 2
                15031 ended local_bye ->
                15032 start ->
            ",
        },
        Script {
            name: "once only; a bare 200",
            plan: Plan { times: 1, ..plain() },
            lines: "
                0 start -> dial 0, arm no_reply 4000, arm ring 60000
                300 answered -> disarm no_reply, disarm ring, arm max_duration 600000, play 1 contents
                5000 played 1 -> disarm max_duration, hang_up normal
                5030 ended local_bye -> finished 0 completed nobody attempts 1 plays 1
            ",
        },
        Script {
            name: "three times",
            plan: Plan { times: 3, ..plain() },
            lines: "
                0 up
                5000 played 1 -> play 2 contents
                9000 played 2 -> play 3 contents
                13000 played 3 -> disarm max_duration, hang_up normal
            ",
        },
        Script {
            name: "the confirming key in the last content: cut at once, finishvoice, hang-up",
            plan: keyed(),
            lines: "
                0 up
                3000 key 1 ->
                4000 mark 1 1 -> await on
                4200 key 1 -> stop 1, await off, play 2 finish_voice
                4220 cut 1 ->
                4500 key 2 ->
                6000 played 2 -> disarm max_duration, hang_up normal
                6030 ended local_bye -> finished 0 completed nobody attempts 1 plays 1 key 1
            ",
        },
        Script {
            name: "the confirming key after the last content, without a finishvoice",
            plan: Plan { has_finish_voice: false, ..keyed() },
            lines: "
                0 up
                4000 mark 1 1 -> await on
                5000 played 1 -> arm key_window 5000
                9999 key 1 -> disarm key_window, await off, disarm max_duration, hang_up normal
                10020 ended local_bye -> finished 0 completed nobody attempts 1 plays 1 key 1
            ",
        },
        Script {
            name: "no key: the next play starts after the window, and so does the end",
            plan: keyed(),
            lines: "
                0 up
                4000 mark 1 1 -> await on
                5000 played 1 -> arm key_window 5000
                10000 timer key_window -> await off, play 2 contents
                10500 key 1 ->
                14000 mark 2 1 -> await on
                15000 played 2 -> arm key_window 5000
                15001 key 3 ->
                15002 key * ->
                20000 timer key_window -> await off, disarm max_duration, hang_up normal
                20030 ended local_bye -> finished 0 completed nobody attempts 1 plays 2
            ",
        },
        Script {
            name: "a replay does not count against times, and leaves no inputkey",
            plan: keyed(),
            lines: "
                0 up
                4000 mark 1 1 -> await on
                4100 key 2 -> stop 1, await off, play 2 contents
                4120 cut 1 ->
                8000 mark 2 1 -> await on
                9000 played 2 -> arm key_window 5000
                10000 key 2 -> disarm key_window, await off, play 3 contents
                15000 mark 3 1 -> await on
                16000 played 3 -> arm key_window 5000
                21000 timer key_window -> await off, play 4 contents
                25000 mark 4 1 -> await on
                26000 played 4 -> arm key_window 5000
                31000 timer key_window -> await off, disarm max_duration, hang_up normal
                31030 ended local_bye -> finished 0 completed nobody attempts 1 plays 4
            ",
        },
        Script {
            name: "repeat, then confirm on the replay",
            plan: keyed(),
            lines: "
                0 up
                4000 mark 1 1 -> await on
                5000 played 1 -> arm key_window 5000
                6000 key 2 -> disarm key_window, await off, play 2 contents
                6100 key 1 ->
                10000 mark 2 1 -> await on
                10500 key 1 -> stop 2, await off, play 3 finish_voice
                12000 played 3 -> disarm max_duration, hang_up normal
                12030 ended remote_bye -> finished 0 completed nobody attempts 1 plays 2 key 1
            ",
        },
        Script {
            name: "never more plays in all than may be; a replay asked for then is ignored",
            plan: Plan { max_plays: 2, times: 3, ..keyed() },
            lines: "
                0 up
                4000 mark 1 1 -> await on
                4100 key 2 -> stop 1, await off, play 2 contents
                8000 mark 2 1 -> await on
                8100 key 2 ->
                9000 played 2 -> arm key_window 5000
                9100 key 2 ->
                14000 timer key_window -> await off, disarm max_duration, hang_up normal
                14030 ended local_bye -> finished 0 completed nobody attempts 1 plays 2
            ",
        },
        Script {
            name: "finishkey wins where both match",
            plan: Plan {
                finish_key: Some("any".parse().unwrap()),
                repeat_key: Some("2".parse().unwrap()),
                ..plain()
            },
            lines: "
                0 up
                4000 mark 1 1 -> await on
                4100 key A ->
                4200 key 2 -> stop 1, await off, disarm max_duration, hang_up normal
                4230 ended local_bye -> finished 0 completed nobody attempts 1 plays 1 key 2
            ",
        },
        Script {
            name: "any key repeats but the confirming one",
            plan: Plan { repeat_key: Some("any".parse().unwrap()), ..keyed() },
            lines: "
                0 up
                4000 mark 1 1 -> await on
                4100 key # -> stop 1, await off, play 2 contents
                8000 mark 2 1 -> await on
                8100 key 1 -> stop 2, await off, play 3 finish_voice
            ",
        },
        Script {
            name: "a mark or an end of an earlier play, or another mark, opens nothing",
            plan: keyed(),
            lines: "
                0 up
                4000 mark 1 1 -> await on
                4001 mark 1 1 ->
                4100 key 2 -> stop 1, await off, play 2 contents
                4110 mark 1 1 ->
                4120 played 1 ->
                4130 mark 2 7 ->
                4200 key 1 ->
                8000 played 2 -> await on, arm key_window 5000
                8100 key 1 -> disarm key_window, await off, play 3 finish_voice
            ",
        },
        Script {
            name: "the callee hangs up in mid-prompt",
            plan: keyed(),
            lines: "
                0 up
                2000 cut 1 -> arm leg_end 2000
                2001 ended remote_bye -> disarm max_duration, disarm leg_end, finished 0 completed nobody attempts 1 plays 1
                4000 timer leg_end ->
            ",
        },
        Script {
            name: "the callee hangs up in the finishvoice: the key counts",
            plan: keyed(),
            lines: "
                0 up
                4000 mark 1 1 -> await on
                4100 key 1 -> stop 1, await off, play 2 finish_voice
                4500 ended remote_bye -> disarm max_duration, finished 0 completed nobody attempts 1 plays 1 key 1
            ",
        },
        Script {
            name: "a play that dies without the leg",
            plan: plain(),
            lines: "
                0 up
                2000 cut 1 -> arm leg_end 2000
                4000 timer leg_end -> disarm max_duration, hang_up platform_fault
                4030 ended local_bye -> finished 0 completed platform attempts 1 plays 1
            ",
        },
        Script {
            name: "the longest call, counted from the answer",
            plan: Plan { max_duration_ms: 3_000, ..keyed() },
            lines: "
                0 start -> dial 0, arm no_reply 4000, arm ring 60000
                1000 ringing 180 -> disarm no_reply
                9000 answered -> disarm ring, arm max_duration 3000, play 1 contents
                10000 mark 1 1 -> await on
                11000 played 1 -> arm key_window 5000
                12000 timer max_duration -> disarm key_window, hang_up max_duration
                12010 key 1 ->
                12030 ended local_bye -> finished 0 completed nobody attempts 1 plays 1
            ",
        },
        Script {
            name: "cancelled while it speaks",
            plan: keyed(),
            lines: "
                0 up
                800 cancel -> disarm max_duration, hang_up requested
                810 cut 1 ->
                830 ended local_bye -> finished 0 completed nobody attempts 1 plays 1
            ",
        },
        Script {
            name: "cancelled in the key window",
            plan: keyed(),
            lines: "
                0 up
                5000 played 1 -> await on, arm key_window 5000
                5500 cancel -> disarm max_duration, disarm key_window, hang_up requested
            ",
        },
        Script {
            name: "cancelled in the finishvoice: the key counts",
            plan: keyed(),
            lines: "
                0 up
                5000 played 1 -> await on, arm key_window 5000
                5500 key 1 -> disarm key_window, await off, play 2 finish_voice
                5600 cancel -> disarm max_duration, hang_up requested
                5630 ended local_bye -> finished 0 completed nobody attempts 1 plays 1 key 1
            ",
        },
        Script {
            name: "cancelled while stranded",
            plan: keyed(),
            lines: "
                0 up
                5000 cut 1 -> arm leg_end 2000
                5500 cancel -> disarm max_duration, disarm leg_end, hang_up requested
            ",
        },
        Script {
            name: "shutdown while it speaks ends politely and at once",
            plan: keyed(),
            lines: "
                0 up
                800 shutdown -> disarm max_duration, hang_up platform_fault
                830 ended local_bye -> finished 0 completed platform attempts 1 plays 1
            ",
        },
    ]
}
