//! Every client against every server without a gateway: what they see is kept in `expected/`.

use expect_test::expect_file;

use crate::client::{Client, Era, Target};
use crate::expected::{alone, condensed};
use crate::fixture::Fixture;
use crate::plan;
use crate::programs::everything;

/// All clients see the same of a server, so one file says it for each era.
async fn check(client: Client, era: Era) {
    let report = alone(client, era).await;
    let expected = match era {
        Era::Legacy => expect_file!["expected/legacy.txt"],
        Era::Modern => expect_file!["expected/modern.txt"],
    };
    expected.assert_eq(&condensed(&report));
}

/// A server's questions, asked in the middle of a call, reach the client; in the legacy era, as no
/// real child of these asks in the modern one.
async fn check_questions(client: Client) {
    let fixture = Fixture::new();
    let server = Target::Spawned(everything());
    let report = client.play(Era::Legacy, &server, &plan::questions(&fixture), &fixture).await;
    let asked = report.only(|label| !["connect", "close"].contains(&label));
    expect_file!["expected/questions.txt"].assert_eq(&condensed(&asked));
}

#[tokio::test]
async fn ts1_is_asked() {
    check_questions(Client::Ts1).await;
}

#[tokio::test]
async fn ts2_is_asked() {
    check_questions(Client::Ts2).await;
}

#[tokio::test]
async fn py1_is_asked() {
    check_questions(Client::Py1).await;
}

#[tokio::test]
async fn py2_is_asked() {
    check_questions(Client::Py2).await;
}

#[tokio::test]
async fn fastmcp_is_asked() {
    check_questions(Client::FastMcp).await;
}

#[tokio::test]
async fn rmcp_is_asked() {
    check_questions(Client::Rmcp).await;
}

#[tokio::test]
async fn ts1_alone() {
    check(Client::Ts1, Era::Legacy).await;
}

#[tokio::test]
async fn ts2_legacy_alone() {
    check(Client::Ts2, Era::Legacy).await;
}

#[tokio::test]
async fn ts2_modern_alone() {
    check(Client::Ts2, Era::Modern).await;
}

#[tokio::test]
async fn py1_alone() {
    check(Client::Py1, Era::Legacy).await;
}

#[tokio::test]
async fn py2_legacy_alone() {
    check(Client::Py2, Era::Legacy).await;
}

#[tokio::test]
async fn py2_modern_alone() {
    check(Client::Py2, Era::Modern).await;
}

#[tokio::test]
async fn fastmcp_legacy_alone() {
    check(Client::FastMcp, Era::Legacy).await;
}

#[tokio::test]
async fn fastmcp_modern_alone() {
    check(Client::FastMcp, Era::Modern).await;
}

#[tokio::test]
async fn rmcp_legacy_alone() {
    check(Client::Rmcp, Era::Legacy).await;
}

#[tokio::test]
async fn rmcp_modern_alone() {
    check(Client::Rmcp, Era::Modern).await;
}
