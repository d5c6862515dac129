//! What the parties of a conversation are played: the prompts that the request names, or what takes
//! their place. A prompt that has left the library since is no reason to end a call: the default is
//! played, or nothing where there is none.

use super::VoiceNames;
use crate::App;
use crate::directory::Application;
use crate::render_contents::{Piece, media};
use yunling_assets::{Encoded, phrase, tones};
use yunling_domain::Lang;
use yunling_domain::conversation::Segment;

/// The language of the spoken defaults: the document's own.
const LANG: Lang = Lang::Zh;

/// What one segment sounds like; empty where there is nothing to be heard.
///
/// `names` are those of the request that has the party called; `last_minute` is `lastMinVoice`.
pub async fn segment(
    app: &App,
    application: &Application,
    names: &VoiceNames,
    last_minute: Option<&str>,
    segment: Segment,
) -> Vec<Piece> {
    let named = match segment {
        Segment::Greeting => names.greet.as_deref(),
        Segment::RingbackVoice => names.ringback.as_deref(),
        Segment::FailVoice => names.fail.as_deref(),
        Segment::CallerVoice => names.caller.as_deref(),
        Segment::CalleeVoice => names.callee.as_deref(),
        Segment::LastMinute => last_minute,
        Segment::RingbackTone | Segment::BusyTone | Segment::HoldMusic => None,
    };
    if let Some(name) = named {
        match media(app, application, name).await {
            Ok(piece) => return vec![piece],
            Err(refusal) => tracing::warn!(
                application = %application.id, %refusal,
                "a prompt of a running call cannot be played: its default is"
            ),
        }
    }
    default(app, segment).map(Piece::Audio).into_iter().collect()
}

fn default(app: &App, segment: Segment) -> Option<Encoded> {
    let spoken = |name| app.packs().get(LANG).phrase(name).cloned();
    match segment {
        Segment::RingbackTone | Segment::RingbackVoice => Some(tones::ringback()),
        Segment::BusyTone => Some(tones::busy()),
        Segment::FailVoice => spoken(phrase::NO_ANSWER).or_else(|| Some(tones::busy())),
        Segment::HoldMusic => Some(tones::hold_music()),
        Segment::LastMinute => spoken(phrase::ONE_MINUTE_LEFT),
        Segment::Greeting | Segment::CallerVoice | Segment::CalleeVoice => None,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::fakes::{ACCOUNT, APPID, World};
    use yunling_domain::{AccountId, ApplicationId};

    #[tokio::test]
    async fn named_prompts_go_before_defaults_and_lost_ones_are_no_end() {
        let world = World::open().await;
        let directory = world.app.directory();
        let application =
            directory.application(&AccountId::new(ACCOUNT), &ApplicationId::new(APPID)).unwrap();
        let given = |name: &str| Some(name.to_owned());
        let all = VoiceNames {
            greet: given("prompt1.wav"),
            ringback: given("prompt1.wav"),
            fail: given("prompt1.wav"),
            caller: given("prompt1.wav"),
            callee: given("gone.wav"),
        };
        let none = VoiceNames::default();
        let cases = [
            (Segment::Greeting, &all, "prompt1.wav"),
            (Segment::Greeting, &none, ""),
            (Segment::RingbackVoice, &all, "prompt1.wav"),
            (Segment::RingbackVoice, &none, "tone/ringback"),
            (Segment::RingbackTone, &all, "tone/ringback"),
            (Segment::BusyTone, &all, "tone/busy"),
            (Segment::FailVoice, &all, "prompt1.wav"),
            (Segment::FailVoice, &none, "no-answer"),
            (Segment::CallerVoice, &all, "prompt1.wav"),
            (Segment::CallerVoice, &none, ""),
            (Segment::CalleeVoice, &all, ""),
            (Segment::HoldMusic, &all, "tone/hold"),
            (Segment::LastMinute, &none, "one-minute-left"),
        ];
        for (segment, names, expected) in cases {
            let pieces = self::segment(&world.app, application, names, None, segment).await;
            let played = match pieces.as_slice() {
                [] => String::new(),
                [Piece::Audio(encoded)] => encoded.name.to_string(),
                other => panic!("{segment:?}: {other:?}"),
            };
            assert!(
                played == expected || (!expected.is_empty() && played.ends_with(expected)),
                "{segment:?}: {played} instead of {expected}"
            );
        }
        let last =
            self::segment(&world.app, application, &none, Some("prompt1.wav"), Segment::LastMinute);
        assert!(
            matches!(&last.await[..], [Piece::Audio(encoded)] if &*encoded.name == "prompt1.wav")
        );
    }
}
