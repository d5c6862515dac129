//! The one table of everything that can go wrong, for every surface. Long because it is one table.
//!
//! Numbers, names and their meaning are append-only: customers' programs compare them. A number's
//! first two digits are its [`Area`].
//!
//! Long because it is one table.

use serde::{Serialize, Serializer};

/// Whose fault something was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Nobody's: all went as it should.
    Nobody,
    /// The calling party of a conversation.
    Caller,
    /// The called party: busy, away, unwilling.
    Callee,
    /// The carrier.
    Trunk,
    /// Us.
    Platform,
    /// The tenant's configuration with us.
    TenantConfiguration,
    /// The program that sent the request.
    Client,
}

impl Fault {
    /// Its stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::Caller => "caller",
            Self::Callee => "callee",
            Self::Trunk => "trunk",
            Self::Platform => "platform",
            Self::TenantConfiguration => "tenant_configuration",
            Self::Client => "client",
        }
    }
}

/// What a code is about: the first two digits of its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Area {
    /// 10xxx: who asks.
    Authorization,
    /// 11xxx: the request's form, before its fields are looked at.
    RequestForm,
    /// 12xxx: its fields.
    Parameter,
    /// 13xxx: audio and what is to be spoken.
    Media,
    /// 20xxx: refused by a rule of the gate.
    Gate,
    /// 21xxx: refused by a limit.
    Limit,
    /// 22xxx: refused by a conversation's state.
    Conversation,
    /// 30xxx: the carriers.
    Trunk,
    /// 50xxx: ourselves.
    Platform,
}

/// The voice surface on which a refusal is answered; a missing field has two codes there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VoiceSurface {
    /// VoiceNotices and BatchVoiceNotices.
    Notice,
    /// VoiceCaptchas.
    Captcha,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorCode {
    /// Five digits; `errorCode` of every surface.
    pub number: u32,
    /// Stable snake_case name.
    pub name: &'static str,
    /// `statusCode` of the voice surface, -1 to -6. See [`Self::surface_on`].
    pub surface: i8,
    /// The status on our own interfaces, and on the published ones where an application has
    /// switched semantic statuses on.
    pub http_status: u16,
    /// What is wrong, in Chinese.
    pub zh: &'static str,
    /// What is wrong, in English.
    pub en: &'static str,
    /// What the reader can do about it, in Chinese.
    pub what_to_do_zh: &'static str,
    /// What the reader can do about it, in English.
    pub what_to_do_en: &'static str,
    /// Whose fault it is.
    pub fault: Fault,
}

impl ErrorCode {
    /// What the code is about.
    pub fn area(&self) -> Area {
        match self.number / 1_000 {
            10 => Area::Authorization,
            11 => Area::RequestForm,
            12 => Area::Parameter,
            13 => Area::Media,
            20 => Area::Gate,
            21 => Area::Limit,
            22 => Area::Conversation,
            30 => Area::Trunk,
            _ => Area::Platform,
        }
    }

    /// `statusCode` on one of the voice surfaces: a missing field is `-4` for a notice and `-2` for
    /// a captcha, as the published samples have it (RESOLUTIONS, a required field is missing).
    pub fn surface_on(&self, surface: VoiceSurface) -> i8 {
        match surface {
            VoiceSurface::Captcha if self.number == MISSING_PARAMETER.number => -2,
            VoiceSurface::Captcha | VoiceSurface::Notice => self.surface,
        }
    }

    /// The row with this number.
    pub fn by_number(number: u32) -> Option<&'static Self> {
        ALL.iter().find(|code| code.number == number)
    }

    /// The row with this name.
    pub fn by_name(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|code| code.name == name)
    }
}

/// Written as its number in five digits, as `errorCode` shows it.
impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:05}", self.number))
    }
}

macro_rules! error_codes {
    ($($number:literal $constant:ident $name:literal $surface:literal $status:literal $fault:ident
        $zh:literal $en:literal $do_zh:literal $do_en:literal;)+) => {
        $(
            #[doc = $en]
            pub const $constant: ErrorCode = ErrorCode {
                number: $number,
                name: $name,
                surface: $surface,
                http_status: $status,
                zh: $zh,
                en: $en,
                what_to_do_zh: $do_zh,
                what_to_do_en: $do_en,
                fault: Fault::$fault,
            };
        )+
        /// The whole table, by number.
        pub const ALL: &[ErrorCode] = &[$($constant),+];
    };
}

error_codes! {
    // 10xxx: who asks
    10001 UNAUTHORIZED "unauthorized" -1 401 Client
        "鉴权失败：缺少 Authorization 头，或账号与令牌不匹配"
        "The Authorization header is missing, or account and token do not match"
        "使用 Basic 鉴权：Base64(AccountSid:AccountToken)"
        "Send Basic authorization: Base64 of AccountSid:AccountToken";
    10002 ACCOUNT_MISMATCH "account_mismatch" -1 403 Client
        "请求路径中的账号与鉴权账号不一致"
        "The account in the path is not the one that was authorized"
        "路径中的 AccountSid 必须与鉴权所用的账号相同"
        "Use the same AccountSid in the path and in the authorization";
    10003 ACCOUNT_SUSPENDED "account_suspended" -1 403 TenantConfiguration
        "账号已停用"
        "The account is suspended"
        "请联系平台运营方恢复账号"
        "Ask the operator of the platform to reinstate the account";
    10004 SCOPE_MISSING "scope_missing" -1 403 Client
        "该凭证没有此操作的权限"
        "The credential does not have the scope that this operation needs"
        "换用具有相应权限的密钥或账号令牌"
        "Use an API key with that scope, or the account token";
    10005 TOKEN_EXPIRED "token_expired" -1 401 Client
        "浏览器令牌已过期"
        "The browser token has expired"
        "由后端重新签发令牌"
        "Have your back end mint another one";
    10006 ORIGIN_NOT_ALLOWED "origin_not_allowed" -1 403 TenantConfiguration
        "该应用不允许来自此网页来源的请求"
        "The application takes no requests from pages of this origin"
        "在应用的 origins 中加入该来源"
        "Add the origin to the application's origins";
    10007 LINK_INVALID "link_invalid" -1 403 Client
        "链接签名不正确"
        "The link's signature does not fit it"
        "使用话单中的完整链接，不要改动"
        "Use the whole link of the call record, unchanged";
    10008 LINK_EXPIRED "link_expired" -1 410 Client
        "链接已过期"
        "The link has expired"
        "通过接口查询录音，获取新的链接"
        "Read the recording by the API: it has a fresh link";

    // 11xxx: the request's form
    11001 MALFORMED_JSON "malformed_json" -2 400 Client
        "请求体不是合法的 UTF-8 JSON 对象"
        "The body is not a JSON object in UTF-8"
        "按错误详情中的位置修正 JSON"
        "Correct the JSON at the place that the detail names";
    11002 BODY_TOO_LARGE "body_too_large" -2 413 Client
        "请求体过大"
        "The body is too large"
        "减小请求体，或拆分为多次请求"
        "Send a smaller body, or several requests";
    11003 METHOD_NOT_ALLOWED "method_not_allowed" -4 405 Client
        "该路径不支持此 HTTP 方法"
        "The path does not take this HTTP method"
        "按接口文档使用正确的方法"
        "Use the method that the interface names";
    11004 UNKNOWN_PATH "unknown_path" -4 404 Client
        "没有这个接口路径"
        "There is no such path"
        "按接口文档检查路径"
        "Check the path against the interface";
    11005 NOT_FOUND "not_found" -4 404 Client
        "对象不存在"
        "There is no such object"
        "检查标识是否正确、是否属于该账号"
        "Check the identifier, and that it belongs to this account";
    11006 BAD_IDEMPOTENCY_KEY "bad_idempotency_key" -4 400 Client
        "Idempotency-Key 为空或超过 255 个字符"
        "The Idempotency-Key is empty or longer than 255 characters"
        "使用 1 到 255 个字符的键"
        "Use a key of 1 to 255 characters";
    11007 IDEMPOTENCY_CONFLICT "idempotency_conflict" -4 422 Client
        "同一 Idempotency-Key 已用于内容不同的请求"
        "The same Idempotency-Key was used with another request"
        "重试时保持请求体不变，新请求使用新的键"
        "Repeat the request unchanged, or take a new key for a new request";
    11008 IDEMPOTENCY_IN_PROGRESS "idempotency_in_progress" -4 409 Client
        "使用同一 Idempotency-Key 的请求仍在处理"
        "A request with the same Idempotency-Key is still being handled"
        "稍后用相同的请求重试"
        "Repeat the same request a little later";
    11009 CONFLICT "conflict" -4 409 Client
        "对象已被他人修改"
        "The object was changed by somebody else"
        "重新读取对象后再修改"
        "Read the object again and repeat the change";
    11010 SIP_TRACE_NOT_KEPT "sip_trace_not_kept" -4 404 Client
        "该会话的 SIP 消息未保留"
        "The SIP messages of this conversation were not kept"
        "请平台运营方调整 sip_trace 设置，以便今后保留"
        "Ask the operator to have the setting sip_trace keep those of later calls";

    // 12xxx: its fields
    12001 MISSING_PARAMETER "missing_parameter" -4 400 Client
        "缺少必要参数"
        "A required field is missing"
        "补充错误详情中指出的字段"
        "Add the field that the detail names";
    12002 BAD_PARAMETER "bad_parameter" -4 400 Client
        "参数取值不正确"
        "A field has a value that is not taken"
        "按错误详情中的要求修正字段"
        "Correct the field as the detail says";
    12003 MISSING_APPLICATION "missing_application" -3 400 Client
        "缺少 appid"
        "The appid is missing"
        "填写应用的编号 appid"
        "Give the application's appid";
    12004 UNKNOWN_APPLICATION "unknown_application" -3 404 Client
        "appid 不存在或不属于该账号"
        "The account has no application with this appid"
        "检查 appid"
        "Check the appid";
    12005 BAD_NUMBER "bad_number" -4 400 Client
        "电话号码不正确"
        "A telephone number is not well-formed"
        "填写手机号，或带区号的固定电话"
        "Give a mobile number, or a landline with its area code";
    12006 NO_VALID_NUMBER "no_valid_number" -4 400 Client
        "to 中没有一个有效号码"
        "None of the numbers in `to` is well-formed"
        "检查号码及分隔符（英文逗号）"
        "Check the numbers and the separator (an ASCII comma)";
    12007 RANGE_NOT_SATISFIABLE "range_not_satisfiable" -4 416 Client
        "请求的字节范围超出文件长度"
        "The range of bytes that was asked for lies beyond the file's end"
        "按 Content-Range 中的长度请求"
        "Ask within the length that Content-Range gives";

    // 13xxx: audio and what is to be spoken
    13001 UNKNOWN_MEDIA "unknown_media" -4 404 Client
        "应用的媒体库中没有这个语音文件"
        "The application's media library has no voice file of this name"
        "先上传语音文件，或改正文件名"
        "Add the file to the media library, or correct its name";
    13002 MEDIA_UNUSABLE "media_unusable" -4 422 TenantConfiguration
        "语音文件无法播放"
        "The voice file cannot be played"
        "按错误详情换用 WAV、MP3、Ogg Vorbis 或 FLAC 文件"
        "Use a WAV, MP3, Ogg Vorbis or FLAC file, as the detail says";
    13003 UNSPEAKABLE "unspeakable" -4 400 Client
        "内容与其类型不符，无法播报"
        "A content does not fit its type and cannot be spoken"
        "按错误详情中的格式修正内容"
        "Correct the content as the detail says";
    13004 MEDIA_IN_USE "media_in_use" -4 409 Client
        "语音文件正被等待或进行中的呼叫使用"
        "The voice file is played by calls that wait or run"
        "待错误详情中列出的请求结束后再删除"
        "Delete it when the requests that the detail names are over";
    13005 MEDIA_EXISTS "media_exists" -4 409 Client
        "媒体库中已有同名语音文件"
        "The media library has a voice file of this name already"
        "换用其他名称；要替换则去掉 If-None-Match"
        "Take another name; to replace the file, leave If-None-Match out";
    13006 RECORDING_DELETED "recording_deleted" -4 410 Client
        "录音已超过保存期限，文件已删除"
        "The recording's file was deleted when its time was over"
        "在保存期限内下载；期限由应用的 recording_keep_days 决定"
        "Download recordings in time; the application's recording_keep_days says how long they are kept";
    13007 RECORDING_NOT_READY "recording_not_ready" -4 404 Client
        "录音尚未完成，或没有文件"
        "The recording is still being made, or there is no file of it"
        "通话结束后再下载"
        "Download it when the call is over";
    13010 EXPORT_NOT_READY "export_not_ready" -4 409 Client
        "导出尚未完成，或没有文件"
        "The export is not finished, or there is no file of it"
        "待其 state 为 ready 后再下载"
        "Download it when its state is ready";
    13011 EXPORT_DELETED "export_deleted" -4 410 Client
        "导出文件已超过保存期限，已删除"
        "The export's file was deleted when its time was over"
        "重新导出，并在保存期限内下载"
        "Order it again, and download it in time";
    13012 NO_CDR_URL "no_cdr_url" -4 409 TenantConfiguration
        "应用没有配置话单推送地址 cdr_url"
        "The application has no cdr_url to push call records to"
        "在应用配置中填写 cdr_url"
        "Give the application a cdr_url";

    // 20xxx: refused by a rule of the gate
    20001 CALLER_ID_NOT_OWNED "caller_id_not_owned" -5 403 Client
        "from 不是该账号的号码"
        "The caller ID in `from` does not belong to the account"
        "使用账号名下的号码，或省略 from"
        "Use a number of the account, or leave `from` out";
    20002 CALLER_ID_NOT_FOR_APPLICATION "caller_id_not_for_application" -5 403 TenantConfiguration
        "该应用不允许使用此显号"
        "The application may not show this caller ID"
        "在号码配置中为该应用开放此号码"
        "Open the caller ID for this application";
    20003 NO_CALLER_ID "no_caller_id" -5 403 TenantConfiguration
        "该应用没有可用的显号"
        "The application has no caller ID that it may show"
        "为账号配置号码并对该应用开放"
        "Give the account a caller ID and open it for this application";
    20004 DESTINATION_NOT_ALLOWED "destination_not_allowed" -5 403 TenantConfiguration
        "不允许呼叫此类号码"
        "Calls to numbers of this class are not open"
        "申请开通该类目的号码"
        "Ask the operator to open this class of destinations";
    20005 EMERGENCY_NUMBER "emergency_number" -5 403 Client
        "紧急号码一律不呼叫"
        "Emergency numbers are never called"
        "去掉该号码"
        "Remove the number";
    20006 NO_TRUNK "no_trunk" -5 403 TenantConfiguration
        "显号没有配置线路"
        "The caller ID has no trunk"
        "为该号码配置至少一条线路"
        "Give the caller ID at least one trunk";
    20007 ROUTE_WITHOUT_TRUNK "route_without_trunk" -5 403 TenantConfiguration
        "被叫号码的路由中没有该显号可用的线路"
        "The route of the number called has no trunk that carries the caller ID"
        "换用其他显号，或请平台运营方调整路由"
        "Use another caller ID, or ask the operator to change the route";
    20008 DO_NOT_CALL "do_not_call" -5 403 Client
        "号码在该账号的免打扰名单中"
        "The number is on the account's do-not-call list"
        "去掉该号码；如对方已同意接听，先将其移出名单"
        "Remove the number; if its owner agrees to be called, take it off the list first";
    20009 CALLEE_AT_LIMIT "callee_at_limit" -5 429 Client
        "该号码当日或本周的呼叫次数已达账号上限"
        "The number has had as many calls as the account allows for a day or a week"
        "次日或下周再呼叫"
        "Call it the next day or week";

    // 21xxx: refused by a limit
    21001 ACCOUNT_AT_LIMIT "account_at_limit" -5 429 TenantConfiguration
        "账号已达并发上限"
        "The account is at its limit of calls"
        "稍后重试，或申请提高上限"
        "Try again later, or ask for a higher limit";
    21002 QUEUE_FULL "queue_full" -5 429 TenantConfiguration
        "排队已满"
        "The queue of waiting calls is full"
        "按 Retry-After 稍后重试"
        "Try again after the time in Retry-After";
    21003 QUEUE_WAIT_EXPIRED "queue_wait_expired" -5 503 TenantConfiguration
        "排队等待超时，未发起呼叫"
        "The call waited too long for a free line and was not placed"
        "错峰发送，或申请提高上限"
        "Spread the calls over time, or ask for a higher limit";
    21004 TRUNK_AT_LIMIT "trunk_at_limit" -5 429 Trunk
        "线路已达并发上限"
        "The trunk is at its limit of calls"
        "稍后重试，或申请增加线路"
        "Try again later, or ask for more lines";
    21005 TOO_MANY_STREAMS "too_many_streams" -5 429 Client
        "事件流数量已达上限"
        "Too many event streams are open"
        "关闭不再使用的事件流，或改为查询会话"
        "Close streams that nobody reads, or read the conversation instead";
    21010 TOO_MANY_EXPORTS "too_many_exports" -5 429 Client
        "未完成的导出或定时导出数量已达上限"
        "Too many exports wait or run, or the account has too many schedules"
        "待其中一些完成后再导出，或取消不需要的"
        "Wait until some are finished, or cancel those that nobody needs";

    // 22xxx: refused by a conversation's state
    22001 NOT_BRIDGED "not_bridged" -5 409 Client
        "双方尚未接通，不能加入第三方"
        "The two parties are not connected yet: nobody can be added"
        "待双方接通后再加入"
        "Add the third party when the two are connected";
    22002 ALREADY_THREE "already_three" -5 409 Client
        "会话已有三方"
        "The conversation has three parties already"
        "待其中一方挂机后再加入"
        "Add somebody when one of them has left";
    22003 CONVERSATION_ENDED "conversation_ended" -5 409 Client
        "会话已结束"
        "The conversation is over"
        "重新发起呼叫"
        "Make a new call";
    22004 CONVERSATION_ELSEWHERE "conversation_elsewhere" -5 503 Platform
        "会话在其他节点上进行"
        "The conversation runs on another node"
        "向发起该会话的节点发送请求"
        "Send the request to the node that took the call";

    // 30xxx: the carriers
    30001 ALL_TRUNKS_DOWN "all_trunks_down" -6 503 Trunk
        "所有可用线路均已中断"
        "Every trunk that may be used is down"
        "稍后重试；平台运营方已收到告警"
        "Try again later; the operator has been alerted";

    // 50xxx: ourselves
    50001 OVERLOADED "overloaded" -5 503 Platform
        "平台繁忙"
        "The platform is overloaded"
        "按 Retry-After 稍后重试"
        "Try again after the time in Retry-After";
    50002 DATABASE_UNAVAILABLE "database_unavailable" -5 503 Platform
        "平台存储暂不可用"
        "The platform's database cannot be used at the moment"
        "稍后重试"
        "Try again later";
    50003 INTERNAL "internal" -5 500 Platform
        "平台内部错误"
        "A fault inside the platform"
        "请将请求编号告知平台运营方"
        "Tell the operator the request id";
    50004 SHUTTING_DOWN "shutting_down" -5 503 Platform
        "节点正在停机"
        "The node is shutting down"
        "稍后重试"
        "Try again later";
    50005 RECORDING_STORE_UNAVAILABLE "recording_store_unavailable" -5 503 Platform
        "录音存储暂不可用"
        "The store of recordings cannot be read at the moment"
        "稍后重试"
        "Try again later";
}

/// The table as openapi/error-codes.json holds it.
pub fn as_json() -> serde_json::Value {
    let rows = ALL.iter().map(|code| {
        serde_json::json!({
            "number": format!("{:05}", code.number),
            "name": code.name,
            "area": code.area(),
            "statusCode": code.surface.to_string(),
            "httpStatus": code.http_status,
            "fault": code.fault,
            "zh": code.zh,
            "en": code.en,
            "whatToDoZh": code.what_to_do_zh,
            "whatToDoEn": code.what_to_do_en,
        })
    });
    serde_json::Value::Array(rows.collect())
}

#[cfg(test)]
mod tests;
