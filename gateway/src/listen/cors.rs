//! What browsers ask before a page may call from another origin: answered for origins let in.

use std::time::Duration;

use http::header::HeaderName;
use http::request::Parts;
use http::{HeaderValue, Method};
use protocol::header;
use tower_http::cors::{AllowHeaders, AllowOrigin, AllowPrivateNetwork, CorsLayer};

use super::guard::Guard;

/// How long a browser may remember a preflight.
const REMEMBERED: Duration = Duration::from_secs(10 * 60);

/// Lets the pages call whose origins `guard` lets in. Any header may come with a call: which of
/// them mean something is for the endpoint to say, and `Mcp-Param-*` has no fixed list.
pub(super) fn for_pages(guard: &Guard) -> CorsLayer {
    let guard = guard.clone();
    let origin = move |origin: &HeaderValue, _: &Parts| {
        origin.to_str().is_ok_and(|origin| guard.origin(origin))
    };
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(origin))
        .allow_methods([Method::POST, Method::GET, Method::DELETE])
        .allow_headers(AllowHeaders::mirror_request())
        .allow_private_network(AllowPrivateNetwork::yes())
        .expose_headers([HeaderName::from_static(header::SESSION)])
        .max_age(REMEMBERED)
}
