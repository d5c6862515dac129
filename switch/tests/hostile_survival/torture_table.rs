//! The tortuous messages of RFC 4475 and what we do about each. docs/HOSTILE-INPUT.md shows this
//! table; a test keeps the two in step.

/// What comes of a message that no call is concerned by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is answered, with this status.
    Status(u16),
    /// It is dropped in silence, and counted under this reason.
    Dropped(&'static str),
    /// The rest of it is waited for, until the stream ends or is idle for too long.
    Awaited,
}

use Outcome::{Awaited, Dropped, Status};

/// One message.
pub(crate) struct Row {
    pub section: &'static str,
    /// The RFC's name, and the file's.
    pub name: &'static str,
    /// What is tortuous about it.
    pub about: &'static str,
    /// In a datagram.
    pub udp: Outcome,
    /// On a stream.
    pub tcp: Outcome,
    /// Why that is right, where it is not plain.
    pub why: &'static str,
}

const fn row(
    section: &'static str,
    name: &'static str,
    about: &'static str,
    outcomes: [Outcome; 2],
    why: &'static str,
) -> Row {
    Row { section, name, about, udp: outcomes[0], tcp: outcomes[1], why }
}

pub(crate) const ROWS: [Row; 49] = [
    row(
        "3.1.1.1",
        "wsinv",
        "white space and folding wherever the grammar lets them",
        [Status(481); 2],
        "It has a To tag, and no call of ours",
    ),
    row(
        "3.1.1.2",
        "intmeth",
        "every character that a method and a URI may have",
        [Status(501); 2],
        "A well-formed method that nobody here has",
    ),
    row("3.1.1.3", "esc01", "escapes in URIs", [Status(403); 2], ""),
    row("3.1.1.4", "escnull", "escaped NULs in URIs", [Status(403); 2], ""),
    row(
        "3.1.1.5",
        "esc02",
        "a percent sign that is no escape, in a method",
        [Status(501); 2],
        "The method is `RE%47IST%45R`, which is not REGISTER",
    ),
    row("3.1.1.6", "lwsdisp", "no space between a display name and <", [Status(200); 2], ""),
    row("3.1.1.7", "longreq", "long values in every header", [Status(403); 2], ""),
    row(
        "3.1.1.8",
        "dblreq",
        "a second request behind the first",
        [Status(403), Dropped("torn")],
        "By UDP the second is no body and is passed over; on a stream it ends five bytes early, and those are no message",
    ),
    row("3.1.1.9", "semiuri", "semicolons in a URI's user part", [Status(200); 2], ""),
    row("3.1.1.10", "transports", "unknown transports in Via", [Status(200); 2], ""),
    row("3.1.1.11", "mpart01", "a binary part in a multipart body", [Status(403); 2], ""),
    row(
        "3.1.1.12",
        "unreason",
        "a reason phrase that is not ASCII",
        [Dropped("nobody"); 2],
        "A response to a request that we never sent",
    ),
    row(
        "3.1.1.13",
        "noreason",
        "an empty reason phrase",
        [Dropped("nobody"); 2],
        "A response to a request that we never sent",
    ),
    row(
        "3.1.2.1",
        "badinv01",
        "separators without anything between them",
        [Status(403); 2],
        "What can be read suffices to refuse it",
    ),
    row(
        "3.1.2.2",
        "clerr",
        "Content-Length larger than the message",
        [Status(403), Awaited],
        "By UDP a message ends with its datagram; on a stream the rest may come yet",
    ),
    row(
        "3.1.2.3",
        "ncl",
        "a negative Content-Length",
        [Status(403), Dropped("torn")],
        "Mended by UDP, where a message ends with its datagram",
    ),
    row(
        "3.1.2.4",
        "scalar02",
        "request scalars out of range",
        [Dropped("incomplete"); 2],
        "A CSeq beyond 32 bits belongs to no transaction",
    ),
    row(
        "3.1.2.5",
        "scalarlg",
        "response scalars out of range",
        [Dropped("incomplete"); 2],
        "A CSeq beyond 32 bits belongs to no transaction",
    ),
    row(
        "3.1.2.6",
        "quotbal",
        "a quoted string that does not end",
        [Status(403); 2],
        "Refused without reading it",
    ),
    row(
        "3.1.2.7",
        "ltgtruri",
        "a Request-URI in <>",
        [Status(403); 2],
        "Refused without reading it",
    ),
    row("3.1.2.8", "lwsruri", "white space in the Request-URI", [Dropped("malformed"); 2], ""),
    row("3.1.2.9", "lwsstart", "two spaces in the start line", [Dropped("malformed"); 2], ""),
    row("3.1.2.10", "trws", "spaces at the end of the start line", [Status(200); 2], ""),
    row(
        "3.1.2.11",
        "escruri",
        "escaped headers in the Request-URI",
        [Status(403); 2],
        "Refused without reading it",
    ),
    row(
        "3.1.2.12",
        "baddate",
        "a Date in another zone than GMT",
        [Status(403); 2],
        "Dates are not read",
    ),
    row("3.1.2.13", "regbadct", "an unbracketed Contact URI with headers", [Status(403); 2], ""),
    row(
        "3.1.2.14",
        "badaspec",
        "spaces within an addr-spec",
        [Status(200); 2],
        "Harmless: read generously",
    ),
    row(
        "3.1.2.15",
        "baddn",
        "a display name that ought to be quoted",
        [Status(200); 2],
        "Harmless: read generously",
    ),
    row("3.1.2.16", "badvers", "an unknown version of SIP", [Status(505); 2], ""),
    row(
        "3.1.2.17",
        "mismatch01",
        "another method in CSeq",
        [Dropped("cseq"); 2],
        "Two elements could take it for two things",
    ),
    row(
        "3.1.2.18",
        "mismatch02",
        "an unknown method, and another one in CSeq",
        [Status(501); 2],
        "",
    ),
    row("3.1.2.19", "bigcode", "a status of ten digits", [Dropped("malformed"); 2], ""),
    row(
        "3.2.1",
        "badbranch",
        "a branch of nothing but the cookie",
        [Status(200); 2],
        "Stateless answers match no branch",
    ),
    row(
        "3.3.1",
        "insuf",
        "no Call-ID, From, To",
        [Dropped("incomplete"); 2],
        "There is nothing to answer with",
    ),
    row(
        "3.3.2",
        "unkscm",
        "a Request-URI of an unknown scheme",
        [Status(200); 2],
        "OPTIONS outside a call asks for the engine, not for whom it names",
    ),
    row(
        "3.3.3",
        "novelsc",
        "a Request-URI of a known scheme that is not SIP's",
        [Status(200); 2],
        "OPTIONS outside a call asks for the engine, not for whom it names",
    ),
    row("3.3.4", "unksm2", "unknown schemes in To, From and Contact", [Status(403); 2], ""),
    row(
        "3.3.5",
        "bext01",
        "extensions required that nobody has",
        [Status(420); 2],
        "`Unsupported` names them",
    ),
    row("3.3.6", "invut", "a body of an unknown type", [Status(403); 2], ""),
    row("3.3.7", "regaut01", "an unknown scheme of authorization", [Status(403); 2], ""),
    row(
        "3.3.8",
        "multi01",
        "several values of what may be there once",
        [Dropped("repeated"), Awaited],
        "Two elements could take it for two things; its length promises two bytes more than it has",
    ),
    row(
        "3.3.9",
        "mcl01",
        "two Content-Lengths",
        [Dropped("repeated"), Dropped("torn")],
        "Two elements could see two messages",
    ),
    row(
        "3.3.10",
        "bcast",
        "a response with a broadcast address in Via",
        [Dropped("nobody"); 2],
        "A response to a request that we never sent",
    ),
    row("3.3.11", "zeromf", "Max-Forwards of 0", [Status(200); 2], "We are where it ends"),
    row("3.3.12", "cparam01", "an unknown parameter of a Contact", [Status(403); 2], ""),
    row("3.3.13", "cparam02", "an unknown parameter of a Contact's URI", [Status(403); 2], ""),
    row("3.3.14", "regescrt", "an escaped Route in a Contact's URI", [Status(403); 2], ""),
    row("3.3.15", "sdp01", "only an unknown body type is accepted in answer", [Status(403); 2], ""),
    row(
        "3.4.1",
        "inv2543",
        "an INVITE as RFC 2543 had it",
        [Status(403), Dropped("torn")],
        "Read as RFC 3261 wants old requests read; a stream needs a Content-Length",
    ),
];
