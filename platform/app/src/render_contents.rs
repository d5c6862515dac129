//! Contents as sound: what a notice says, as pieces that are joined without a seam.

use crate::directory::Application;
use crate::{App, Refusal};
use std::sync::Arc;
use yunling_assets::{Encoded, phrase};
use yunling_domain::contents::{Content, NoticeSpec};
use yunling_domain::error_code::{INTERNAL, UNKNOWN_MEDIA, UNSPEAKABLE};
use yunling_domain::notice::LAST_CONTENT_MARK;
use yunling_domain::{Lang, speech};

/// One stretch of what is played.
#[derive(Debug, Clone)]
pub enum Piece {
    /// Recorded audio, shared by every call that plays it.
    Audio(Encoded),
    /// A pause.
    Silence {
        /// How long, milliseconds; never 0.
        ms: u32,
    },
    /// A place that is to be told when it is reached.
    Mark(u32),
}

/// What a call plays.
#[derive(Debug, Clone, Default)]
pub struct Rendered {
    /// One play of the contents, with [`LAST_CONTENT_MARK`] before the last one.
    pub contents: Vec<Piece>,
    /// What is played after the confirming key; empty where nothing is.
    pub finish_voice: Vec<Piece>,
    /// Whether keys are waited for after each play.
    pub listens: bool,
}

/// Renders what a notice or captcha says. Media are those of the application's library now.
///
/// # Errors
/// `UNKNOWN_MEDIA`: the library has lost a file since the request was taken. A fault of the
/// platform's where the database or a prompt pack fails.
pub async fn run(
    app: &App,
    application: &Application,
    spec: &NoticeSpec,
) -> Result<Rendered, Refusal> {
    let listens = spec.finish_key.is_some() || spec.repeat_key.is_some();
    let mut rendered = Rendered { listens, ..Rendered::default() };
    let last = spec.contents.len().saturating_sub(1);
    for (index, (content, lang)) in spec.contents.iter().enumerate() {
        if index > 0 {
            pause(&mut rendered.contents, app.settings().speech.gap_ms);
        }
        if index == last {
            rendered.contents.push(Piece::Mark(LAST_CONTENT_MARK));
        }
        match content.spoken() {
            Some((kind, text)) => rendered.contents.extend(spoken(app, kind, text, *lang)?),
            None => rendered.contents.push(voice(app, application, content).await?),
        }
    }
    if let Some(name) = &spec.finish_voice {
        rendered.finish_voice.push(media(app, application, name).await?);
    }
    Ok(rendered)
}

/// Puts the pack's own introduction before every play of a captcha, where the pack has one.
pub fn introduce_code(app: &App, spec: &NoticeSpec, rendered: &mut Rendered) {
    let lang = spec.contents.first().map_or(Lang::default(), |(_, lang)| *lang);
    if let Some(phrase) = app.packs().get(lang).phrase(phrase::CODE_IS) {
        let mut introduced = vec![Piece::Audio(phrase.clone())];
        pause(&mut introduced, app.settings().speech.gap_ms);
        introduced.append(&mut rendered.contents);
        rendered.contents = introduced;
    }
}

fn pause(pieces: &mut Vec<Piece>, ms: u32) {
    if ms > 0 {
        pieces.push(Piece::Silence { ms });
    }
}

fn spoken(app: &App, kind: speech::Kind, text: &str, lang: Lang) -> Result<Vec<Piece>, Refusal> {
    let settings = speech::Settings { yao_for_one: app.settings().speech.yao_for_one };
    let tokens = speech::say(kind, text, lang, &settings)
        .map_err(|error| Refusal::new(UNSPEAKABLE).with_detail(error.to_string()))?;
    let pieces = yunling_assets::speak(&tokens, app.packs().get(lang)).map_err(|error| {
        tracing::error!(%error, "a prompt pack lacks a recording that the grammar needs");
        Refusal::new(INTERNAL)
    })?;
    Ok(pieces
        .into_iter()
        .map(|piece| match piece {
            yunling_assets::Piece::Play(encoded) => Piece::Audio(encoded),
            yunling_assets::Piece::Silence { ms } => Piece::Silence { ms },
        })
        .collect())
}

async fn voice(app: &App, application: &Application, content: &Content) -> Result<Piece, Refusal> {
    media(app, application, content.text()).await
}

pub(crate) async fn media(
    app: &App,
    application: &Application,
    name: &str,
) -> Result<Piece, Refusal> {
    let lost = || {
        Refusal::new(UNKNOWN_MEDIA)
            .with_detail(format!("the application's media library has no file {name:?} any more"))
    };
    let found = application.media.get(name).ok_or_else(lost)?;
    let audio = app.media().audio(app.store(), &found.sha256).await?.ok_or_else(lost)?;
    Ok(Piece::Audio(Encoded { name: Arc::from(name), alaw: audio.alaw, ulaw: audio.ulaw }))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::fakes::{ACCOUNT, APPID, World};
    use yunling_domain::{AccountId, ApplicationId};

    fn voice(name: &str) -> (Content, Lang) {
        (Content::Voice { name: name.to_owned() }, Lang::Zh)
    }

    fn spec(contents: Vec<(Content, Lang)>, times: u8) -> NoticeSpec {
        NoticeSpec { contents, times, finish_key: None, repeat_key: None, finish_voice: None }
    }

    fn told(pieces: &[Piece]) -> Vec<String> {
        let one = |piece: &Piece| match piece {
            Piece::Audio(encoded) => encoded.name.to_string(),
            Piece::Silence { ms } => format!("{ms} ms"),
            Piece::Mark(mark) => format!("mark {mark}"),
        };
        pieces.iter().map(one).collect()
    }

    #[tokio::test]
    async fn contents_are_joined_with_a_mark_before_the_last() {
        let world = World::open().await;
        let directory = world.app.directory();
        let application =
            directory.application(&AccountId::new(ACCOUNT), &ApplicationId::new(APPID)).unwrap();
        let digits = (Content::Digits("12".to_owned()), Lang::Zh);

        let both = spec(vec![voice("prompt1.wav"), digits.clone()], 2);
        let rendered = run(&world.app, application, &both).await.unwrap();
        let pieces = told(&rendered.contents);
        assert_eq!(pieces[..3], ["prompt1.wav", "150 ms", "mark 1"]);
        assert!(
            pieces.last().unwrap().ends_with("n2"),
            "the pause between plays is the player's: {pieces:?}"
        );
        assert_eq!(
            pieces[3..].iter().filter(|name| name.contains("n1") || name.contains("n2")).count(),
            2
        );
        assert!(rendered.finish_voice.is_empty());

        let keyed = NoticeSpec {
            finish_key: Some("1".parse().unwrap()),
            finish_voice: Some("prompt3.wav".to_owned()),
            ..spec(vec![voice("prompt1.wav")], 3)
        };
        let rendered = run(&world.app, application, &keyed).await.unwrap();
        assert_eq!(told(&rendered.contents), ["mark 1", "prompt1.wav"]);
        assert_eq!(told(&rendered.finish_voice), ["prompt3.wav"]);
        let Piece::Audio(encoded) = &rendered.contents[1] else { panic!("a recording") };
        assert_eq!((encoded.alaw.len(), encoded.ulaw.len()), (8_000, 8_000));

        let english =
            run(&world.app, application, &spec(vec![(Content::Digits("1".into()), Lang::En)], 1))
                .await
                .unwrap();
        assert_ne!(told(&english.contents)[1], pieces[3]);
    }

    #[tokio::test]
    async fn a_file_that_went_since_is_told() {
        let world = World::open().await;
        let directory = world.app.directory();
        let application =
            directory.application(&AccountId::new(ACCOUNT), &ApplicationId::new(APPID)).unwrap();
        let refusal =
            run(&world.app, application, &spec(vec![voice("gone.wav")], 1)).await.unwrap_err();
        assert_eq!(refusal.code, UNKNOWN_MEDIA);
    }
}
