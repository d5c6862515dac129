//! Session descriptions (RFC 8866) and their negotiation (RFC 3264). Pure.

mod negotiate;
mod parse;
mod session;

pub(crate) use negotiate::{Agreement, Unusable, take_answer, take_offer};
pub(crate) use session::Session;

/// Which way audio flows, as the side that wrote the attribute sees it (RFC 8866 §6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    SendReceive,
    SendOnly,
    ReceiveOnly,
    Inactive,
}

impl Direction {
    const ALL: [Self; 4] = [Self::SendReceive, Self::SendOnly, Self::ReceiveOnly, Self::Inactive];

    const fn name(self) -> &'static str {
        match self {
            Self::SendReceive => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::ReceiveOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    const fn of(send: bool, receive: bool) -> Self {
        match (send, receive) {
            (true, true) => Self::SendReceive,
            (true, false) => Self::SendOnly,
            (false, true) => Self::ReceiveOnly,
            (false, false) => Self::Inactive,
        }
    }

    const fn sends(self) -> bool {
        matches!(self, Self::SendReceive | Self::SendOnly)
    }

    const fn receives(self) -> bool {
        matches!(self, Self::SendReceive | Self::ReceiveOnly)
    }
}
