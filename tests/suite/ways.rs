//! The ways to the gateway beside HTTP and pipes: WebSocket, HTTP+SSE, Unix sockets, and the same
//! list of requests on each channel.

use std::io::ErrorKind::WouldBlock;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use expect_test::expect;
use harness::client::{Ask, Http, Stdio, check, legacy, modern, posted, web_socket};
use harness::echo::Echo;
use harness::start::{Running, children, soon, start, start_echo, start_echo_with};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

const CALL: &str = r#"{"name":"e_echo","arguments":{"t":"hi"}}"#;
const WAIT: &str = r#"{"name":"e_wait","arguments":{}}"#;

async fn channels(gateway: &Running) -> [Stdio; 3] {
    let (web, sse) = (Stdio::web_socket(gateway.http()), Stdio::sse(gateway.http()));
    [gateway.stdio(), web.await, sse.await]
}

#[tokio::test]
async fn c079_each_channel_takes_both_eras_at_once() {
    let gateway = start_echo(&Echo::new()).await;
    for mut channel in channels(&gateway).await {
        let way = channel.way;
        let now = channel.shown(&modern("tools/call", CALL)).await;
        assert!(now.contains(r#""resultType":"complete""#), "{way}: {now}");
        let greeting = channel.handshake("2025-06-18").await;
        assert!(greeting.contains(r#""protocolVersion":"2025-06-18""#), "{way}: {greeting}");
        let old = channel.shown(&legacy("tools/call", CALL)).await;
        assert!(old.contains(r#""result""#) && !old.contains("resultType"), "{way}: {old}");
        let now = channel.shown(&modern("tools/call", CALL)).await;
        assert!(now.contains(r#""resultType":"complete""#), "{way}: {now}");
    }
}

#[tokio::test]
async fn c079_what_is_no_message_is_refused_on_each_channel_and_the_next_one_taken() {
    let gateway = start_echo(&Echo::new()).await;
    for mut channel in channels(&gateway).await {
        for bad in ["{", r#"{"jsonrpc":"2.0","id":1}"#, "[]", "\u{7f}"] {
            channel.line(bad).await;
            let refused = channel.next().await.unwrap();
            assert!(refused.contains(r#""error""#), "{} {bad}: {refused}", channel.way);
        }
        let next = channel.shown(&modern("tools/call", CALL)).await;
        assert!(next.contains(r#""result""#), "{}: {next}", channel.way);
    }
}

#[tokio::test]
async fn c138_cancelled_in_band_ends_the_call_on_each_channel() {
    let child = Echo::new();
    let gateway = start_echo(&child).await;
    for (at, mut channel) in channels(&gateway).await.into_iter().enumerate() {
        channel.handshake("2025-11-25").await;
        channel.say(&legacy("tools/call", WAIT).id("7")).await;
        child.begun("tools/call wait", at + 1).await;
        let cancel = legacy("notifications/cancelled", r#"{"requestId":7}"#).without_id();
        channel.say(&cancel).await;
        child.cancelled("tools/call wait", at + 1).await;
        let next = channel.shown(&legacy("ping", "{}").id("8")).await;
        assert!(next.contains(r#""id":8,"#), "{}: nothing else came: {next}", channel.way);
    }
}

#[tokio::test]
async fn c078_a_client_that_leaves_its_channel_cancels_what_it_asked() {
    let child = Echo::new();
    let gateway = start_echo(&child).await;
    for (at, mut channel) in channels(&gateway).await.into_iter().enumerate() {
        channel.say(&modern("tools/call", WAIT)).await;
        child.begun("tools/call wait", at + 1).await;
        assert_eq!(channel.end().await, Vec::<String>::new());
        child.cancelled("tools/call wait", at + 1).await;
    }
}

#[tokio::test]
async fn c096_each_channel_hears_of_its_subscriptions() {
    let child = Echo::new();
    let gateway = start_echo(&child).await;
    for mut channel in channels(&gateway).await {
        channel.handshake("2025-11-25").await;
        let uri = r#"{"uri":"demo://e/a/one"}"#;
        let done = channel.shown(&legacy("resources/subscribe", uri)).await;
        assert!(done.contains(r#""result":{}"#), "{}: {done}", channel.way);
        child.update("demo://a/one", "demo://a/one");
        let told = channel.next().await.unwrap();
        assert!(told.contains("notifications/resources/updated"), "{}: {told}", channel.way);
        channel.shown(&legacy("resources/unsubscribe", uri)).await;
        child.until("the end of the subscription", |seen| seen.subscribed.is_empty()).await;
    }
}

#[tokio::test]
async fn c011_a_batch_on_each_channel_of_2025_03_26_is_answered() {
    let gateway = start_echo(&Echo::new()).await;
    for mut channel in channels(&gateway).await {
        channel.handshake("2025-03-26").await;
        let batch = r#"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"ping"},{"jsonrpc":"2.0","id":3,"method":"subscriptions/listen","params":{"notifications":{}}}]"#;
        channel.line(batch).await;
        let mut answers = Vec::new();
        while answers.len() < 3 {
            answers.push(channel.next().await.unwrap());
        }
        answers.sort();
        for (at, part) in [r#""id":1,"#, r#""id":2,"#, r#""code":-32601"#].iter().enumerate() {
            assert!(answers[at].contains(part), "{part}: {answers:?}");
        }
    }
}

#[tokio::test]
async fn a_stop_of_the_gateway_ends_each_channel() {
    let gateway = start_echo(&Echo::new()).await;
    let [_pipe, mut web, mut sse] = channels(&gateway).await;
    for channel in [&mut web, &mut sse] {
        channel.shown(&modern("tools/call", CALL)).await;
    }
    gateway.stop().await;
    assert_eq!(web.next().await, None);
    assert_eq!(sse.next().await, None);
}

#[tokio::test]
async fn a_web_socket_is_refused_without_its_subprotocol_version_or_origin() {
    let gateway = start_echo(&Echo::new()).await;
    let http = gateway.http();
    let ask = || {
        Ask::bare("GET")
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .header("sec-websocket-protocol", "mcp")
    };
    for (asked, status) in [
        (ask(), 101),
        (ask().header("sec-websocket-protocol", "chat, mcp"), 101),
        (ask().without("sec-websocket-protocol"), 400),
        (ask().header("sec-websocket-protocol", "graphql-ws"), 400),
        (ask().header("sec-websocket-version", "8"), 426),
        (ask().without("sec-websocket-key"), 400),
        (ask().verb("POST"), 400),
        (ask().header("origin", "https://evil.example"), 403),
        (ask().header("host", "evil.example"), 403),
        (ask().at("/mcp/nobody"), 404),
    ] {
        let answer = http.send(&asked).await;
        assert_eq!(answer.status, status, "{asked:?}");
    }
}

#[tokio::test]
async fn c071_a_frame_over_the_limit_is_refused_and_closes_the_web_socket() {
    use futures_util::{SinkExt, StreamExt};
    use tokio_tungstenite::tungstenite::Message;
    let gateway = start_echo_with(&Echo::new(), &[("gateway.limits.body_bytes_max", "1KiB")]).await;
    let mut socket = web_socket(&gateway.http()).await;
    socket.send(Message::text("x".repeat(5000))).await.unwrap();
    let refused = soon("a refusal", socket.next()).await.unwrap().unwrap();
    assert!(refused.to_text().unwrap().contains("1024"), "{refused:?}");
    let close = soon("a farewell", socket.next()).await.unwrap().unwrap();
    assert!(
        matches!(&close, Message::Close(Some(frame)) if u16::from(frame.code) == 1009),
        "{close:?}"
    );
    let mut next = Stdio::web_socket(gateway.http()).await;
    assert!(next.shown(&modern("tools/call", CALL)).await.contains(r#""result""#));
    next.end().await;
}

#[tokio::test]
async fn a_web_socket_at_a_mounts_own_endpoint_renames_nothing() {
    use futures_util::{SinkExt, StreamExt};
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::client::IntoClientRequest;
    let gateway = start_echo(&Echo::new()).await;
    let url = format!("ws://{}/mcp/e", gateway.mcp);
    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "mcp".parse().unwrap());
    let stream = TcpStream::connect(gateway.mcp).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
    let call = modern("tools/call", r#"{"name":"echo","arguments":{"t":"hi"}}"#).bytes();
    socket.send(Message::text(String::from_utf8_lossy(&call).into_owned())).await.unwrap();
    let answer = soon("an answer", socket.next()).await.unwrap().unwrap();
    assert!(answer.to_text().unwrap().contains(r#""result""#), "{answer:?}");
}

#[tokio::test]
async fn c098_http_with_two_endpoints_is_off_unless_it_is_switched_on() {
    let gateway = start_echo_with(&Echo::new(), &[("gateway.sse", "false")]).await;
    let http = gateway.http();
    assert_eq!(http.send(&Ask::bare("GET").at("/sse")).await.status, 404);
    assert_eq!(http.send(&posted("{}").at("/messages?session=x")).await.status, 404);
    assert!(!gateway.gateway().config().gateway.sse, "and that is the default, too");
}

#[tokio::test]
async fn c098_a_stream_is_known_by_its_own_id_alone_and_only_while_it_is_open() {
    let gateway = start_echo(&Echo::new()).await;
    let http = gateway.http();
    let mut stream = http.send(&Ask::bare("GET").at("/sse")).await;
    let place = stream.message().await.unwrap();
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    assert_eq!(http.send(&posted(ping).at(&place)).await.status, 202);
    expect![[r#"{"jsonrpc":"2.0","id":1,"result":{}}"#]]
        .assert_eq(&stream.message().await.unwrap());
    let mut forged = place.clone();
    forged.pop();
    for wrong in [forged.as_str(), "/messages", "/messages?session="] {
        assert_eq!(http.send(&posted(ping).at(wrong)).await.status, 404, "{wrong}");
    }
    let foreign = posted(ping).at(&place).header("origin", "https://evil.example");
    assert_eq!(http.send(&foreign).await.status, 403);
    assert_eq!(
        http.send(&posted(ping).at(&place).header("content-type", "text/plain")).await.status,
        415
    );
    drop(stream);
    let gone = async {
        while http.send(&posted(ping).at(&place)).await.status != 404 {
            tokio::task::yield_now().await;
        }
    };
    soon("the end of the stream", gone).await;
    let posted_to_stream = http.send(&posted(ping).at("/sse")).await;
    assert_eq!(posted_to_stream.status, 405);
}

#[tokio::test]
async fn a_gateway_on_a_unix_socket_serves_it_and_takes_it_away() {
    let folder = tempfile::tempdir().unwrap();
    let path: &'static Path = Box::leak(folder.path().join("gateway.sock").into_boxed_path());
    let listen = format!("unix:{}", path.display());
    let child: Arc<dyn protocol::InProcess> = Echo::new();
    let flags = [("gateway.listen", listen.as_str()), ("gateway.socket_mode", "660")];
    let text = "[mounts.e]\nin_process = \"echo\"\n";
    let gateway = start(text, &flags, &children([("echo", child)])).await;
    let mode = std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    let http = Http::unix(path);
    check(&http, &modern("tools/call", CALL), expect![[r#"
        200 application/json
        {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{\"t\":\"hi\"}"}],"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{gateway}}}}"#]]).await;
    let session = http.session("2025-11-25").await;
    assert!(session.shown("ping", "{}").await.contains(r#""result":{}"#));
    let foreign = modern("tools/list", "{}").header("origin", "https://evil.example");
    assert_eq!(http.send(&foreign).await.status, 403);
    gateway.stop().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off_and_costs_nobody_else() {
    let child = Echo::new();
    let flags = [("gateway.limits.write_timeout", "200ms")];
    let gateway = start_echo_with(&child, &flags).await;
    // More than the buffers of both ends.
    let big = "x".repeat(14 << 20);
    let ask = modern("tools/call", &format!(r#"{{"name":"e_echo","arguments":{{"t":"{big}"}}}}"#));
    let mut stuck = TcpStream::connect(gateway.mcp).await.unwrap();
    let body = ask.bytes();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
         mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: e_echo\r\n\
         content-length: {}\r\n\r\n",
        gateway.mcp,
        body.len()
    );
    stuck.write_all(head.as_bytes()).await.unwrap();
    stuck.write_all(&body).await.unwrap();
    // Nothing of the answer is read until another client was served.
    let other = gateway.http().shown(&modern("tools/call", CALL)).await;
    assert!(other.contains(r#""result""#), "{other}");
    child.answered("tools/call echo", 2).await;
    // Once the gateway has hung up, what is written to it fails.
    let cut_off = async {
        while !matches!(stuck.try_write(b"\r\n"), Err(fault) if fault.kind() != WouldBlock) {
            tokio::task::yield_now().await;
        }
    };
    soon("the end of the connection", cut_off).await;
}
