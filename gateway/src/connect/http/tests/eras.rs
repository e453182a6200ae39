//! Which era a child is found to speak, and what is made of answers that do not tell.

use expect_test::{Expect, expect};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::script::{event, plain};
use super::*;

/// A server whose `server/discover` is answered by `act`, and which shakes hands when asked.
fn probed(act: fn(&Asked) -> Act) -> impl Fn(&Asked) -> Act + Send + Sync + 'static {
    legacy_server("{}", move |asked| match asked.method().as_str() {
        "server/discover" => act(asked),
        _ => Act::status(404),
    })
}

/// What a dial of such a server comes to, and what the server was asked.
async fn check(act: fn(&Asked) -> Act, expected: Expect) {
    let server = Server::start(probed(act)).await;
    let dialled = dialled(&server, EraPin::Auto).await;
    let came = match dialled {
        Ok(link) => link.about().speaks.clone(),
        Err(fault) => shown(&fault),
    };
    let asked = server.all_asked().await;
    let asked: Vec<String> = asked.iter().map(Asked::method).collect();
    expected.assert_eq(&format!("{came}\n{}", asked.join(", ")));
}

#[tokio::test]
async fn c042_a_modern_version_among_the_supported_ones_is_modern() {
    check(
        |asked| result(asked, r#"{"supportedVersions":["2099-01-01","2026-07-28"]}"#),
        expect![[r#"
            modern 2026-07-28
            server/discover"#]],
    )
    .await;
    check(
        |asked| {
            let versions = r#"["2024-11-05","2025-11-25","2026-07-28"]"#;
            let body = asked.result(&format!(r#"{{"supportedVersions":{versions}}}"#));
            Act::events(&event(&body))
        },
        expect![[r#"
            modern 2026-07-28
            server/discover"#]],
    )
    .await;
}

#[tokio::test]
async fn c042_only_legacy_versions_are_legacy_and_the_newest_is_asked_for() {
    let server = Server::start(probed(|asked| {
        result(asked, r#"{"supportedVersions":["2024-11-05","2025-06-18"]}"#)
    }));
    let server = server.await;
    dialled(&server, EraPin::Auto).await.unwrap();
    let params = server.asked_for("initialize").await.member("params").unwrap();
    assert!(params.contains(r#""protocolVersion":"2025-06-18""#), "{params}");
}

#[tokio::test]
async fn versions_that_nobody_here_speaks_are_named() {
    check(
        |asked| result(asked, r#"{"supportedVersions":["2099-01-01"]}"#),
        expect![[r#"
            Unreachable: docs cannot be reached: it speaks no version that the gateway
            speaks: expected 2026-07-28 or older, found 2099-01-01
            server/discover"#]],
    )
    .await;
}

#[tokio::test]
async fn a_malformed_discover_result_is_legacy() {
    for body in [
        r#"{"protocolVersion":"2026-07-28","capabilities":{}}"#,
        r#"{"supportedVersions":"2026-07-28"}"#,
        r#"{"supportedVersions":[]}"#,
        "[]",
    ] {
        let server = Server::start(legacy_server("{}", |asked| result(asked, body))).await;
        let link = dialled(&server, EraPin::Auto).await.unwrap();
        assert_eq!(link.about().speaks, "legacy 2025-11-25", "{body}");
    }
}

#[tokio::test]
async fn c039_an_unsupported_version_error_decides_by_what_it_names() {
    check(
        |asked| {
            let data = r#"{"supported":["2025-11-25","2025-06-18"],"requested":"2026-07-28"}"#;
            let error = format!(r#"{{"code":-32022,"message":"no","data":{data}}}"#);
            Act::json(400, &asked.error(&error))
        },
        expect![[r#"
            legacy 2025-11-25
            server/discover, initialize, notifications/initialized"#]],
    )
    .await;
    check(
        |asked| {
            let error = r#"{"code":-32022,"message":"no","data":{"supported":["2026-07-28"]}}"#;
            Act::json(400, &asked.error(error))
        },
        expect![[r#"
            Unreachable: docs cannot be reached: it refuses version 2026-07-28, which
            it names as supported
            server/discover, server/discover"#]],
    )
    .await;
    check(
        |asked| Act::json(200, &asked.error(r#"{"code":-32022,"message":"no"}"#)),
        expect![[r#"
            Unreachable: docs cannot be reached: it speaks no version that the gateway
            speaks: expected 2026-07-28 or older, found none that it names
            server/discover"#]],
    )
    .await;
}

#[tokio::test]
async fn c039_the_other_modern_errors_never_lead_to_a_handshake() {
    check(
        |asked| Act::json(400, &asked.error(r#"{"code":-32020,"message":"Mcp-Method"}"#)),
        expect![[r#"
            Unreachable: docs cannot be reached: it refused server/discover: Mcp-Method
            (-32020)
            server/discover"#]],
    )
    .await;
    check(
        |asked| Act::json(400, &asked.error(r#"{"code":-32021,"message":"roots"}"#)),
        expect![[r#"
            Unreachable: docs cannot be reached: it refused server/discover: roots
            (-32021)
            server/discover"#]],
    )
    .await;
}

#[tokio::test]
async fn c038_c040_every_other_refusal_leads_to_a_handshake() {
    let acts: [fn(&Asked) -> Act; 9] = [
        |asked| Act::json(404, &asked.error(r#"{"code":-32601,"message":"unknown"}"#)),
        |_| Act::json(400, &error(-32600, "no session")),
        |_| Act::json(400, &error(-32000, "Bad Request: Server not initialized")),
        |_| Act::status(400),
        |_| Act::Write(plain(404, "Content-Type: text/html\r\n", "<p>")),
        |_| Act::status(405),
        |_| Act::status(406),
        |asked| Act::json(200, &asked.error(r#"{"code":-32602,"message":"before initialize"}"#)),
        |_| Act::Write(plain(200, "Content-Type: text/html\r\n", "<p>")),
    ];
    for (at, act) in acts.into_iter().enumerate() {
        let server = Server::start(probed(act)).await;
        let link = dialled(&server, EraPin::Auto).await.unwrap();
        assert_eq!(link.about().speaks, "legacy 2025-11-25", "{at}");
        let asked = server.all_asked().await;
        let asked: Vec<String> = asked.iter().map(Asked::method).collect();
        assert_eq!(asked, ["server/discover", "initialize", "notifications/initialized"], "{at}");
    }
}

#[tokio::test]
async fn a_refused_credential_tells_nothing_of_the_era() {
    check(
        |_| Act::status(401),
        expect![[r#"
            Unreachable unauthorized: docs cannot be reached: it wants another
            credential (HTTP 401)
            server/discover"#]],
    )
    .await;
    check(
        |asked| Act::json(403, &asked.error(r#"{"code":-32022,"message":"no"}"#)),
        expect![[r#"
            Unreachable unauthorized: docs cannot be reached: it wants another
            credential (HTTP 403)
            server/discover"#]],
    )
    .await;
}

#[tokio::test]
async fn a_server_in_trouble_tells_nothing_of_the_era() {
    check(
        |_| Act::Write(plain(503, "Retry-After: 9\r\n", "")),
        expect![[r#"
            Unreachable after 9s: docs cannot be reached: HTTP 503
            server/discover"#]],
    )
    .await;
    check(
        |_| Act::status(429),
        expect![[r#"
            Unreachable after 1s: docs cannot be reached: HTTP 429
            server/discover"#]],
    )
    .await;
    check(
        |_| Act::Close(Vec::new()),
        expect![[r#"
            Unreachable: docs cannot be reached: the connection was lost
            server/discover"#]],
    )
    .await;
    check(
        |_| Act::Write(plain(308, "Location: /other\r\n", "")),
        expect![[r#"
            Unreachable: docs cannot be reached: it sent no answer: a redirect (HTTP
            308), which is not followed: give the mount the final URL
            server/discover"#]],
    )
    .await;
}

#[tokio::test]
async fn c041_a_legacy_verdict_is_kept_and_a_failed_handshake_forgets_it() {
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
    let handshakes = AtomicU32::new(0);
    let healthy = legacy_server("{}", |_| Act::status(404));
    let server = Server::start(move |asked: &Asked| {
        let third = asked.method() == "initialize" && handshakes.fetch_add(1, SeqCst) == 2;
        if third { Act::status(500) } else { healthy(asked) }
    });
    let server = server.await;
    let dial = HttpDial::new(settings(&server, EraPin::Auto)).unwrap();
    assert_eq!(dial.address(), "http://docs.example/mcp");
    assert!(dial.last_words().is_empty());
    let mut came = Vec::new();
    for _ in 0..4 {
        let (events, _told) = mpsc::channel(1);
        came.push(dial.dial(events).await.is_ok());
    }
    assert_eq!(came, [true, true, false, true]);
    let mut asked: Vec<String> = server.all_asked().await.iter().map(Asked::method).collect();
    asked.retain(|method| !method.starts_with("notifications/"));
    let expected = "server/discover initialize initialize initialize server/discover initialize";
    assert_eq!(asked.join(" "), expected);
}

#[tokio::test]
async fn c041_nothing_is_kept_of_an_answer_that_tells_nothing() {
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
    let probes = AtomicU32::new(0);
    let healthy = modern_server("{}", |_| Act::status(404));
    let server = Server::start(move |asked: &Asked| match probes.fetch_add(1, SeqCst) {
        0 => Act::status(401),
        1 => Act::status(502),
        _ => healthy(asked),
    });
    let server = server.await;
    let dial = HttpDial::new(settings(&server, EraPin::Auto)).unwrap();
    let mut came = Vec::new();
    for _ in 0..3 {
        let (events, _told) = mpsc::channel(1);
        came.push(dial.dial(events).await.map(|link| link.about().speaks.clone()).ok());
    }
    assert_eq!(came, [None, None, Some("modern 2026-07-28".to_owned())]);
}

#[tokio::test]
async fn c043_a_pin_leaves_out_the_probe_or_the_fallback() {
    let server = Server::start(modern_server("{}", legacy_server("{}", |_| Act::status(404))));
    let server = server.await;
    let link = dialled(&server, EraPin::Legacy).await.unwrap();
    assert_eq!(link.about().speaks, "legacy 2025-11-25");
    let asked = server.asked().await;
    assert_eq!(asked.method(), "initialize");
    assert_eq!(asked.header("mcp-method"), None);
    let server = Server::start(legacy_server("{}", |_| Act::status(404))).await;
    let fault = dialled(&server, EraPin::Modern).await.err().unwrap();
    expect![[r#"
        Unreachable: docs cannot be reached: its era is pinned to modern, but it
        did not answer server/discover as a modern server does"#]]
    .assert_eq(&shown(&fault));
    assert_eq!(server.all_asked().await.len(), 1);
}

#[tokio::test]
async fn a_server_that_takes_no_post_is_named_for_what_it_may_be() {
    for status in [400, 404, 405] {
        let server = Server::start(move |_: &Asked| Act::status(status)).await;
        let fault = dialled(&server, EraPin::Auto).await.err().unwrap();
        assert_eq!(
            fault.text,
            format!(
                "the server behind `docs` cannot be reached: HTTP {status} to \
                 initialize: it speaks neither Streamable HTTP at this URL nor HTTP+SSE"
            )
        );
    }
}

#[tokio::test]
async fn addresses_that_cannot_be_reached_say_why_and_nothing_secret() {
    let server = Server::start(|_: &Asked| Act::status(200)).await;
    let mut tls = settings(&server, EraPin::Auto);
    let no_tls = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    tls.url = format!("https://{}/", no_tls.local_addr().unwrap()).parse().unwrap();
    let _answering = tokio::spawn(async move {
        let (mut stream, _) = no_tls.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        stream.read_to_end(&mut Vec::new()).await
    });
    let (events, _told) = mpsc::channel(1);
    let fault = HttpDial::new(tls).unwrap().dial(events).await.err().unwrap();
    expect!["Unreachable: docs cannot be reached: the TLS handshake failed"]
        .assert_eq(&shown(&fault));
    let mut late = settings(&server, EraPin::Auto);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    late.url = format!("https://{}/", listener.local_addr().unwrap()).parse().unwrap();
    late.connect_timeout = Duration::from_millis(20);
    let (events, _told) = mpsc::channel(1);
    let fault = HttpDial::new(late).unwrap().dial(events).await.err().unwrap();
    expect!["Unreachable: docs cannot be reached: no connection in time"].assert_eq(&shown(&fault));
    let mut other = settings(&server, EraPin::Auto);
    other.url = "ftp://docs.example/".parse().unwrap();
    let fault = HttpDial::new(other).err().unwrap();
    expect!["Invalid { uri: None }: mount `docs`: expected an http or https URL"]
        .assert_eq(&shown(&fault));
}
