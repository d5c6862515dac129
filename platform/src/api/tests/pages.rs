//! The description and its pages.

use poem::http::StatusCode;

use super::world::World;
use crate::api::spec;

#[tokio::test]
async fn the_description_is_served_as_it_is_committed() {
    let world = World::open().await;
    let got = world.read("/openapi.json").await;
    assert!(got.body == spec());
}

#[tokio::test]
async fn pages_are_html_that_nobody_frames_and_load_nothing_from_elsewhere() {
    let world = World::open().await;
    for path in ["/docs", "/docs/errors"] {
        let got = world.read(path).await;
        assert_eq!(got.status, StatusCode::OK, "{path}");
        assert!(got.header("content-type").unwrap().starts_with("text/html"), "{path}");
        assert!(
            got.header("content-security-policy").unwrap().contains("frame-ancestors 'none'"),
            "{path}"
        );
        for outside in ["src=\"http", "href=\"http", "src=\"//", "url(http"] {
            assert!(!got.text.contains(outside), "{path} has {outside}");
        }
    }
    let script = world.read("/docs/scalar.js").await;
    assert!(script.header("content-type").unwrap().starts_with("text/javascript"));
}

#[tokio::test]
async fn the_interfaces_leave_the_other_routes_alone() {
    let world = World::open().await;
    for path in ["/", "/api/v1/calls", "/Accounts/x/Calls"] {
        assert_eq!(world.read(path).await.status, StatusCode::OK, "{path}");
    }
    assert_eq!(world.read("/").await.text, "home");
}
