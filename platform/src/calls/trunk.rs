//! A trunk of the directory as the engine knows it, and numbers as that trunk wants them.

use std::sync::Arc;
use std::time::Duration;

use yunling_app::directory::Trunk;
use yunling_app::documents::{
    CodecName, IdentityName, RefresherName, ReliableName, SessionTimerDoc, TlsDoc, TrunkTransport,
};
use yunling_domain::Number;
use yunling_domain::numbers::for_trunk;
use yunling_switch_contract::{
    Codec, Credentials, IdentityHeader, Peer, Refresher, Registering, ReliableProvisionals,
    SessionTimer, TlsTrust, Transport, TrunkPlan,
};

/// Where to send the INVITE, and how to speak there.
pub(super) fn peer(trunk: &Trunk) -> Peer {
    let transport = match trunk.transport {
        TrunkTransport::Udp => Transport::Udp,
        TrunkTransport::Tcp => Transport::Tcp,
        TrunkTransport::Tls => Transport::Tls,
    };
    Peer {
        port: trunk.port,
        credentials: trunk.login.as_ref().map(|login| Credentials {
            username: login.username.clone(),
            password: login.password.expose().to_owned(),
        }),
        identity: match trunk.identity {
            IdentityName::None => IdentityHeader::None,
            IdentityName::PAssertedIdentity => IdentityHeader::PAssertedIdentity,
            IdentityName::RemotePartyId => IdentityHeader::RemotePartyId,
        },
        from_domain: trunk.from_domain.clone(),
        trust: trunk.tls.as_ref().map_or(TlsTrust::System, trust),
        session_timer: trunk.session_timer.map_or_else(SessionTimer::default, session_timer),
        reliable: match trunk.reliable {
            ReliableName::Off => ReliableProvisionals::Off,
            ReliableName::Supported => ReliableProvisionals::Supported,
            ReliableName::Required => ReliableProvisionals::Required,
        },
        ..Peer::new(&*trunk.name, trunk.host.clone(), transport)
    }
}

fn trust(tls: &TlsDoc) -> TlsTrust {
    match (&tls.fingerprint, &tls.ca) {
        (Some(fingerprint), _) => TlsTrust::Pinned(fingerprint.0.0),
        (None, Some(ca)) => TlsTrust::Authorities(ca.as_str().as_bytes().into()),
        (None, None) => TlsTrust::System,
    }
}

fn session_timer(timer: SessionTimerDoc) -> SessionTimer {
    match timer {
        SessionTimerDoc::Off => SessionTimer::Off,
        SessionTimerDoc::Offered(intervals) => SessionTimer::Offered {
            interval_s: intervals.interval_s,
            min_s: intervals.min_s,
            refresher: intervals.refresher.map(|refresher| match refresher {
                RefresherName::Us => Refresher::Us,
                RefresherName::Peer => Refresher::Peer,
            }),
        },
    }
}

/// How the engine is to keep it up.
pub(crate) fn plan(trunk: &Trunk) -> TrunkPlan {
    TrunkPlan {
        name: Arc::clone(&trunk.name),
        peer: peer(trunk),
        register: trunk.register.as_ref().map(|register| Registering {
            user: register.user.clone(),
            expires_s: register.expires_s,
        }),
        probe_every: trunk.probe_s.map(|seconds| Duration::from_secs(u64::from(seconds))),
    }
}

/// A number in the trunk's form.
pub(super) fn number(number: &Number, trunk: &Trunk) -> String {
    for_trunk(number, &trunk.number_format, trunk.home_area.as_deref())
}

/// The codecs to offer, best first.
pub(super) fn codecs(trunk: &Trunk) -> Vec<Codec> {
    let codecs = trunk.codecs.iter().map(|name| match name {
        CodecName::Pcma => Codec::Pcma,
        CodecName::Pcmu => Codec::Pcmu,
    });
    codecs.collect()
}
