use yunling_store::deliveries::DeliveryState;

use crate::receiver::{OK, Receiver};
use crate::world::World;

#[tokio::test]
async fn private_addresses_are_refused_as_literals_and_as_names() {
    let (world, receiver) = (World::open().await, Receiver::start(OK).await);
    let mut settings = World::settings();
    settings.callbacks.allow.clear();
    let deliveries = world.start_with(&settings);
    let port = receiver.address.port();
    let urls = [
        (format!("http://127.0.0.1:{port}/"), "127.0.0.1 (loopback) may not be called"),
        // Other spellings of the same address.
        (format!("http://2130706433:{port}/"), "127.0.0.1 (loopback) may not be called"),
        (format!("http://0x7f.1:{port}/"), "127.0.0.1 (loopback) may not be called"),
        (format!("http://[::ffff:127.0.0.1]:{port}/"), "IPv4 mapped into IPv6"),
        (format!("http://localhost:{port}/"), "may not be called"),
        ("http://169.254.169.254/latest/meta-data/".to_owned(), "link-local"),
        (format!("ftp://127.0.0.1:{port}/"), "expected http or https"),
        ("nonsense".to_owned(), "not sent: url"),
        (format!("http://no-such-name.invalid:{port}/"), "no connection"),
    ];
    for (n, (url, error)) in urls.iter().enumerate() {
        world.cause(vec![world.event(&n.to_string(), url)]).await;
        let (delivery, attempts) = world.attempts(&n.to_string(), 1).await;
        assert_eq!(delivery.state, DeliveryState::Pending, "{url}: it is tried again");
        assert_eq!(attempts[0].status, None, "{url}");
        let found = attempts[0].error.as_deref().unwrap_or_default();
        assert!(found.contains(error), "{url}: {found}");
    }
    assert_eq!(receiver.count(), 0);
    deliveries.stop().await;
}

#[tokio::test]
async fn a_name_within_the_operators_list_is_called() {
    let (world, receiver) = (World::open().await, Receiver::start(OK).await);
    let deliveries = world.start();
    let url = format!("http://localhost:{}/", receiver.address.port());
    world.cause(vec![world.event("1", &url)]).await;
    world.delivered(&["1".to_owned()]).await;
    assert_eq!(receiver.count(), 1);
    deliveries.stop().await;
}
