//! VoiceCaptchas: takes a request for one call that spells a code (RESOLUTIONS, captcha). It waits in
//! a lane of its own, before notices and batches, and not for long.

use crate::field_text::{self, FieldText, json_fields, number, optional, required};
use crate::principal::{Granted, SendNotices};
use crate::submit_notice::validate::{self, Callee, Checked};
use crate::submit_notice::{self, Accepted, Envelope, Single};
use crate::{App, Refusal};
use yunling_domain::contents::NoticeSpec;
use yunling_domain::{Lang, parameter};

/// The request, field by field as the document names them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CaptchaRequest {
    /// `appid`
    pub appid: FieldText,
    /// `code`
    pub code: FieldText,
    /// `to`
    pub to: FieldText,
    /// `from`
    pub from: FieldText,
    /// `lang`
    pub lang: FieldText,
    /// `userdata`
    pub userdata: FieldText,
    /// Additive `cdrUrl`: where the result callback goes, instead of the application's URL.
    pub cdr_url: FieldText,
    /// Additive `statusUrl`.
    pub status_url: FieldText,
}

impl CaptchaRequest {
    /// Reads a request's body, whatever its Content-Type said; unknown fields are passed over.
    ///
    /// # Errors
    /// `MALFORMED_JSON` (`-2`): it is not a JSON object in UTF-8; the detail says where.
    pub fn from_body(body: &[u8]) -> Result<Self, Refusal> {
        let fields = json_fields(body)?;
        let field = |name: &str| FieldText::of(fields.get(name));
        Ok(Self {
            appid: field("appid"),
            code: field("code"),
            to: field("to"),
            from: field("from"),
            lang: field("lang"),
            userdata: field("userdata"),
            cdr_url: field("cdrUrl"),
            status_url: field("statusUrl"),
        })
    }
}

/// Takes a captcha: checks its fields, asks the gate, and stores request and attempt in one
/// transaction.
///
/// # Errors
/// [`Refusal`]: `-3` for the appid, `-2` for a missing field, `-4` for a bad one, `-5` and `-6` as
/// for a notice. What was refused causes no call and no callback.
pub async fn run(
    app: &App,
    caller: &Granted<SendNotices>,
    request: &CaptchaRequest,
    envelope: Envelope,
) -> Result<Accepted, Refusal> {
    let times = app.settings().calls.captcha_times;
    let check = |_: &_| check(request, times);
    submit_notice::submit(app, Single::Captcha, caller, &request.appid, check, envelope).await
}

/// First what is missing, then what is wrong, in the document's order.
fn check(request: &CaptchaRequest, times: u8) -> Result<Checked<Callee>, Refusal> {
    let code = required("code", &request.code)?;
    let to = required("to", &request.to)?;
    let code = parameter::captcha_code(code.trim()).map_err(field_text::parameter)?;
    let to = validate::callee(to)?;
    let from = optional("from", &request.from)?.map(|text| number("from", text)).transpose()?;
    let lang = optional("lang", &request.lang)?
        .map_or(Ok(Lang::default()), |text| validate::lang("lang", text))?;
    let userdata = optional("userdata", &request.userdata)?
        .map(parameter::userdata)
        .transpose()
        .map_err(field_text::parameter)?;
    Ok(Checked {
        to,
        from,
        spec: NoticeSpec::captcha(code, lang, times),
        userdata: userdata.map(str::to_owned),
        cdr_url: field_text::url("cdrUrl", &request.cdr_url)?,
        status_url: field_text::url("statusUrl", &request.status_url)?,
    })
}
