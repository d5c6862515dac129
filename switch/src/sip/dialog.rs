//! A dialog, early or confirmed (RFC 3261 §12): its state, and the requests that we send within it.

use bytes::Bytes;
use yunling_switch_contract::DialogState;

use super::call::Hop;
use super::compose::Composer;
use super::fields::{self, NameAddr, param};
use super::ids::CallIds;
use super::invite::{Invite, LocalParty};
use super::stack::{Message, Method, Target};

/// How far the numbers of a restored dialog are ahead of the stored ones, which are from the answer:
/// a call may have been refreshed ten thousand times since.
const RESTORED_GAP: u32 = 20_000;

/// A dialog that a 2xx made, or a provisional response with a To tag.
#[derive(Debug, Clone)]
pub(crate) struct Dialog {
    state: DialogState,
    ids: CallIds,
    local: LocalParty,
    trunk: Target,
}

impl Dialog {
    /// The dialog that a response to our INVITE makes (§12.1.2). A peer that names no Contact is called
    /// back where it was called, one without a To tag is taken as one from before tags.
    pub(crate) fn of_answer(invite: &Invite, answer: &Message, trunk: Target) -> Self {
        let mut routes: Vec<String> =
            answer.headers("Record-Route").flat_map(fields::list).map(str::to_owned).collect();
        routes.reverse();
        let state = DialogState {
            call_id: invite.ids.call_id.clone(),
            local_tag: invite.ids.tag.clone(),
            remote_tag: answer.tag_of_to().unwrap_or_default().to_owned(),
            local_uri: invite.from_uri.clone(),
            remote_uri: invite.to_uri.clone(),
            remote_target: answer.contact().unwrap_or(&invite.uri).to_owned(),
            routes,
            local_cseq: answer.cseq(),
        };
        Self { state, ids: invite.ids.clone(), local: invite.local.clone(), trunk }
    }

    /// A dialog as it was stored, to be ended by another process than the one that began it.
    pub(crate) fn restored(
        mut state: DialogState,
        ids: CallIds,
        local: LocalParty,
        trunk: Target,
    ) -> Self {
        state.local_cseq = state.local_cseq.saturating_add(RESTORED_GAP);
        Self { state, ids, local, trunk }
    }

    /// What a restarted engine needs.
    pub(crate) fn state(&self) -> &DialogState {
        &self.state
    }

    /// Whether a request of the peer's is in this dialog (§12.2.2).
    pub(crate) fn owns(&self, request: &Message) -> bool {
        request.tag_of_from().unwrap_or_default() == self.state.remote_tag
            && request.tag_of_to() == Some(self.state.local_tag.as_str())
    }

    /// Whether a response is to our request of this method within this dialog, the one with its
    /// CSeq: nobody else knows the branch. A peer from before tags may have learned of them.
    pub(crate) fn is_answered_by(&self, response: &Message, method: Method) -> bool {
        let branch = self.branch(method, response.cseq());
        response.branch() == Some(branch.as_str())
            && response.tag_of_from() == Some(self.state.local_tag.as_str())
            && (self.state.remote_tag.is_empty()
                || response.tag_of_to() == Some(self.state.remote_tag.as_str()))
    }

    /// The peer's tag.
    pub(crate) fn remote_tag(&self) -> &str {
        &self.state.remote_tag
    }

    /// Goes on from the numbers that the early dialog of the same branch had come to.
    pub(crate) fn continue_from(&mut self, early: &Self) {
        self.state.local_cseq = self.state.local_cseq.max(early.state.local_cseq);
    }

    /// Takes the new Contact of a target refresh (§12.2).
    pub(crate) fn refresh_target(&mut self, request: &Message) {
        if let Some(contact) = request.contact() {
            contact.clone_into(&mut self.state.remote_target);
        }
    }

    /// Where requests of this dialog are sent: to the first route, else to the remote target; to
    /// the trunk if that leads nowhere.
    pub(crate) fn hop(&self) -> Hop {
        Hop::Uri {
            uri: self.next_hop().to_owned(),
            usual: self.local.transport,
            otherwise: self.trunk,
        }
    }

    fn next_hop(&self) -> &str {
        self.state
            .routes
            .first()
            .and_then(|route| NameAddr::parse(route))
            .map_or(self.state.remote_target.as_str(), |route| route.uri)
    }

    /// The Request-URI that requests of this dialog carry.
    pub(crate) fn request_uri(&self) -> &str {
        if self.first_route_is_strict() { self.next_hop() } else { &self.state.remote_target }
    }

    /// The ACK of a 2xx to an INVITE (§13.2.2.4): with the answers that the INVITE carried.
    pub(crate) fn ack(&self, cseq: u32, authorization: &[(&'static str, String)]) -> Bytes {
        let branch = self.branch(Method::Ack, cseq);
        self.request(Method::Ack, cseq, &branch, authorization).bare()
    }

    /// The ACK of a final response of 300 and above to a re-INVITE (§17.1.1.3).
    pub(crate) fn ack_of_failure(&self, cseq: u32) -> Bytes {
        let branch = self.branch(Method::Invite, cseq);
        self.request(Method::Ack, cseq, &branch, &[]).bare()
    }

    /// A BYE with a new CSeq, which the dialog keeps.
    pub(crate) fn bye(
        &mut self,
        authorization: &[(&'static str, String)],
        reason: Option<&str>,
    ) -> Bytes {
        self.next_request(Method::Bye, authorization).maybe("Reason", reason).bare()
    }

    /// Another request with a new CSeq, which the dialog keeps.
    pub(crate) fn next_request(
        &mut self,
        method: Method,
        authorization: &[(&'static str, String)],
    ) -> Composer {
        self.state.local_cseq += 1;
        let cseq = self.state.local_cseq;
        self.request(method, cseq, &self.branch(method, cseq), authorization)
    }

    fn branch(&self, method: Method, cseq: u32) -> String {
        self.ids.branch_in_dialog(method.as_str(), cseq, &self.state.remote_tag)
    }

    fn request(
        &self,
        method: Method,
        cseq: u32,
        branch: &str,
        authorization: &[(&'static str, String)],
    ) -> Composer {
        let state = &self.state;
        let mut request = Composer::request(method, self.request_uri())
            .header("Via", self.local.via(branch))
            .header("Max-Forwards", 70);
        if self.first_route_is_strict() {
            // §12.2.1.1: a strict router takes its own URI from the request line and finds the
            // remote target at the end.
            request = request
                .routes(&state.routes[1..])
                .header("Route", format_args!("<{}>", state.remote_target));
        } else {
            request = request.routes(&state.routes);
        }
        request =
            request.header("From", format_args!("<{}>;tag={}", state.local_uri, state.local_tag));
        request = if state.remote_tag.is_empty() {
            request.header("To", format_args!("<{}>", state.remote_uri))
        } else {
            request.header("To", format_args!("<{}>;tag={}", state.remote_uri, state.remote_tag))
        };
        request = request
            .header("Call-ID", &state.call_id)
            .header("CSeq", format_args!("{cseq} {}", method.as_str()))
            .header("User-Agent", &self.local.user_agent);
        for (name, value) in authorization {
            request = request.header(name, value);
        }
        request
    }

    fn first_route_is_strict(&self) -> bool {
        let first = self.state.routes.first().and_then(|route| NameAddr::parse(route));
        first.is_some_and(|route| {
            let params = route.uri.find(';').map_or("", |at| &route.uri[at..]);
            param(params, "lr").is_none()
        })
    }
}
