//! What happens in a conversation, as data: one step after the other, each of which waits for the
//! state that it needs. A step is `cancel`, or a party (`caller`, `callee`, `third`, `fourth`) and:
//!
//! - `answer`, `hang_up`, `mute`, `speak`, `hold`, `retrieve`: what its telephone is told;
//! - `refuse CODE`, `refuse CODE CAUSE`: the same, with a Q.850 cause;
//! - `press KEY`: the same;
//! - `invited`, `rings`, `gone`: what the network has seen of it;
//! - `hears HZ`: a tone that it hears;
//! - `told STATUS`: a status callback of it;
//! - `joins`: addCall, for this party.

use serde_json::{Value, json};

use super::handsets::Handsets;
use super::talks::Talk;

/// Does these steps, which are joined by commas. `addition` are the fields of an addCall.
pub(crate) async fn run(
    name: &str,
    talk: &Talk<'_>,
    handsets: &Handsets<'_>,
    addition: &Value,
    steps: &str,
) {
    for step in steps.split(',').map(str::trim).filter(|step| !step.is_empty()) {
        let words: Vec<&str> = step.split(' ').collect();
        if words == ["cancel"] {
            let reply = talk.cancel().await;
            assert_eq!(reply.body["statusCode"], "00000", "{name}: {reply:?}");
            continue;
        }
        let handset = &handsets[words[0]];
        match words[1..] {
            ["joins"] => talk.add_accepted(handset, addition).await,
            ["answer"] => handset.answer().await,
            ["invited"] => drop(handset.wait_for("invite").await),
            ["rings"] => drop(handset.wait_for("ringing").await),
            ["gone"] => drop(handset.wait_for("ended").await),
            ["told", status] => talk.wait_for_status(handset, status).await,
            ["hears", hz] => drop(handset.hears(hz.parse().unwrap()).await),
            ["press", key] => handset.tell(json!({ "press": key })).await,
            ["refuse", code] => refuse(handset, code, None).await,
            ["refuse", code, cause] => refuse(handset, code, Some(cause)).await,
            [order @ ("hang_up" | "mute" | "speak" | "hold" | "retrieve")] => {
                handset.tell(json!(order)).await;
            }
            _ => panic!("{name}: {step:?} is no step"),
        }
    }
}

async fn refuse(handset: &super::handsets::Handset<'_>, code: &str, cause: Option<&str>) {
    handset.wait_for("invite").await;
    let code: u16 = code.parse().unwrap();
    let reason = cause.map(|cause| format!("Q.850;cause={cause}"));
    handset.tell(json!({ "refuse": { "code": code, "reason": reason } })).await;
}
