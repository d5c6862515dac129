//! Before the answer: rings, failures, failover, crossing answers.

use super::{Plan, Script, plain};

pub(super) fn scripts() -> Vec<Script> {
    vec![
        Script {
            name: "rings and is never answered: our own ring timer",
            plan: Plan { trunks: 2, ..plain() },
            lines: "
                0 start -> dial 0, arm no_reply 4000, arm ring 60000
                500 ringing 183 -> disarm no_reply
                60000 timer ring -> hang_up ring_timeout
                60030 ended cancelled -> finished 1 time-out callee attempts 1 plays 0 reason 1
            ",
        },
        Script {
            name: "our ring timer, though the network says busy while we cancel",
            plan: plain(),
            lines: "
                0 start -> dial 0, arm no_reply 4000, arm ring 60000
                500 ringing 180 -> disarm no_reply
                60000 timer ring -> hang_up ring_timeout
                60010 cancel ->
                60030 ended rejected 486 -> finished 1 time-out callee attempts 1 plays 0 reason 1
            ",
        },
        Script {
            name: "a 200 crosses the CANCEL of the ring timer: the engine saw it",
            plan: Plan { trunks: 2, ..plain() },
            lines: "
                0 start -> dial 0, arm no_reply 4000, arm ring 60000
                500 trying -> disarm no_reply
                60000 timer ring -> hang_up ring_timeout
                60030 ended cancelled_after_answer -> finished 1 time-out callee attempts 1 plays 0 reason 1 crossed
            ",
        },
        Script {
            name: "a 200 crosses the CANCEL of silence: never dialled again",
            plan: Plan { trunks: 2, ..plain() },
            lines: "
                0 start -> dial 0, arm no_reply 4000, arm ring 60000
                4000 timer no_reply -> disarm ring, hang_up no_reply
                4010 answered ->
                4020 answered ->
                4030 ended local_bye -> finished 1 failed trunk attempts 1 plays 0 reason 2 crossed
            ",
        },
        Script {
            name: "a 200 crosses the tenant's CANCEL",
            plan: Plan { trunks: 2, ..plain() },
            lines: "
                0 start -> dial 0, arm no_reply 4000, arm ring 60000
                500 ringing 180 -> disarm no_reply
                800 cancel -> disarm ring, hang_up requested
                810 answered ->
                830 ended cancelled_after_answer -> finished 1 failed client attempts 1 plays 0 reason 2 crossed
            ",
        },
        Script {
            name: "busy",
            plan: Plan { trunks: 2, ..plain() },
            lines: "
                0 start -> dial 0, arm no_reply 4000, arm ring 60000
                500 trying -> disarm no_reply
                700 ended rejected 486 -> disarm ring, finished 1 failed callee attempts 1 plays 0 reason 2
            ",
        },
        Script {
            name: "the network says that nobody answered",
            plan: Plan { trunks: 2, ..plain() },
            lines: "
                0 start -> dial 0, arm no_reply 4000, arm ring 60000
                500 ringing 180 -> disarm no_reply
                45000 ended rejected 480 -> disarm ring, finished 1 no-answer callee attempts 1 plays 0 reason 1
            ",
        },
        Script {
            name: "failover on 503, then on silence, then answered",
            plan: Plan { trunks: 3, ..plain() },
            lines: "
                0 start -> dial 0, arm no_reply 4000, arm ring 60000
                100 trying -> disarm no_reply
                200 ended rejected 503 -> disarm ring, dial 1, arm no_reply 4000, arm ring 60000
                4200 timer no_reply -> disarm ring, hang_up no_reply
                4210 ended no_reply -> dial 2, arm no_reply 4000, arm ring 60000
                5000 ringing 180 -> disarm no_reply
                6000 answered -> disarm ring, arm max_duration 600000, play 1 contents
                7000 ended remote_bye -> disarm max_duration, finished 0 completed nobody attempts 3 plays 1
            ",
        },
        Script {
            name: "failover on 408 and on a trunk that cannot be reached, until none is left",
            plan: Plan { trunks: 2, ..plain() },
            lines: "
                0 start -> dial 0, arm no_reply 4000, arm ring 60000
                200 ended rejected 408 -> disarm no_reply, disarm ring, dial 1, arm no_reply 4000, arm ring 60000
                210 ended unreachable -> disarm no_reply, disarm ring, finished 1 failed trunk attempts 2 plays 0 reason 2
            ",
        },
        Script {
            name: "silence broken by a 100 after we gave up: cancelled, next trunk",
            plan: Plan { trunks: 2, ..plain() },
            lines: "
                0 start -> dial 0, arm no_reply 4000, arm ring 60000
                4000 timer no_reply -> disarm ring, hang_up no_reply
                4005 trying ->
                4030 ended cancelled 487 -> dial 1, arm no_reply 4000, arm ring 60000
            ",
        },
        Script {
            name: "silence broken by a 100 after we gave up, and no word on our CANCEL: it may ring yet",
            plan: Plan { trunks: 2, ..plain() },
            lines: "
                0 start -> dial 0, arm no_reply 4000, arm ring 60000
                4000 timer no_reply -> disarm ring, hang_up no_reply
                4005 trying ->
                8000 ended cancelled -> finished 1 failed trunk attempts 1 plays 0 reason 2
            ",
        },
        Script {
            name: "never any word after we gave up: the next trunk at once",
            plan: Plan { trunks: 2, ..plain() },
            lines: "
                0 start -> dial 0, arm no_reply 4000, arm ring 60000
                4000 timer no_reply -> disarm ring, hang_up no_reply
                4001 ended no_reply -> dial 1, arm no_reply 4000, arm ring 60000
            ",
        },
        Script {
            name: "silence broken by a 180 after we gave up: somebody was rung, no next trunk",
            plan: Plan { trunks: 2, ..plain() },
            lines: "
                0 start -> dial 0, arm no_reply 4000, arm ring 60000
                4000 timer no_reply -> disarm ring, hang_up no_reply
                4005 ringing 180 ->
                4030 ended cancelled -> finished 1 failed trunk attempts 1 plays 0 reason 2
            ",
        },
        Script {
            name: "the tenant's wish while we give up on silence forbids the next trunk",
            plan: Plan { trunks: 2, ..plain() },
            lines: "
                0 start -> dial 0, arm no_reply 4000, arm ring 60000
                4000 timer no_reply -> disarm ring, hang_up no_reply
                4005 cancel ->
                4030 ended no_reply -> finished 1 failed client attempts 1 plays 0 reason 2
            ",
        },
        Script {
            name: "so does shutdown",
            plan: Plan { trunks: 2, ..plain() },
            lines: "
                0 start -> dial 0, arm no_reply 4000, arm ring 60000
                4000 timer no_reply -> disarm ring, hang_up no_reply
                4005 shutdown ->
                4030 ended no_reply -> finished 1 failed platform attempts 1 plays 0 reason 2
            ",
        },
        Script {
            name: "no failover after an 18x, on 4xx, 6xx, useless media or a fault of the engine",
            plan: Plan { trunks: 2, ..plain() },
            lines: "
                0 start -> dial 0, arm no_reply 4000, arm ring 60000
                100 ringing 180 -> disarm no_reply
                200 ended rejected 503 -> disarm ring, finished 1 failed trunk attempts 1 plays 0 reason 2
            ",
        },
        Script {
            name: "no failover on 404",
            plan: Plan { trunks: 2, ..plain() },
            lines: "
                0 start -> dial 0, arm no_reply 4000, arm ring 60000
                200 ended rejected 404 -> disarm no_reply, disarm ring, finished 1 failed client attempts 1 plays 0 reason 2
            ",
        },
        Script {
            name: "no failover on 603",
            plan: Plan { trunks: 2, ..plain() },
            lines: "
                0 start -> dial 0, arm no_reply 4000, arm ring 60000
                200 ended rejected 603 -> disarm no_reply, disarm ring, finished 1 failed callee attempts 1 plays 0 reason 2
            ",
        },
        Script {
            name: "no failover after useless media: somebody has picked up",
            plan: Plan { trunks: 2, ..plain() },
            lines: "
                0 start -> dial 0, arm no_reply 4000, arm ring 60000
                200 ended no_common_media -> disarm no_reply, disarm ring, finished 1 failed trunk attempts 1 plays 0 reason 2
            ",
        },
        Script {
            name: "a stale timer is dropped, an early one is armed for the rest",
            plan: Plan { trunks: 2, ..plain() },
            lines: "
                0 start -> dial 0, arm no_reply 4000, arm ring 60000
                0 timer key_window ->
                3000 ended rejected 503 -> disarm no_reply, disarm ring, dial 1, arm no_reply 4000, arm ring 60000
                4000 timer no_reply -> arm no_reply 3000
                6000 trying -> disarm no_reply
                7000 timer no_reply ->
                62999 timer ring -> hang_up ring_timeout
            ",
        },
        Script {
            name: "cancelled before it was dialled",
            plan: plain(),
            lines: "
                0 ringing 180 ->
                0 answered ->
                0 ended rejected 486 ->
                0 timer ring ->
                0 cancel -> finished 1 failed client attempts 0 plays 0 reason 2
                0 start ->
            ",
        },
        Script {
            name: "shutdown before it was dialled",
            plan: plain(),
            lines: "
                0 shutdown -> finished 1 failed platform attempts 0 plays 0 reason 2
            ",
        },
        Script {
            name: "a plan without a trunk ends at once",
            plan: Plan { trunks: 0, ..plain() },
            lines: "
                0 start -> finished 1 failed platform attempts 0 plays 0 reason 2
            ",
        },
        Script {
            name: "cancelled while it rings",
            plan: Plan { trunks: 2, ..plain() },
            lines: "
                0 start -> dial 0, arm no_reply 4000, arm ring 60000
                500 ringing 180 -> disarm no_reply
                800 cancel -> disarm ring, hang_up requested
                801 cancel ->
                802 shutdown ->
                830 ended cancelled -> finished 1 failed client attempts 1 plays 0 reason 2
            ",
        },
    ]
}
