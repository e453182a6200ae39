//! The merged catalog as clients see it: whole, in order, the same after a restart, and honest
//! about what is missing.

use expect_test::expect;
use harness::client::{Able, check_all};
use harness::scripted::{Cast, Paging, Play, Script, Step, What, at, member, string};
use harness::start::soon;

/// The program that plays a scripted child.
const PROGRAM: &str = env!("CARGO_BIN_EXE_scripted-child");

const CHILDREN: usize = 100;
const TOOLS_EACH: usize = 100;

/// A hundred children with a hundred tools each, told in pages and in no order.
async fn crowd(page_entries: usize) -> Play {
    let text = format!("[gateway.limits]\npage_entries = {page_entries}\n");
    let mut cast = Cast::new(&text);
    for child in 0..CHILDREN {
        let mut script = Script::modern();
        script.catalog.page_entries = 30;
        for tool in 0..TOOLS_EACH {
            // 37 and 100 have no common divisor: each number once, out of order.
            script = script.tool(&format!("t{:03}", tool * 37 % TOOLS_EACH));
        }
        cast = cast.in_process(&format!("c{child:02}"), "", script);
    }
    cast.start().await
}

#[tokio::test]
async fn c150_ten_thousand_tools_are_listed_whole_in_order_and_alike_after_a_restart() {
    let play = crowd(1000).await;
    let first = play.pages("/mcp", "tools/list").await;
    assert_eq!(first.len(), CHILDREN * TOOLS_EACH / 1000);
    let all = (0..CHILDREN)
        .flat_map(|child| (0..TOOLS_EACH).map(move |tool| format!("c{child:02}_t{tool:03}")));
    assert_eq!(play.tools().await, all.collect::<Vec<_>>());
    assert_eq!(play.pages("/mcp", "tools/list").await, first);
    play.running.stop().await;
    assert_eq!(crowd(1000).await.pages("/mcp", "tools/list").await, first);
}

#[tokio::test]
async fn c150_many_small_pages_hold_what_few_large_ones_hold() {
    let (large, small) = (crowd(10_000).await, crowd(7).await);
    let pages = small.pages("/mcp", "tools/list").await;
    assert_eq!(pages.len(), (CHILDREN * TOOLS_EACH).div_ceil(7));
    let (large, small) =
        (large.list("/mcp", "tools/list").await, small.list("/mcp", "tools/list").await);
    assert_eq!(large, small);
}

fn two() -> Cast {
    let one = Script::modern().tool("b").tool("a").prompt("p").resource("demo://x/y");
    let other = Script::modern().tool("a").prompt("p").template("demo://{id}").template("x:{y}");
    Cast::new("").in_process("one", "", one).in_process("other", "", other)
}

#[tokio::test]
async fn c149_lists_are_the_same_for_clients_of_each_era_and_transport() {
    let play = two().start().await;
    let tools = expect![[
        r#"{"result":{"tools":[{"inputSchema":{"type":"object"},"name":"one_a"},{"inputSchema":{"type":"object"},"name":"one_b"},{"inputSchema":{"type":"object"},"name":"other_a"}]}}"#
    ]];
    check_all(&play.running, "tools/list", "{}", tools).await;
    let prompts = expect![[r#"{"result":{"prompts":[{"name":"one_p"},{"name":"other_p"}]}}"#]];
    check_all(&play.running, "prompts/list", "{}", prompts).await;
    let resources =
        expect![[r#"{"result":{"resources":[{"name":"a resource","uri":"demo://one/x/y"}]}}"#]];
    check_all(&play.running, "resources/list", "{}", resources).await;
    let templates = expect![[
        r#"{"result":{"resourceTemplates":[{"name":"a template","uriTemplate":"demo://other/{id}"},{"name":"a template","uriTemplate":"other+x:{y}"}]}}"#
    ]];
    check_all(&play.running, "resources/templates/list", "{}", templates).await;
}

#[tokio::test]
async fn c151_c152_lists_and_reads_say_how_long_they_keep_and_for_whom() {
    let text = "[gateway.limits]\npage_entries = 1\ncatalog_ttl = \"7s\"\n";
    let mut public = Script::modern().tool("a").tool("b").resource("x://y").prompt("p");
    public.catalog.cache_scope = Some("public".to_owned());
    let play = Cast::new(text).in_process("m", "", public.clone()).start().await;
    for method in ["tools/list", "prompts/list", "resources/list", "resources/templates/list"] {
        for page in play.pages("/mcp", method).await {
            assert_eq!(member(&page, "ttlMs").as_deref(), Some("7000"), "{method}: {page}");
            assert_eq!(string(&page, "cacheScope").as_deref(), Some("public"), "{method}: {page}");
        }
    }
    let discover = play.ask("server/discover", "{}").await;
    let read = play.read("x://m/y").await;
    for answer in [discover, read] {
        let ttl = at(&answer, &["result", "ttlMs"]).and_then(|ttl| ttl.parse::<u64>().ok());
        assert!(ttl.is_some(), "ttlMs is a whole number from 0: {answer}");
        let scope = at(&answer, &["result", "cacheScope"]).unwrap_or_default();
        assert!([r#""public""#, r#""private""#].contains(&scope.as_str()), "cacheScope: {answer}");
    }
}

#[tokio::test]
async fn c153_one_private_child_makes_the_merged_list_private() {
    let mut public = Script::modern().tool("a");
    public.catalog.cache_scope = Some("public".to_owned());
    let mut private = public.clone();
    private.catalog.cache_scope = Some("private".to_owned());
    let cast = Cast::new("").in_process("open", "", public).in_process("shut", "", private);
    let play = cast.start().await;
    let merged = play.pages("/mcp", "tools/list").await;
    assert_eq!(string(&merged[0], "cacheScope").as_deref(), Some("private"));
    let alone = play.pages("/mcp/open", "tools/list").await;
    assert_eq!(string(&alone[0], "cacheScope").as_deref(), Some("public"));
}

#[tokio::test]
async fn c160_a_bad_entry_is_withheld_with_a_reason_and_the_others_serve() {
    let long = "x".repeat(5000);
    let script = Script::modern()
        .tool("good")
        .tool_as(r#"{"name":"schemaless"}"#)
        .tool_as(r#"{"name":"boolean","inputSchema":true}"#)
        .tool_as(r#"{"inputSchema":{}}"#)
        .tool_as(r#"{"name":"","inputSchema":{}}"#)
        .tool_as(r#"{"name":7,"inputSchema":{}}"#)
        .tool_as("17")
        .tool_as(r#"{"name":"text","inputSchema":{"type":"string"}}"#)
        .tool_as(r#"{"name":"hint","inputSchema":{},"annotations":{"readOnlyHint":"yes"}}"#)
        .tool_as(
            r#"{"name":"mended","description":null,"inputSchema":{"properties":{"any":true}}}"#,
        )
        .tool("good")
        .tool(&long);
    let play = Cast::new("").in_process("m", "", script).start().await;
    assert_eq!(play.tools().await, ["m_good", "m_mended"]);
    let listed = play.ask("tools/list", "{}").await;
    let mended = r#"{"name":"m_mended","inputSchema":{"properties":{"any":{}},"type":"object"}}"#;
    assert!(listed.contains(mended), "{listed}");
    let report = play.running.gateway().mounts();
    let withheld: Vec<_> =
        report[0].withheld.iter().map(|w| format!("{}: {}", w.key, w.reason)).collect();
    expect![[r#"
        schemaless: `inputSchema` is missing
        boolean: `inputSchema`: expected an object, found true
        entry 1: `name` is missing or no string
        : `name` is missing or no string
        entry 1: `name` is missing or no string
        entry 1: expected an object, found a number
        text: `inputSchema.type`: expected "object", found "string"
        hint: `annotations.readOnlyHint`: expected true or false, found "yes"
        good: it stands twice in the list
        xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx: `name` is longer than 4096 bytes"#]]
    .assert_eq(&withheld.join("\n"));
    assert!(play.call("m_good").await.contains("good {}"));
}

#[tokio::test]
async fn a_walk_goes_on_rightly_when_the_catalog_changes_in_between() {
    let script =
        |tools: &[&str]| tools.iter().fold(Script::modern(), |script, tool| script.tool(tool));
    let cast = Cast::new("[gateway.limits]\npage_entries = 2\n");
    let play = cast.in_process("m", "", script(&["b", "d", "f", "h"])).start().await;
    let first = play.ask("tools/list", "{}").await;
    let cursor = at(&first, &["result", "nextCursor"]).unwrap();
    let mut listen = play.listen(r#"{"toolsListChanged":true}"#).await;
    // The entry that the cursor names goes; one comes before it, one behind.
    play.director("m").script(script(&["a", "b", "e", "f", "h"]));
    play.director("m").tell("notifications/tools/list_changed", "{}");
    assert!(listen.message().await.unwrap().contains("notifications/tools/list_changed"));
    let second = play.ask("tools/list", &format!(r#"{{"cursor":{cursor}}}"#)).await;
    let names: Vec<_> = ["m_e", "m_f"].map(|name| format!(r#""name":"{name}""#)).into();
    assert!(names.iter().all(|name| second.contains(name)), "{second}");
    assert!(!second.contains("m_b") && !second.contains("m_h"), "{second}");
}

#[tokio::test]
async fn c159_forged_foreign_and_mangled_cursors_are_refused() {
    let cast = Cast::new("[gateway.limits]\npage_entries = 1\n");
    let script = Script::modern().tool("a").tool("b").prompt("p").prompt("q");
    let play = cast.in_process("m", "", script).start().await;
    let first = play.ask("tools/list", "{}").await;
    let cursor = at(&first, &["result", "nextCursor"]).unwrap();
    let mangled = cursor.replacen('T', "U", 1);
    let list = [r#""1""#, r#""""#, r#""x""#, &cursor, &mangled, "7"];
    for (place, cursor) in list.into_iter().enumerate() {
        let method = if place == 3 { "prompts/list" } else { "tools/list" };
        let answer = play.ask(method, &format!(r#"{{"cursor":{cursor}}}"#)).await;
        assert_eq!(
            at(&answer, &["error", "code"]).as_deref(),
            Some("-32602"),
            "{cursor}: {answer}"
        );
    }
}

#[tokio::test]
async fn c159_c199_a_cursor_is_a_place_in_a_list_that_all_may_read_and_no_credential() {
    let cast = Cast::new("[gateway.limits]\npage_entries = 1\n");
    let script = Script::modern().tool("a").tool("b").tool("c");
    let play = cast.in_process("m", "", script).start().await;
    let mut ada = Able::known(&play.running, "ada", true, "{}").await;
    let mut ben = Able::known(&play.running, "ben", true, "{}").await;
    // A page that is public may come to anybody out of a cache, and its cursor with it.
    for _ in 0..2 {
        let first = ada.once("tools/list", "{}").await;
        assert!(!first.contains("ada"), "{first}");
        let own = at(&ben.once("tools/list", "{}").await, &["result", "nextCursor"]);
        let cursor = at(&first, &["result", "nextCursor"]).expect("a cursor");
        assert_eq!(own.as_ref(), Some(&cursor), "it says nothing of who got it");
        let params = format!(r#"{{"cursor":{cursor}}}"#);
        let (to_ben, to_ada) =
            (ben.once("tools/list", &params).await, ada.once("tools/list", &params).await);
        assert_eq!(at(&to_ben, &["result"]), at(&to_ada, &["result"]));
        assert!(to_ben.contains("m_b"), "{to_ben}");
    }
}

#[tokio::test]
async fn c155_clients_are_told_of_a_change_when_and_only_when_there_is_one() {
    let script = Script::modern().tool("a").prompt("p");
    let play = Cast::new("").in_process("m", "", script.clone()).start().await;
    let filter = r#"{"toolsListChanged":true,"promptsListChanged":true}"#;
    let mut listen = play.listen(filter).await;
    let director = play.director("m");
    // No byte changed: listed again, and silence.
    director.tell("notifications/tools/list_changed", "{}");
    director.saw_times(2, What::Executed, "tools/list").await;
    director.script(script.clone().tool("b"));
    director.tell("notifications/tools/list_changed", "{}");
    assert!(listen.message().await.unwrap().contains("tools/list_changed"));
    assert_eq!(play.tools().await, ["m_a", "m_b"]);
    director.script(script.prompt("q").tool("b"));
    director.tell("notifications/prompts/list_changed", "{}");
    assert!(listen.message().await.unwrap().contains("prompts/list_changed"));
    play.running.stop().await;
    let last = listen.message().await.unwrap();
    assert!(last.contains(r#""result""#), "more than the two changes were told: {last}");
}

#[tokio::test]
async fn c160_a_child_that_is_down_at_the_start_costs_only_its_own_entries() {
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let keys = format!("url = \"http://{port}/mcp\"\n");
    let cast = Cast::new("").mount("dead", &keys).mount("none", "command = \"/no/such/program\"\n");
    let play = cast.in_process("m", "", Script::modern().tool("a")).start().await;
    assert_eq!(play.tools().await, ["m_a"]);
    assert!(play.call("m_a").await.contains(r#""result""#));
    let states: Vec<_> = play.running.gateway().mounts().iter().map(|m| m.state).collect();
    assert_eq!(states, ["down", "down", "ready"]);
}

#[tokio::test]
async fn c167_a_call_to_a_child_that_is_down_fails_at_once_and_says_whose_it_is() {
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let keys = format!("url = \"http://{port}/mcp\"\n");
    let play = Cast::new("").mount("dead", &keys).start().await;
    let answer = play.call("dead_x").await;
    let data = at(&answer, &["error", "data", "gateway"]).unwrap();
    assert_eq!(at(&answer, &["error", "code"]).as_deref(), Some("-32603"), "{answer}");
    assert_eq!(string(&data, "code").as_deref(), Some("CONNECTION_ERROR"), "{answer}");
    assert_eq!(string(&data, "mount").as_deref(), Some("dead"), "{answer}");
    assert_eq!(string(&data, "state").as_deref(), Some("down"), "{answer}");
    assert!(
        member(&data, "since").is_some() && member(&data, "retryAfterMs").is_some(),
        "{answer}"
    );
    assert!(!answer.contains(&port.to_string()), "an inner address: {answer}");
}

#[tokio::test]
async fn c157_the_last_good_catalog_stays_while_a_child_is_down_and_is_renewed_after() {
    let script = Script::modern().tool("a");
    let play = Cast::new("").process("m", "", PROGRAM, script.clone()).await.start().await;
    let mut listen = play.listen(r#"{"toolsListChanged":true}"#).await;
    assert_eq!(play.tools().await, ["m_a"]);
    let director = play.director("m");
    director.script(script.tool("b"));
    director.exit(3);
    director.saw(What::Ended, "").await;
    assert_eq!(play.tools().await, ["m_a"]);
    // It comes back by itself, with what it has now, and clients are told.
    assert!(listen.message().await.unwrap().contains("tools/list_changed"));
    assert_eq!(play.tools().await, ["m_a", "m_b"]);
    assert!(play.call("m_b").await.contains("b {}"));
}

const EXACT: &str = r#"{ "title":"ünï","name":"exact" , "inputSchema":{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","properties":{"z":{"type":"integer","maximum":123456789012345678901234567890},"a":{"$ref":"https://nowhere.invalid/schema.json"},"f":{"const":1.0e+2}},"$defs":{"b":{},"a":{}},"x-unknown":[1,2 ,3]},"outputSchema":{"type":["object","null"]},"io.x/unknown":{"k\u00e9y":null},"execution":{"taskSupport":"optional"}}"#;

#[tokio::test]
async fn c163_schemas_and_unknown_members_pass_bit_for_bit() {
    for script in [Script::modern(), Script::legacy()] {
        let script = script.tool_as(EXACT);
        let play = Cast::new("").process("m", "", PROGRAM, script).await.start().await;
        assert_eq!(play.list("/mcp/m", "tools/list").await, [EXACT]);
        let merged = play.list("/mcp", "tools/list").await;
        assert_eq!(merged, [EXACT.replace(r#""exact""#, r#""m_exact""#)]);
    }
}

#[tokio::test]
async fn c016_arguments_and_results_pass_bit_for_bit() {
    let result = r#"{"structuredContent":{"z":123456789012345678901234567890,"a":1.0e+2 , "k\u00e9y":null},"content":[{"type":"new","x":[ ]}],"unknown":true}"#;
    let script = Script::modern().tool("t").on("tools/call t", &[Step::Answer(result.to_owned())]);
    let play = Cast::new("").process("m", "", PROGRAM, script).await.start().await;
    let arguments = r#"{"z":123456789012345678901234567890,"a":1.0e+2 , "k\u00e9y":null}"#;
    let params = format!(r#"{{"name":"m_t","arguments":{arguments},"unknown":[1, 2]}}"#);
    let answer = play.ask("tools/call", &params).await;
    let inside = result.trim_start_matches('{').trim_end_matches('}');
    assert!(answer.contains(inside), "{answer}");
    let seen = play.director("m").requests("tools/call").await;
    assert_eq!(member(&seen[0].params, "arguments").as_deref(), Some(arguments));
    assert_eq!(member(&seen[0].params, "unknown").as_deref(), Some("[1, 2]"));
}

#[tokio::test]
async fn c165_unknown_names_are_refused_and_the_nearest_is_named() {
    let script = Script::modern().tool("search").tool("fails").prompt("greeting");
    let failed = r#"{"content":[{"type":"text","text":"no"}],"isError":true}"#;
    let script = script.on("tools/call fails", &[Step::Answer(failed.to_owned())]);
    let play = Cast::new("").in_process("m", "", script).start().await;
    for (method, name, nearest) in
        [("tools/call", "n_serch", "m_search"), ("prompts/get", "n_greting", "m_greeting")]
    {
        let answer = play.ask(method, &format!(r#"{{"name":"{name}"}}"#)).await;
        assert_eq!(at(&answer, &["error", "code"]).as_deref(), Some("-32602"), "{answer}");
        let text = at(&answer, &["error", "message"]).unwrap();
        assert!(text.contains(name) && text.contains(nearest), "{answer}");
    }
    // Unlisted, but behind a known prefix: the child says that it does not know it.
    let answer = play.call("m_unknown").await;
    assert_eq!(at(&answer, &["error", "code"]).as_deref(), Some("-32602"), "{answer}");
    let answer = play.call("m_fails").await;
    assert_eq!(at(&answer, &["result", "isError"]).as_deref(), Some("true"), "{answer}");
}

#[tokio::test]
async fn c014_c166_a_missing_resource_is_an_error_that_names_its_uri() {
    let cast = Cast::new("").in_process("new", "", Script::modern().resource("demo://a"));
    let cast = cast.process("old", "", PROGRAM, Script::legacy().resource("demo://a")).await;
    let play = cast.start().await;
    for uri in ["demo://new/missing", "demo://old/missing", "nowhere://x"] {
        let answer = play.read(uri).await;
        assert_eq!(at(&answer, &["error", "code"]).as_deref(), Some("-32602"), "{answer}");
        let data = at(&answer, &["error", "data"]).unwrap_or_default();
        assert_eq!(string(&data, "uri").as_deref(), Some(uri), "{answer}");
    }
}

#[tokio::test]
async fn c162_completion_reaches_the_owner_of_the_reference() {
    let script = Script::modern().prompt("p").resource("demo://a").template("demo://t/{id}");
    let play = Cast::new("").in_process("m", "", script).start().await;
    let complete =
        |reference: &str| format!(r#"{{"ref":{reference},"argument":{{"name":"x","value":"v"}}}}"#);
    for (asked, own) in [
        (r#"{"type":"ref/prompt","name":"m_p"}"#, r#"{\"type\":\"ref/prompt\",\"name\":\"p\"}"#),
        (
            r#"{"type":"ref/resource","uri":"demo://m/t/{id}"}"#,
            r#"{\"type\":\"ref/resource\",\"uri\":\"demo://t/{id}\"}"#,
        ),
    ] {
        let answer = play.ask("completion/complete", &complete(asked)).await;
        assert!(answer.contains(own), "{answer}");
    }
    for unknown in [
        r#"{"type":"ref/prompt","name":"n_p"}"#,
        r#"{"type":"ref/resource","uri":"nowhere://x"}"#,
        r#"{"type":"ref/other"}"#,
    ] {
        let answer = play.ask("completion/complete", &complete(unknown)).await;
        assert_eq!(at(&answer, &["error", "code"]).as_deref(), Some("-32602"), "{answer}");
    }
}

#[tokio::test]
async fn c162_no_more_than_a_hundred_completions_are_passed_on() {
    let values: Vec<String> = (0..150).map(|n| format!("\"v{n}\"")).collect();
    let answer = format!(r#"{{"completion":{{"values":[{}]}}}}"#, values.join(","));
    let script = Script::modern().prompt("p").on("completion/complete", &[Step::Answer(answer)]);
    let play = Cast::new("").in_process("m", "", script).start().await;
    let params = r#"{"ref":{"type":"ref/prompt","name":"m_p"},"argument":{"name":"x","value":""}}"#;
    let answer = play.ask("completion/complete", params).await;
    let values = at(&answer, &["result", "completion", "values"]).unwrap_or_default();
    let count = harness::scripted::elements(&values).len();
    assert!(count <= 100, "{count} values");
}

/// The names of the tools of a child that counts its pages like this.
async fn paged(paging: Paging, keys: &str) -> (Vec<String>, Play) {
    let mut script = ["a", "b", "c", "d"].iter().fold(Script::modern(), |s, tool| s.tool(tool));
    script.catalog.page_entries = 2;
    script.catalog.paging = paging;
    let play = Cast::new("").in_process("m", keys, script).start().await;
    (play.tools().await, play)
}

#[tokio::test]
async fn c158_an_empty_cursor_is_followed_and_an_absent_one_ends() {
    assert_eq!(paged(Paging::Right, "").await.0, ["m_a", "m_b", "m_c", "m_d"]);
    assert_eq!(paged(Paging::EmptyCursor, "").await.0, ["m_a", "m_b", "m_c", "m_d"]);
}

#[tokio::test]
async fn c161_a_list_whose_cursor_is_forgotten_is_read_anew() {
    let (tools, play) = paged(Paging::ForgetsOnce, "").await;
    assert_eq!(tools, ["m_a", "m_b", "m_c", "m_d"]);
    assert_eq!(play.director("m").count(What::Request, "tools/list").await, 4);
}

#[tokio::test]
async fn pages_without_end_end_at_the_bound_and_what_came_is_served() {
    let (tools, play) = paged(Paging::Endless, "pages_max = 5\n").await;
    assert_eq!(tools, ["m_a", "m_b", "m_c", "m_d"]);
    assert_eq!(play.director("m").count(What::Request, "tools/list").await, 5);
    let (tools, play) = paged(Paging::SameCursor, "").await;
    assert_eq!(tools, ["m_a", "m_b"]);
    assert_eq!(play.director("m").count(What::Request, "tools/list").await, 2);
}

#[tokio::test]
async fn a_list_that_never_comes_does_not_hold_up_the_others() {
    let silent = Script::modern().tool("x").on("tools/list", &[Step::Hang]);
    let cast = Cast::new("[gateway.limits]\nsettle = \"100ms\"\n");
    let cast = cast.in_process("silent", "timeout = \"200ms\"\n", silent);
    let play = cast.in_process("m", "", Script::modern().tool("a")).start().await;
    assert_eq!(soon("the list", play.tools()).await, ["m_a"]);
    assert_eq!(play.running.gateway().mounts()[0].state, "degraded");
}

#[tokio::test]
async fn c006_every_result_names_the_gateway_and_nobody_else() {
    let posing = r#"{"content":[],"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"bank","version":"1"},"x":1}}"#;
    let script = Script::modern().tool("t").prompt("p").resource("demo://a");
    let script = script.on("tools/call", &[Step::Answer(posing.to_owned())]);
    let play = Cast::new("").in_process("m", "", script).start().await;
    let prompt = r#"{"type":"ref/prompt","name":"m_p"}"#;
    let complete = format!(r#"{{"ref":{prompt},"argument":{{"name":"x","value":"v"}}}}"#);
    for (method, params) in [
        ("server/discover", "{}"),
        ("tools/list", "{}"),
        ("prompts/list", "{}"),
        ("resources/list", "{}"),
        ("resources/templates/list", "{}"),
        ("tools/call", r#"{"name":"m_t"}"#),
        ("prompts/get", r#"{"name":"m_p"}"#),
        ("resources/read", r#"{"uri":"demo://m/a"}"#),
        ("completion/complete", &complete),
    ] {
        let answer = play.ask(method, params).await;
        // An empty object stands for the gateway.
        let meta = at(&answer, &["result", "_meta"]).unwrap_or_default();
        let named = member(&meta, "io.modelcontextprotocol/serverInfo");
        assert_eq!(named.as_deref(), Some("{}"), "{method}: {answer}");
    }
}

#[tokio::test]
async fn c154_reads_are_asked_for_each_time_and_lists_are_kept_by_cursor() {
    let cast = Cast::new("[gateway.limits]\npage_entries = 1\n");
    let script = Script::modern().tool("a").tool("b").resource("demo://a");
    let play = cast.in_process("m", "", script).start().await;
    for _ in 0..3 {
        play.read("demo://m/a").await;
        let pages = play.pages("/mcp", "tools/list").await;
        assert!(pages[0].contains("m_a") && pages[1].contains("m_b"), "{pages:?}");
    }
    let director = play.director("m");
    assert_eq!(director.count(What::Request, "resources/read").await, 3);
    assert_eq!(director.count(What::Request, "tools/list").await, 1);
}
