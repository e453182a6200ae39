//! Names and URIs behind a prefix, end to end: what clients see, and what the children get.

use expect_test::expect;
use harness::scripted::{Cast, Play, Script, Step, What, at, elements, member, string};

/// The program that plays a scripted child.
const PROGRAM: &str = env!("CARGO_BIN_EXE_scripted-child");

/// Calls a tool that must be there; the name under which its child was asked.
async fn called(play: &Play, mount: &str, tool: &str) -> String {
    let answer = play.call(tool).await;
    assert!(member(&answer, "result").is_some(), "{tool}: {answer}");
    let calls = play.director(mount).requests("tools/call").await;
    calls.last().and_then(|call| string(&call.params, "name")).unwrap_or_default()
}

/// The code of the error that a call of this tool gets.
async fn refused(play: &Play, tool: &str) -> String {
    let answer = play.call(tool).await;
    at(&answer, &["error", "code"]).unwrap_or_else(|| panic!("{tool} is served: {answer}"))
}

#[tokio::test]
async fn c171_every_separator_prefixes_and_is_taken_off_again() {
    for separator in ["_", "__", "-", "."] {
        let text = format!("[gateway]\nseparator = \"{separator}\"\n");
        let script = Script::modern().tool("get_x").tool("_odd").prompt("p");
        let play = Cast::new(&text).in_process("a-b", "", script).start().await;
        let names = [format!("a-b{separator}_odd"), format!("a-b{separator}get_x")];
        assert_eq!(play.tools().await, names);
        assert_eq!(called(&play, "a-b", &names[0]).await, "_odd");
        assert_eq!(called(&play, "a-b", &names[1]).await, "get_x");
        let get = format!(r#"{{"name":"a-b{separator}p"}}"#);
        assert!(play.ask("prompts/get", &get).await.contains(r#""text":"p""#));
    }
}

#[tokio::test]
async fn c007_c170_the_prefix_comes_from_the_configuration_alone() {
    let play = Cast::new("")
        .in_process("table", "prefix = \"chosen\"\n", Script::modern().tool("t"))
        .start()
        .await;
    // The child calls itself `scripted`, its mount is called `table`.
    assert_eq!(play.tools().await, ["chosen_t"]);
    assert_eq!(refused(&play, "scripted_t").await, "-32602");
    assert_eq!(refused(&play, "table_t").await, "-32602");
}

#[tokio::test]
async fn c171_the_longest_prefix_wins_and_the_table_goes_before_it() {
    let text = "[gateway]\nseparator = \"-\"\n";
    let short = Script::modern().tool("b-listed").tool("own").on("tools/call", &[Step::Usual]);
    let cast = Cast::new(text).in_process("a", "", short).in_process(
        "a-b",
        "",
        Script::modern().tool("t"),
    );
    let play = cast.start().await;
    // Listed by `a` as `b-listed`: the table knows, whatever the prefixes say.
    assert_eq!(called(&play, "a", "a-b-listed").await, "b-listed");
    // Not listed: the longest prefix that matches.
    assert_eq!(refused(&play, "a-b-hidden").await, "-32602");
    let asked = play.director("a-b").requests("tools/call").await;
    assert_eq!(string(&asked[0].params, "name").as_deref(), Some("hidden"));
}

#[tokio::test]
async fn c169_of_two_equal_names_the_earlier_mount_keeps_it_and_the_other_is_withheld() {
    let bare = "prefix = \"\"\n";
    let first = Script::modern().tool("a_t").tool("u").prompt("p");
    let second = Script::modern().tool("t").prompt("p");
    let third = Script::modern().tool("u").prompt("p");
    let cast =
        Cast::new("").in_process("one", bare, first).in_process("two", "prefix = \"a\"\n", second);
    let play = cast.in_process("three", bare, third).start().await;
    assert_eq!(play.tools().await, ["a_t", "u"]);
    assert_eq!(called(&play, "one", "a_t").await, "a_t");
    assert_eq!(called(&play, "one", "u").await, "u");
    assert_eq!(play.director("two").count(What::Request, "tools/call").await, 0);
    // At its own endpoint a mount has all that is its own.
    let own = play.ask_at("/mcp/a", "tools/call", r#"{"name":"t"}"#).await;
    assert!(own.contains("t {}"), "{own}");
}

#[tokio::test]
async fn c169_what_is_withheld_for_its_name_stands_in_the_report_of_its_mount() {
    let bare = "prefix = \"\"\n";
    let script = || Script::modern().tool("t").prompt("p");
    let cast = Cast::new("").in_process("one", bare, script());
    let play = cast.in_process("two", bare, script()).start().await;
    let reports = play.running.gateway().mounts();
    let withheld: Vec<_> = reports[1].withheld.iter().map(|w| w.key.as_str()).collect();
    assert_eq!(withheld, ["t", "p"], "{:?}", reports[1].withheld);
}

#[tokio::test]
async fn c168_long_names_are_shortened_stably_and_still_lead_to_their_child() {
    let long = ["search_all_the_documents_of_the_archive", "search_all_the_documents_of_the_attic"];
    let script = long.iter().fold(Script::modern().tool("short"), |script, tool| script.tool(tool));
    let text = "[gateway]\nname_max = 32\n";
    let play = Cast::new(text).in_process("m", "", script.clone()).start().await;
    let names = play.tools().await;
    expect![[
        r#"["m_search_all_the_docume_7a5a5f1f", "m_search_all_the_docume_bfdb2a42", "m_short"]"#
    ]]
    .assert_eq(&format!("{names:?}"));
    for name in &names {
        assert!(
            name.len() <= 32
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
        );
        let own = called(&play, "m", name).await;
        assert!(own == "short" || long.contains(&own.as_str()), "{name} led to {own}");
    }
    // Other children change nothing about it.
    let more = Cast::new(text).in_process("a", "", script.clone()).in_process("m", "", script);
    let both = more.start().await.tools().await;
    assert!(names.iter().all(|name| both.contains(name)), "{both:?}");
}

#[tokio::test]
async fn c168_names_with_odd_letters_pass_to_each_kind_of_child() {
    let odd = ["über sucht", " lead", "a/b:c", "=?base64?eA==?="];
    let script = |script: Script| odd.iter().fold(script, |script, tool| script.tool(tool));
    let cast = Cast::new("").process("p", "", PROGRAM, script(Script::legacy())).await;
    let strict = harness::scripted::Http { strict: true, ..Default::default() };
    let play = cast.http("h", "", script(Script::modern()).over_http(strict)).await.start().await;
    for tool in odd {
        assert_eq!(called(&play, "p", &format!("p_{tool}")).await, tool);
        assert_eq!(called(&play, "h", &format!("h_{tool}")).await, tool);
    }
}

#[tokio::test]
async fn hidden_names_are_neither_seen_nor_reached_and_renamed_ones_are_both() {
    let keys = "[mounts.m.tools]\nhide = [\"*_admin\", \"delete_?\"]\nrename = { srch = \"search\" }\n\
                [mounts.m.prompts]\nhide = [\"p*\"]\nrename = { q = \"question\" }\n";
    let script = ["user_admin", "delete_x", "delete_xy", "srch"];
    let script = script.iter().fold(Script::modern(), |script, tool| script.tool(tool));
    let play = Cast::new("").in_process("m", keys, script.prompt("p1").prompt("q")).start().await;
    assert_eq!(play.tools().await, ["m_delete_xy", "m_search"]);
    assert_eq!(called(&play, "m", "m_search").await, "srch");
    for hidden in ["m_user_admin", "m_delete_x", "m_other_admin"] {
        assert_eq!(refused(&play, hidden).await, "-32602");
    }
    assert_eq!(refused(&play, "m_srch").await, "-32602", "its name is another here");
    let own = play.ask_at("/mcp/m", "tools/call", r#"{"name":"user_admin"}"#).await;
    assert!(member(&own, "error").is_some(), "hidden is hidden at its own endpoint too: {own}");
    let asked = play.director("m").requests("tools/call").await;
    assert_eq!(asked.len(), 1, "what is hidden never reaches the child");
    assert!(play.ask("prompts/get", r#"{"name":"m_question"}"#).await.contains(r#""text":"q""#));
    let hidden = play.ask("prompts/get", r#"{"name":"m_p1"}"#).await;
    assert!(member(&hidden, "error").is_some(), "{hidden}");
}

#[tokio::test]
async fn c177_unlisted_names_reach_the_one_mount_without_a_prefix() {
    let answer = r#"{"content":[{"type":"text","text":"app only"}]}"#;
    let script = Script::modern()
        .tool("shown")
        .on("tools/call unlisted", &[Step::Answer(answer.to_owned())]);
    let cast = Cast::new("").in_process("app", "prefix = \"\"\n", script);
    let play = cast.in_process("m", "", Script::modern().tool("t")).start().await;
    assert_eq!(play.tools().await, ["shown", "m_t"]);
    assert_eq!(called(&play, "app", "shown").await, "shown");
    assert_eq!(called(&play, "app", "unlisted").await, "unlisted");
}

#[tokio::test]
async fn c177_the_endpoint_of_a_mount_renames_nothing() {
    let script = Script::modern().tool("t").prompt("p").resource("demo://a").template("demo://{x}");
    let script = Script { instructions: Some("Be kind.".to_owned()), ..script };
    let play = Cast::new("").in_process("m", "", script).start().await;
    for (method, own) in [
        ("tools/list", r#"{"name":"t","inputSchema":{"type":"object"}}"#),
        ("prompts/list", r#"{"name":"p"}"#),
        ("resources/list", r#"{"uri":"demo://a","name":"a resource"}"#),
        ("resources/templates/list", r#"{"uriTemplate":"demo://{x}","name":"a template"}"#),
    ] {
        assert_eq!(play.list("/mcp/m", method).await, [own]);
    }
    let call = play.ask_at("/mcp/m", "tools/call", r#"{"name":"t"}"#).await;
    assert!(call.contains("t {}"), "{call}");
    let read = play.ask_at("/mcp/m", "resources/read", r#"{"uri":"demo://a"}"#).await;
    assert!(read.contains(r#""uri":"demo://a""#), "{read}");
    let discover = play.ask_at("/mcp/m", "server/discover", "{}").await;
    assert_eq!(at(&discover, &["result", "instructions"]).as_deref(), Some("\"Be kind.\""));
    let unknown = play.send("/mcp/nobody", "tools/list", "{}").await.shown(&[]).await;
    assert!(unknown.contains("/mcp/m"), "{unknown}");
}

const EVERYWHERE: &str = r#"{"content":[{"type":"resource_link","uri":"demo://a/b","name":"demo://a/b"},{"type":"text","text":"demo://a/b"},{"type":"resource","resource":{"uri":"file:///etc/x","text":"demo://a/b"}},{"type":"resource_link","uri":"urn:isbn:1","name":"n"},{"type":"resource_link","uri":"https://example.com/x","name":"n","icons":[{"src":"demo://icon"}]}],"structuredContent":{"uri":"demo://a/b"},"_meta":{"ui":{"resourceUri":"ui://app/main"},"ui/resourceUri":"ui://app/flat","uri":"demo://a/b"}}"#;

#[tokio::test]
async fn c174_every_uri_in_a_tool_result_is_the_exposed_one_and_nothing_else_is_touched() {
    let script =
        Script::modern().tool("t").on("tools/call t", &[Step::Answer(EVERYWHERE.to_owned())]);
    let play = Cast::new("").in_process("m", "", script).start().await;
    let answer = play.call("m_t").await;
    let result = member(&answer, "result").unwrap();
    expect![[r#"[{"type":"resource_link","uri":"demo://m/a/b","name":"demo://a/b"},{"type":"text","text":"demo://a/b"},{"type":"resource","resource":{"uri":"file://m//etc/x","text":"demo://a/b"}},{"type":"resource_link","uri":"m+urn:isbn:1","name":"n"},{"type":"resource_link","uri":"https://example.com/x","name":"n","icons":[{"src":"demo://icon"}]}]"#]]
    .assert_eq(&member(&result, "content").unwrap());
    assert_eq!(member(&result, "structuredContent").unwrap(), r#"{"uri":"demo://a/b"}"#);
    let meta = member(&result, "_meta").unwrap();
    assert_eq!(at(&meta, &["ui", "resourceUri"]).unwrap(), r#""ui://m/app/main""#);
    assert_eq!(string(&meta, "ui/resourceUri").unwrap(), "ui://m/app/flat");
    assert_eq!(string(&meta, "uri").unwrap(), "demo://a/b");
}

#[tokio::test]
async fn c174_uris_of_prompts_reads_and_tools_are_the_exposed_ones() {
    let content = r#"{"type":"resource","resource":{"uri":"demo://a","text":"t"}}"#;
    let prompt = format!(r#"{{"messages":[{{"role":"user","content":{content}}}]}}"#);
    let read = r#"{"contents":[{"uri":"demo://a/1","text":"x"},{"uri":"demo://a/2","text":"y"}]}"#;
    let tool = r#"{"name":"t","inputSchema":{},"_meta":{"ui":{"resourceUri":"ui://app"}}}"#;
    let script = Script::modern()
        .tool_as(tool)
        .prompt("p")
        .resource("demo://a")
        .on("prompts/get", &[Step::Answer(prompt)])
        .on("resources/read", &[Step::Answer(read.to_owned())]);
    let play = Cast::new("").in_process("m", "", script).start().await;
    let tools = play.list("/mcp", "tools/list").await;
    assert_eq!(at(&tools[0], &["_meta", "ui", "resourceUri"]).unwrap(), r#""ui://m/app""#);
    let prompt = play.ask("prompts/get", r#"{"name":"m_p"}"#).await;
    assert!(prompt.contains(r#""uri":"demo://m/a""#), "{prompt}");
    let read = play.read("demo://m/a").await;
    let contents = elements(&at(&read, &["result", "contents"]).unwrap());
    let uris: Vec<_> = contents.iter().filter_map(|item| string(item, "uri")).collect();
    assert_eq!(uris, ["demo://m/a/1", "demo://m/a/2"]);
    let asked = play.director("m").requests("resources/read").await;
    assert_eq!(string(&asked[0].params, "uri").as_deref(), Some("demo://a"));
}

#[tokio::test]
async fn c174_subscriptions_and_updates_speak_of_exposed_uris() {
    let script = |script: Script| script.resource("demo://dir");
    let cast = Cast::new("").in_process("new", "", script(Script::modern()));
    let cast = cast.process("old", "", PROGRAM, script(Script::legacy())).await;
    let play = cast.start().await;
    for (mount, heard) in [("new", "subscriptions/listen"), ("old", "resources/subscribe")] {
        let uri = format!("demo://{mount}/dir");
        let params = format!(r#"{{"notifications":{{"resourceSubscriptions":["{uri}"]}}}}"#);
        let mut stream = play.send("/mcp", "subscriptions/listen", &params).await;
        let acknowledged = stream.message().await.unwrap();
        assert!(acknowledged.contains(&format!("[\"{uri}\"]")), "{acknowledged}");
        let asked = play.director(mount).requests(heard).await;
        assert!(asked.iter().any(|seen| seen.params.contains("demo://dir")), "{asked:?}");
        if mount == "new" {
            play.director(mount).tell("notifications/resources/updated", r#"{"uri":"demo://dir"}"#);
        } else {
            // A part of what was subscribed to.
            play.director(mount)
                .tell("notifications/resources/updated", r#"{"uri":"demo://dir/x"}"#);
        }
        let updated = stream.message().await.unwrap();
        assert!(updated.contains(&format!("\"uri\":\"{uri}")), "{updated}");
    }
}

#[tokio::test]
async fn c174_completion_names_the_childs_own_uri_or_template() {
    let script = Script::modern().resource("demo://a").template("{+path}").template("x://h/{id}");
    let play = Cast::new("").in_process("m", "", script).start().await;
    for (shown, own) in
        [("demo://m/a", "demo://a"), ("m+{+path}", "{+path}"), ("x://m/h/{id}", "x://h/{id}")]
    {
        let reference = format!(r#"{{"type":"ref/resource","uri":"{shown}"}}"#);
        let params = format!(r#"{{"ref":{reference},"argument":{{"name":"n","value":""}}}}"#);
        let answer = play.ask("completion/complete", &params).await;
        assert!(member(&answer, "result").is_some(), "{answer}");
        let asked = play.director("m").requests("completion/complete").await;
        let uri = at(&asked.last().unwrap().params, &["ref", "uri"]);
        assert_eq!(uri, Some(format!("\"{own}\"")));
    }
}

#[tokio::test]
async fn c174_a_missing_resource_is_named_as_the_client_asked_for_it() {
    let play =
        Cast::new("").in_process("m", "", Script::modern().resource("demo://a")).start().await;
    let answer = play.read("demo://m/none").await;
    assert_eq!(
        at(&answer, &["error", "data", "uri"]).as_deref(),
        Some(r#""demo://m/none""#),
        "{answer}"
    );
}

#[tokio::test]
async fn c173_ui_resources_stay_ui_resources_and_are_read_by_their_exposed_uri() {
    let play =
        Cast::new("").in_process("m", "", Script::modern().resource("ui://app/main")).start().await;
    let listed = play.list("/mcp", "resources/list").await;
    assert_eq!(string(&listed[0], "uri").as_deref(), Some("ui://m/app/main"));
    assert!(play.read("ui://m/app/main").await.contains(r#""uri":"ui://m/app/main""#));
}

#[tokio::test]
async fn c176_web_addresses_are_left_alone_and_still_routed() {
    let script = Script::modern().resource("https://example.com/x").template("http://h/{id}");
    let play = Cast::new("").in_process("m", "", script).start().await;
    let listed = play.list("/mcp", "resources/list").await;
    assert_eq!(string(&listed[0], "uri").as_deref(), Some("https://example.com/x"));
    let listed = play.list("/mcp", "resources/templates/list").await;
    assert_eq!(string(&listed[0], "uriTemplate").as_deref(), Some("http://h/{id}"));
    assert!(member(&play.read("https://example.com/x").await, "result").is_some());
    assert!(member(&play.read("http://h/7").await, "result").is_some());
}

#[tokio::test]
async fn c175_an_original_uri_is_taken_when_one_mount_has_it_and_refused_when_two_have() {
    let script = |own: &str| Script::modern().resource("demo://both").resource(own);
    let cast = Cast::new("").in_process("a", "", script("demo://only-a"));
    let play = cast.in_process("b", "", script("https://example.com/both")).start().await;
    assert!(member(&play.read("demo://only-a").await, "result").is_some());
    let answer = play.read("demo://both").await;
    assert_eq!(at(&answer, &["error", "code"]).as_deref(), Some("-32602"), "{answer}");
    for mount in ["a", "b"] {
        let asked = play.director(mount).requests("resources/read").await;
        assert!(asked.iter().all(|seen| !seen.params.contains("both")), "{mount} was asked");
        let answer = play.read(&format!("demo://{mount}/both")).await;
        assert!(member(&answer, "result").is_some(), "{answer}");
    }
}

#[tokio::test]
async fn c175_web_templates_of_two_mounts_that_both_fit_are_refused() {
    let script = || Script::modern().template("https://h/{id}");
    let play =
        Cast::new("").in_process("a", "", script()).in_process("b", "", script()).start().await;
    let answer = play.read("https://h/7").await;
    assert_eq!(at(&answer, &["error", "code"]).as_deref(), Some("-32602"), "{answer}");
    for mount in ["a", "b"] {
        assert_eq!(play.director(mount).count(What::Request, "resources/read").await, 0);
    }
}

#[tokio::test]
async fn kept_uris_are_what_the_child_says_in_both_directions() {
    let script = Script::modern().resource("demo://a").template("demo://t/{id}").tool("t");
    let script = script.on("tools/call t", &[Step::Answer(EVERYWHERE.to_owned())]);
    let play = Cast::new("").in_process("m", "resources = \"keep\"\n", script).start().await;
    let listed = play.list("/mcp", "resources/list").await;
    assert_eq!(string(&listed[0], "uri").as_deref(), Some("demo://a"));
    assert!(play.read("demo://a").await.contains(r#""uri":"demo://a""#));
    assert!(play.read("demo://t/7").await.contains(r#""uri":"demo://t/7""#));
    let result = play.call("m_t").await;
    assert!(result.contains(r#""uri":"file:///etc/x""#), "{result}");
}

#[tokio::test]
async fn c172_rewritten_uris_and_templates_are_well_formed() {
    let uris = ["demo://a/b?c#d", "file:///etc/x", "urn:isbn:1", "x+y-z.1://h/", "mailto:a@b"];
    let script = uris.iter().fold(Script::modern(), |script, uri| script.resource(uri));
    let script = script.template("{+path}").template("demo://a/{id}{?q}").template("{scheme}://x");
    let play = Cast::new("").in_process("a-1", "", script).start().await;
    for entry in play.list("/mcp", "resources/list").await {
        let uri = string(&entry, "uri").unwrap();
        let (scheme, rest) = uri.split_once(':').unwrap();
        let good = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        assert!(
            scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(good),
            "{uri}"
        );
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=%".contains(c);
        assert!(rest.chars().all(allowed), "{uri}");
        assert!(play.read(&uri).await.contains(&format!("\"uri\":\"{uri}\"")), "{uri}");
    }
    let templates = play.list("/mcp", "resources/templates/list").await;
    let templates: Vec<_> = templates.iter().filter_map(|t| string(t, "uriTemplate")).collect();
    assert_eq!(templates, ["a-1+{+path}", "a-1+{scheme}://x", "demo://a-1/a/{id}{?q}"]);
}
