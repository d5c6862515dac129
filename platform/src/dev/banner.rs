//! What `yunling dev` prints when it is ready: where it is, who to be, what to paste.

use yunling_domain::Lang;

use super::demo::{ACCOUNT_SID, ACCOUNT_TOKEN, APPLICATION_SID, CALLER_ID};

/// How wide the column of labels is.
const COLUMN: usize = 16;

/// The text, for a server at `url`.
pub(crate) fn text(url: &str, lang: Lang) -> String {
    let inbox = format!("{url}/dev/inbox/");
    let credentials = format!("{ACCOUNT_SID}:{ACCOUNT_TOKEN}");
    let notice = |to: &str, rest: &str| {
        format!(
            "curl -s {url}/Accounts/{ACCOUNT_SID}/VoiceNotices -u {credentials} -d '{{\"appid\":\"{APPLICATION_SID}\",\"from\":\"{CALLER_ID}\",\"to\":\"{to}\",\"contents\":[{{\"type\":\"voice\",\"content\":\"prompt1.wav\"}},{{\"type\":\"digits\",\"content\":\"123\"}},{{\"type\":\"voice\",\"content\":\"prompt2.wav\"}}]{rest}}}'"
        )
    };
    let confirmed = notice(
        "13800100001",
        ",\"finishkey\":\"1\",\"repeatkey\":\"2\",\"finishvoice\":\"prompt3.wav\",\"userdata\":\"order-42\"",
    );
    let busy = notice("13800100010", "");
    let calls = format!("curl -s {url}/Accounts/{ACCOUNT_SID}/Calls -u {credentials}");
    let click = format!(
        "curl -s {url}/v1/Accounts/{ACCOUNT_SID}/Applications/{APPLICATION_SID}/ctc/Conversations -u {credentials} -d '{{\"action\":\"click2call\",\"caller\":\"13800100050\",\"callee\":\"13800100051\",\"record\":2,\"maxDuration\":20}}'"
    );
    let (ready, account, application, callbacks, paste, first, second, talk, third, numbers, stop) =
        match lang {
            Lang::Zh => (
                "云铃已就绪",
                "账号",
                "应用",
                "回调收件箱",
                "粘贴试试：",
                "# 一个语音通知：接听，听完按 1 确认",
                "# 占线的号码：结果 1，原因 2",
                "# 点击呼叫：先后接通两部电话，录音，20 秒后结束",
                "# 话单",
                "被叫末两位决定结果：00 接听 · 01 按 1 · 02 按 2 · 10 占线 · 11 久叫不应 · 12 拒接 · 13 空号 · 14 线路故障 · 16 中途挂机 · 18 八秒后接听",
                "Ctrl-C 停止",
            ),
            Lang::En => (
                "Yunling is ready",
                "account",
                "application",
                "webhook inbox",
                "Paste one of these:",
                "# a voice notice: answered, heard, confirmed with key 1",
                "# a busy callee: result 1, reason 2",
                "# click-to-call: two phones, connected and recorded, for 20 s",
                "# the call records",
                "The callee's last two digits choose what happens: 00 answers · 01 presses 1 · 02 presses 2 · 10 busy · 11 never answers · 12 rejects · 13 unknown · 14 carrier failure · 16 hangs up · 18 answers after 8 s",
                "Ctrl-C stops it",
            ),
        };
    let facts = [
        ("API", format!("{url}/docs").as_str()),
        (account, ACCOUNT_SID),
        ("token", ACCOUNT_TOKEN),
        (application, APPLICATION_SID),
        (callbacks, &inbox),
    ]
    .map(|(name, value)| format!("  {}{value}", padded(name)))
    .join("\n");
    format!(
        "\n{ready}: {url}   ({stop})\n{facts}\n\n{paste}\n\n{first}\n{confirmed}\n\n{second}\n{busy}\n\n{talk}\n{click}\n\n{third}\n{calls}\n\n{numbers}\n"
    )
}

/// A label as wide as its column. A Chinese character takes two places on a terminal.
fn padded(name: &str) -> String {
    let width: usize = name.chars().map(|char| if char.is_ascii() { 1 } else { 2 }).sum();
    format!("{name}{}", " ".repeat(COLUMN.saturating_sub(width)))
}
