//! Each call's story in the terminal of `yunling dev`: a line an event, in Chinese where the
//! terminal's language is Chinese, else in English.

use std::collections::HashMap;

use tokio::sync::broadcast::error::RecvError;
use yunling_domain::conversation;
use yunling_domain::event::{EventBody, KeyIgnored, KeyMeaning};
use yunling_domain::notice::{HangUpWhy, Segment};
use yunling_domain::{ConversationId, Lang, Micros};

use crate::ports::Watchers;

/// The terminal's language, by the usual variables.
pub(crate) fn language() -> Lang {
    let named = ["LC_ALL", "LC_MESSAGES", "LANG"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    if named.is_some_and(|value| value.starts_with("zh")) { Lang::Zh } else { Lang::En }
}

/// Tells until the process ends.
pub(crate) async fn tell(watchers: Watchers, lang: Lang, zone: chrono_tz::Tz) {
    let mut events = watchers.watch();
    let mut callees: HashMap<ConversationId, String> = HashMap::new();
    loop {
        match events.recv().await {
            Ok((conversation, event)) => {
                if let EventBody::Accepted { to } = &event.body {
                    callees.insert(conversation.clone(), to.clone());
                }
                let callee = callees.get(&conversation).map_or("?", String::as_str);
                let at = clock(event.at, zone);
                println!(
                    "{at} {callee:<12} {}{}",
                    whose(event.party, lang),
                    sentence(&event.body, lang)
                );
                if matches!(event.body, EventBody::Finished { .. } | EventBody::TalkFinished { .. })
                {
                    callees.remove(&conversation);
                }
            }
            Err(RecvError::Lagged(lost)) => println!("… {lost} events not shown"),
            Err(RecvError::Closed) => return,
        }
    }
}

/// Whose leg it is about, of a conversation with several.
fn whose(party: Option<conversation::Party>, lang: Lang) -> String {
    let Some(party) = party else { return String::new() };
    match (party, lang) {
        (conversation::Party::CALLER, Lang::Zh) => "主叫 ".to_owned(),
        (conversation::Party::CALLEE, Lang::Zh) => "被叫 ".to_owned(),
        (_, Lang::Zh) => "第三方 ".to_owned(),
        (conversation::Party::CALLER, Lang::En) => "caller ".to_owned(),
        (conversation::Party::CALLEE, Lang::En) => "callee ".to_owned(),
        (_, Lang::En) => "third ".to_owned(),
    }
}

/// Hours, minutes, seconds and milliseconds.
pub(crate) fn clock(at: Micros, zone: chrono_tz::Tz) -> String {
    let stamp = at.stamp14(zone);
    let (hours, minutes, seconds) = (&stamp[8..10], &stamp[10..12], &stamp[12..14]);
    format!("{hours}:{minutes}:{seconds}.{:03}", at.micros_of_second() / 1_000)
}

/// One event as a sentence.
fn sentence(body: &EventBody, lang: Lang) -> String {
    let say = |zh: &str, en: &str| match lang {
        Lang::Zh => zh.to_owned(),
        Lang::En => en.to_owned(),
    };
    match body {
        EventBody::Accepted { .. } => say("· 已受理", "· accepted"),
        EventBody::GateDecided { rule, allowed: true, from, trunks, route } => {
            let from = from.as_ref().map_or("?", |number| number.national());
            let trunks = trunks.join(", ");
            let (zh, en) = match route {
                Some(prefix) => (format!("，路由 {prefix}"), format!(", route {prefix}")),
                None => Default::default(),
            };
            say(
                &format!("· 放行（{rule}），显号 {from}，线路 {trunks}{zh}"),
                &format!("· allowed ({rule}), from {from}, trunks {trunks}{en}"),
            )
        }
        EventBody::GateDecided { rule, allowed: false, .. } => {
            say(&format!("✗ 未放行（{rule}）"), &format!("✗ not allowed ({rule})"))
        }
        EventBody::Queued { limit } => {
            say(&format!("· 排队等待空闲线路（{limit}）"), &format!("· waits for a line ({limit})"))
        }
        EventBody::Dialling { attempt, .. } => {
            let n = u32::from(*attempt) + 1;
            say(&format!("→ 拨号（第 {n} 条线路）"), &format!("→ dialling (trunk {n})"))
        }
        EventBody::Trying => say("· 线路已接收（100）", "· taken by the trunk (100)"),
        EventBody::Ringing { code, early_media } => {
            let media = if *early_media {
                say("，有早期媒体", ", with early media")
            } else {
                String::new()
            };
            say(&format!("☎ 振铃（{code}）{media}"), &format!("☎ ringing ({code}){media}"))
        }
        EventBody::Answered => say("✓ 已接听", "✓ answered"),
        EventBody::AnswerCrossedCancel => {
            say("· 接听与取消交叉，不计为接听", "· the answer crossed our CANCEL: not an answer")
        }
        EventBody::PlayStarted { play, what, replay } => {
            let (zh, en) = match (what, replay) {
                (Segment::FinishVoice, _) => ("确认语音", "the closing prompt"),
                (Segment::Contents, true) => ("内容（应要求重播）", "the contents again, as asked"),
                (Segment::Contents, false) => ("内容", "the contents"),
            };
            say(&format!("♪ 第 {play} 次放音：{zh}"), &format!("♪ play {play}: {en}"))
        }
        EventBody::KeyPressed { key, meaning } => {
            let (zh, en) = match meaning {
                KeyMeaning::Finish => ("确认", "confirmed"),
                KeyMeaning::Repeat => ("重听", "once more"),
            };
            say(&format!("⌨ 按键 {key}：{zh}"), &format!("⌨ key {key}: {en}"))
        }
        EventBody::KeyIgnored { key, why } => {
            let (zh, en) = match why {
                KeyIgnored::OutsideWindow => ("此时不收键", "no key is taken now"),
                KeyIgnored::NoMatch => ("不是所等的键", "not a key that is waited for"),
                KeyIgnored::NoMorePlays => ("播放次数已满", "no plays are left"),
            };
            say(&format!("⌨ 按键 {key} 忽略：{zh}"), &format!("⌨ key {key} ignored: {en}"))
        }
        EventBody::PlayFinished { play, completed } => {
            if *completed {
                say(&format!("♪ 第 {play} 次放音结束"), &format!("♪ play {play} done"))
            } else {
                say(&format!("♪ 第 {play} 次放音中断"), &format!("♪ play {play} cut"))
            }
        }
        EventBody::TrunkFailed { termination, .. } => {
            say(&format!("✗ 线路失败：{termination}"), &format!("✗ trunk failed: {termination}"))
        }
        EventBody::HangingUp { why } => {
            let (zh, en) = match why {
                HangUpWhy::Normal => ("播放完毕", "all was said"),
                HangUpWhy::RingTimeout => ("振铃超时", "it rang for too long"),
                HangUpWhy::NoReply => ("线路无响应", "the trunk does not reply"),
                HangUpWhy::MaxDuration => ("达到最大时长", "longest call reached"),
                HangUpWhy::Requested => ("应要求", "as asked"),
                HangUpWhy::OtherPartyLeft => ("另一方已离开", "the other party left"),
                HangUpWhy::MediaLost => ("无媒体流", "nothing is heard of it"),
                HangUpWhy::PlatformFault => ("平台原因", "for a reason of the platform's"),
            };
            say(&format!("← 挂机：{zh}"), &format!("← hanging up: {en}"))
        }
        EventBody::Ended { termination } => say(
            &format!("· 通话结束：{termination}"),
            &format!("· the call is over: {termination}"),
        ),
        EventBody::ThirdPartyAdded => say("· 邀请第三方", "· a third party is called"),
        EventBody::VoiceStarted { what } => {
            let (zh, en) = voice(*what);
            say(&format!("♪ 播放{zh}"), &format!("♪ {en}"))
        }
        EventBody::VoiceMissing { what, .. } => {
            let (zh, en) = voice(*what);
            say(&format!("✗ {zh}无法播放"), &format!("✗ {en} cannot be played"))
        }
        EventBody::EarlyAudio { .. } => {
            say("♪ 透传对端早期媒体", "♪ its network's early media is passed through")
        }
        EventBody::Connected { parties } => {
            let count = parties.len();
            say(&format!("⇄ {count} 方通话"), &format!("⇄ {count} parties talk"))
        }
        EventBody::Parted => say("⇄ 暂停桥接", "⇄ parted"),
        EventBody::MediaLost { silent_ms } => say(
            &format!("✗ {silent_ms} 毫秒无媒体流"),
            &format!("✗ nothing was heard for {silent_ms} ms"),
        ),
        EventBody::RecordingStarted { .. } => say("● 开始录音", "● recording"),
        EventBody::NotRecorded { why } => {
            say(&format!("✗ 未录音：{why}"), &format!("✗ not recorded: {why}"))
        }
        EventBody::RecordingEnded { duration_ms, .. } => {
            say(&format!("● 录音结束，{duration_ms} 毫秒"), &format!("● recorded {duration_ms} ms"))
        }
        EventBody::TalkFinished { bye_type, by } => {
            format!("■ byeType={} endedBy={}", bye_type.number(), by.as_str())
        }
        EventBody::Finished { result, reason, cause, fault, input_key } => {
            let mut facts = vec![format!("result={result}")];
            facts.extend(reason.map(|reason| format!("reason={reason}")));
            facts.extend(input_key.map(|key| format!("inputkey={key}")));
            facts.push(format!("cause={}", cause.as_str()));
            if *result != 0 {
                facts.push(format!("fault={}", fault.name()));
            }
            format!("■ {}", facts.join(" "))
        }
    }
}

/// What the parties of a conversation are played.
fn voice(what: conversation::Segment) -> (&'static str, &'static str) {
    use conversation::Segment as Voice;
    match what {
        Voice::Greeting => ("欢迎语", "the greeting"),
        Voice::RingbackTone => ("回铃音", "the ringback tone"),
        Voice::RingbackVoice => ("定制回铃音", "the ringback voice"),
        Voice::BusyTone => ("忙音", "the busy tone"),
        Voice::FailVoice => ("呼叫失败音", "the voice of a failed call"),
        Voice::CallerVoice => ("主叫提示音", "the caller's prompt"),
        Voice::CalleeVoice => ("被叫提示音", "the callee's prompt"),
        Voice::HoldMusic => ("等待音乐", "music"),
        Voice::LastMinute => ("最后一分钟提示音", "that a minute is left"),
    }
}
