//! Every client in every era on both transports through the gateway with all mounts at once.

use crate::client::{Client, Era};
use crate::compare::Differences;
use crate::expected::{self, direct};
use crate::fixture::Fixture;
use crate::gateway::{Gateway, Source, on_stdio};
use crate::plan::{self, Mount};
use crate::programs::everything_http;
use crate::report::Report;
use crate::served::Served;

/// The six real servers and the compiled-in one, each at its prefix.
pub(crate) fn mounts(fixture: &Fixture, http: &Served) -> Vec<(&'static str, Source)> {
    let real = Mount::ALL.map(|mount| {
        let source = match mount {
            Mount::EverythingHttp => Source::Url(http.url.clone()),
            _ => Source::Command(expected::program(mount, fixture)),
        };
        (mount.prefix(), source)
    });
    real.into_iter().chain([("notes", Source::InProcess("notes"))]).collect()
}

async fn over_http(client: Client, era: Era) {
    let fixture = Fixture::new();
    let http = Served::start(&everything_http(), &fixture.path().join("http.txt")).await;
    let gateway = Gateway::start(&fixture, &mounts(&fixture, &http)).await;
    let plan = plan::merged(&Mount::ALL, &fixture);
    let report = client.play(era, &gateway.merged(), &plan, &fixture).await;
    gateway.stop(&fixture).await;
    check(&Mount::ALL, client, era, &report).await;
}

async fn over_stdio(client: Client, era: Era) {
    let fixture = Fixture::new();
    let http = Served::start(&everything_http(), &fixture.path().join("http.txt")).await;
    let gateway = on_stdio(&fixture, &mounts(&fixture, &http));
    let plan = plan::merged(&Mount::ALL, &fixture);
    let report = client.play(era, &gateway, &plan, &fixture).await;
    fixture.assert_quiet().await;
    check(&Mount::ALL, client, era, &report).await;
}

/// Whether the merged report of these mounts says what the servers say directly.
pub(crate) async fn check(mounts: &[Mount], client: Client, era: Era, report: &Report) {
    assert_eq!(report.step("connect")["protocol"], era.protocol());
    let direct = direct(client, era).await;
    let mut differences = Differences::default();
    differences.merged(mounts, &direct, report);
    differences.assert_none(&format!("{client:?} ({})", era.name()));
}

/// One test for each way in.
macro_rules! clients {
    ($($http:ident, $stdio:ident: $client:ident $era:ident;)*) => {$(
        #[tokio::test]
        async fn $http() {
            over_http(Client::$client, Era::$era).await;
        }

        #[tokio::test]
        async fn $stdio() {
            over_stdio(Client::$client, Era::$era).await;
        }
    )*};
}

clients! {
    ts1_over_http, ts1_over_stdio: Ts1 Legacy;
    ts2_legacy_over_http, ts2_legacy_over_stdio: Ts2 Legacy;
    ts2_modern_over_http, ts2_modern_over_stdio: Ts2 Modern;
    py1_over_http, py1_over_stdio: Py1 Legacy;
    py2_legacy_over_http, py2_legacy_over_stdio: Py2 Legacy;
    py2_modern_over_http, py2_modern_over_stdio: Py2 Modern;
    fastmcp_legacy_over_http, fastmcp_legacy_over_stdio: FastMcp Legacy;
    fastmcp_modern_over_http, fastmcp_modern_over_stdio: FastMcp Modern;
    rmcp_legacy_over_http, rmcp_legacy_over_stdio: Rmcp Legacy;
    rmcp_modern_over_http, rmcp_modern_over_stdio: Rmcp Modern;
}
