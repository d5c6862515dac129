//! A trunk of the directory as the engine knows it, and numbers as that trunk wants them.

use yunling_app::config::SipTransport;
use yunling_app::directory::Trunk;
use yunling_app::documents::{CodecName, IdentityName};
use yunling_domain::Number;
use yunling_domain::numbers::for_trunk;
use yunling_switch_contract::{Codec, Credentials, IdentityHeader, Peer, Transport};

/// Where to send the INVITE.
pub(super) fn peer(trunk: &Trunk) -> Peer {
    Peer {
        name: trunk.name.to_string(),
        host: trunk.host.clone(),
        port: trunk.port,
        transport: match trunk.transport {
            SipTransport::Udp => Transport::Udp,
            SipTransport::Tcp => Transport::Tcp,
        },
        credentials: trunk.login.as_ref().map(|login| Credentials {
            username: login.username.clone(),
            password: login.password.expose().to_owned(),
        }),
        identity: match trunk.identity {
            IdentityName::None => IdentityHeader::None,
            IdentityName::PAssertedIdentity => IdentityHeader::PAssertedIdentity,
            IdentityName::RemotePartyId => IdentityHeader::RemotePartyId,
        },
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
