//! The one place where the tests touch the published interface.

use reqwest::Method;
use serde_json::{Value, json};

use super::node::merge;
use super::tenant::{ACCOUNT, APPID, CALLER_ID, TOKEN};

/// `SoftVersion` in the paths of click-to-call; callbacks echo it.
pub(crate) const SOFT_VERSION: &str = "2014-06-30";

/// A tenant's side of a node's interfaces.
#[derive(Clone)]
pub(crate) struct Api {
    base: String,
    client: reqwest::Client,
    account: String,
    password: String,
}

/// An answer, whatever it says.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    /// `null` where it is no JSON.
    pub(crate) body: Value,
}

impl Reply {
    async fn of(answer: reqwest::Response) -> Result<Self, reqwest::Error> {
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let bytes = answer.bytes().await?;
        Ok(Self { status, headers, body: serde_json::from_slice(&bytes).unwrap_or_default() })
    }
}

/// A request that was answered `0`.
#[derive(Debug, Clone)]
pub(crate) struct Accepted {
    pub(crate) request_id: String,
    pub(crate) call_id: String,
}

impl Api {
    /// With the sample account's credentials.
    pub(crate) fn new(base: &str) -> Self {
        Self {
            base: base.to_owned(),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            account: ACCOUNT.to_owned(),
            password: TOKEN.to_owned(),
        }
    }

    /// The same for another account.
    pub(crate) fn of_account(&self, account: &str, token: &str) -> Self {
        Self { account: account.to_owned(), password: token.to_owned(), ..self.clone() }
    }

    /// Any request; `path` begins with `/`. Fails where nobody answers at all.
    pub(crate) async fn try_send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Result<Reply, reqwest::Error> {
        let url = format!("{}{path}", self.base);
        let mut request =
            self.client.request(method, url).basic_auth(&self.account, Some(&self.password));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        Reply::of(request.send().await?).await
    }

    /// Any request without a body, with these headers and no credentials of the account's.
    pub(crate) async fn try_send_bare(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Reply, reqwest::Error> {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Reply::of(request.send().await?).await
    }

    /// Any request to a node that is up.
    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Reply {
        self.try_send(method, path, body, &[]).await.expect("the node answers")
    }

    /// Any file to a node that is up.
    pub(crate) async fn upload(&self, method: Method, path: &str, file: &str) -> Reply {
        let request = self.client.request(method, format!("{}{path}", self.base));
        let request = request.basic_auth(&self.account, Some(&self.password));
        let answer = request.body(file.to_owned()).send().await.expect("the node answers");
        Reply::of(answer).await.expect("a whole answer")
    }

    /// GET.
    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, None).await
    }

    /// POST VoiceNotices with this body as it is.
    pub(crate) async fn post_notice(&self, body: &Value) -> Reply {
        let path = format!("/Accounts/{}/VoiceNotices", self.account);
        self.send(Method::POST, &path, Some(body)).await
    }

    /// A notice to this number: the sample request, with `fields` merged over it. It has to be
    /// accepted.
    pub(crate) async fn notice(&self, to: &str, fields: &Value) -> Accepted {
        let reply = self.post_notice(&notice_body(to, fields)).await;
        Accepted::of(to, &reply)
    }

    /// A notice that has to be refused.
    pub(crate) async fn notice_refused(&self, to: &str, fields: &Value) -> Reply {
        let reply = self.post_notice(&notice_body(to, fields)).await;
        assert_ne!(reply.body["statusCode"], "0", "the notice to {to} was taken: {reply:?}");
        reply
    }

    /// click2call with this body as it is.
    pub(crate) async fn post_click(&self, body: &Value) -> Reply {
        self.send(Method::POST, &self.conversations(), Some(body)).await
    }

    /// click2call for these two, with `fields` merged over the request. It has to be accepted; gives
    /// back `conversationSid`.
    pub(crate) async fn click(&self, caller: &str, callee: &str, fields: &Value) -> String {
        let mut body = json!({ "action": "click2call", "caller": caller, "callee": callee });
        merge(&mut body, fields);
        let reply = self.post_click(&body).await;
        assert_eq!(reply.body["statusCode"], "00000", "{caller} to {callee}: {reply:?}");
        reply.body["conversationSid"].as_str().expect("an accepted click has a name").to_owned()
    }

    /// A command to a conversation.
    pub(crate) async fn ctc_command(&self, sid: &str, action: &str, fields: &Value) -> Reply {
        let mut body = json!({ "action": action });
        if !fields.is_null() {
            merge(&mut body, fields);
        }
        let path = format!("{}/{sid}", self.conversations());
        self.send(Method::POST, &path, Some(&body)).await
    }

    fn conversations(&self) -> String {
        let account = &self.account;
        format!("/{SOFT_VERSION}/Accounts/{account}/Applications/{APPID}/ctc/Conversations")
    }

    /// GET of a call: its record, which is whole once its `state` is `ended`.
    pub(crate) async fn call(&self, call_id: &str) -> Value {
        let reply = self.get(&format!("/Accounts/{}/Calls/{call_id}", self.account)).await;
        assert_eq!(reply.body["statusCode"], "0", "no record of {call_id}: {reply:?}");
        reply.body["call"].clone()
    }
}

impl Accepted {
    /// Reads an answer that has to be `0`.
    pub(crate) fn of(to: &str, reply: &Reply) -> Self {
        let body = &reply.body;
        assert_eq!(body["statusCode"], "0", "the notice to {to} was refused: {reply:?}");
        let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
        Self { request_id: text("requestid"), call_id: text("callid") }
    }
}

/// The sample request with a shorter text, and `fields` merged over it.
pub(crate) fn notice_body(to: &str, fields: &Value) -> Value {
    let mut body = json!({
        "appid": APPID,
        "from": CALLER_ID,
        "to": to,
        "contents": [
            { "type": "voice", "content": "prompt1.wav" },
            { "type": "digits", "content": "12" },
        ],
    });
    merge(&mut body, fields);
    body
}
