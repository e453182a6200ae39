//! The tools and prompts of `notes`, good and bad input.

use expect_test::expect;
use serde_json::{Value, json};

use crate::caller::{Caller, error, pretty, wrapped};

fn notes() -> Caller {
    Caller::builtin("notes")
}

/// Three notes: the first two with tags, the last without.
async fn filled() -> Caller {
    let notes = notes();
    for (title, text, tags) in [
        ("Shopping", "Milk, BREAD and Äpfel", json!(["home", "todo"])),
        ("Release", "- [ ] write the changelog", json!(["todo", "work"])),
        ("Idea", "bread as a service", json!([])),
    ] {
        notes.works("add", json!({ "title": title, "text": text, "tags": tags })).await;
    }
    notes
}

/// The ids that a search finds.
async fn found(notes: &Caller, search: Value) -> (Value, Vec<u64>) {
    let hits = notes.works("search", search).await;
    let ids = hits["notes"].as_array().unwrap().iter().map(|hit| hit["id"].as_u64().unwrap());
    (hits["total"].clone(), ids.collect())
}

#[tokio::test]
async fn tools_say_what_they_take_give_and_risk() {
    let listed = notes().ask("tools/list", json!({})).await.unwrap();
    let mut told = String::new();
    for tool in listed["tools"].as_array().unwrap() {
        assert_eq!(tool["outputSchema"]["type"], "object");
        assert_eq!(tool["annotations"]["openWorldHint"], false);
        told += &format!("{} {}\n", tool["name"], tool["annotations"]);
    }
    expect![[r#"
        "add" {"destructiveHint":false,"idempotentHint":false,"openWorldHint":false}
        "edit" {"destructiveHint":true,"idempotentHint":true,"openWorldHint":false}
        "list_tags" {"openWorldHint":false,"readOnlyHint":true}
        "remove" {"destructiveHint":true,"idempotentHint":true,"openWorldHint":false}
        "search" {"openWorldHint":false,"readOnlyHint":true}
    "#]]
    .assert_eq(&wrapped(&told));
    expect![[r#"
        {"annotations":{"destructiveHint":false,"idempotentHint":false,"openWorldHint":f\
        alse},"description":"Writes a new note and returns its id and \
        URI.","inputSchema":{"$schema":"https://json-schema.org/draft/2020-12/schema","a\
        dditionalProperties":false,"properties":{"tags":{"default":[],"description":"Wor\
        ds to find the note by.","items":{"maxLength":50,"minLength":1,"type":"string"},\
        "maxItems":20,"type":"array"},"text":{"description":"The text, in Markdown, at \
        most 64 KiB.","maxLength":65536,"type":"string"},"title":{"description":"The \
        title, one line.","maxLength":200,"minLength":1,"type":"string"}},"required":["t\
        itle","text"],"type":"object"},"name":"add","outputSchema":{"$schema":"https://j\
        son-schema.org/draft/2020-12/schema","properties":{"created":{"description":"Whe\
        n it was made, RFC 3339, UTC.","type":"string"},"id":{"format":"uint64","minimum\
        ":0,"type":"integer"},"modified":{"description":"When it was last changed, RFC \
        3339, UTC.","type":"string"},"tags":{"items":{"type":"string"},"type":"array"},"\
        title":{"type":"string"},"uri":{"description":"Where the whole note can be \
        read.","type":"string"}},"required":["id","uri","title","tags","created","modifi\
        ed"],"type":"object"},"title":"Add a note"}
    "#]]
    .assert_eq(&wrapped(&listed["tools"][0].to_string()));
}

#[tokio::test]
async fn a_note_is_added_edited_and_removed() {
    let notes = notes();
    let arguments = json!({ "title": " A title ", "text": "# x", "tags": ["b", "a", " b "] });
    let mut added = notes.works("add", arguments).await;
    assert_eq!(added["created"], added["modified"]);
    for time in ["created", "modified"] {
        added[time] = json!("…");
    }
    expect![[r#"
        {
          "created": "…",
          "id": 1,
          "modified": "…",
          "tags": [
            "a",
            "b"
          ],
          "title": "A title",
          "uri": "note://notes/1"
        }
    "#]]
    .assert_eq(&pretty(&added));
    let edited = notes.works("edit", json!({ "id": 1, "tags": [] })).await;
    assert_eq!((&edited["title"], &edited["tags"]), (&json!("A title"), &json!([])));
    let removed = notes.works("remove", json!({ "id": 1 })).await;
    expect![[r#"
        {
          "id": 1,
          "left": 0,
          "title": "A title"
        }
    "#]]
    .assert_eq(&pretty(&removed));
    let again = notes.works("add", json!({ "title": "b", "text": "" })).await;
    assert_eq!(again["id"], 2, "ids are never used again");
}

#[tokio::test]
async fn search_finds_by_text_in_any_case_by_tag_and_by_both() {
    let notes = filled().await;
    for (search, ids) in [
        (json!({}), vec![3, 2, 1]),
        (json!({ "text": "bread" }), vec![3, 1]),
        (json!({ "text": "äPFEL" }), vec![1]),
        (json!({ "text": "RELEASE" }), vec![2]),
        (json!({ "tag": "todo" }), vec![2, 1]),
        (json!({ "tag": "Todo" }), vec![]),
        (json!({ "tag": "todo", "text": "bread" }), vec![1]),
        (json!({ "text": "no such thing" }), vec![]),
    ] {
        assert_eq!(found(&notes, search.clone()).await, (json!(ids.len()), ids), "{search}");
    }
    assert_eq!(found(&notes, json!({ "limit": 1 })).await, (json!(3), vec![3]));
}

#[tokio::test]
async fn tags_are_counted() {
    expect![[r#"
        {
          "tags": [
            {
              "notes": 1,
              "tag": "home"
            },
            {
              "notes": 2,
              "tag": "todo"
            },
            {
              "notes": 1,
              "tag": "work"
            }
          ],
          "total": 3
        }
    "#]]
    .assert_eq(&pretty(&filled().await.works("list_tags", json!({})).await));
}

#[tokio::test]
async fn bad_input_is_explained_in_band() {
    let notes = filled().await;
    let many_tags: Vec<String> = (0..21).map(|tag| tag.to_string()).collect();
    let mut said = String::new();
    for (tool, arguments) in [
        ("add", json!({ "title": "x" })),
        ("add", json!({ "title": "", "text": "" })),
        ("add", json!({ "title": "é".repeat(201), "text": "" })),
        ("add", json!({ "title": "two\nlines", "text": "" })),
        ("add", json!({ "title": "x", "text": "é".repeat(32 * 1024 + 1) })),
        ("add", json!({ "title": "x", "text": "", "tags": many_tags })),
        ("add", json!({ "title": "x", "text": "", "tags": [" "] })),
        ("add", json!({ "title": "x", "text": "", "tags": "home" })),
        ("add", json!({ "title": "x", "text": "", "colour": "red" })),
        ("edit", json!({ "id": 1 })),
        ("edit", json!({ "id": 9, "title": "x" })),
        ("edit", json!({ "id": "1", "title": "x" })),
        ("edit", json!({ "id": -1, "title": "x" })),
        ("remove", json!({ "id": 9 })),
        ("remove", json!({})),
        ("search", json!({ "limit": 0 })),
        ("search", json!({ "limit": 101 })),
    ] {
        said += &format!("{tool}: {}\n", notes.fails(tool, arguments).await);
    }
    expect![[r#"
        add: VALIDATION_ERROR: text: expected a text of at most 65536 characters, came \
        nothing
        add: VALIDATION_ERROR: title: expected a text of 1 to 200 characters, came ``
        add: VALIDATION_ERROR: title: expected a text of 1 to 200 characters, came \
        `éééééééééééééééééééééééééééééééééééééééééééééééééééééééééééé…`
        add: VALIDATION_ERROR: title: expected one line of text, came one with line \
        breaks or other control characters
        add: VALIDATION_ERROR: text: expected at most 65536 bytes, came 65538: make \
        several notes
        add: VALIDATION_ERROR: tags: expected a list of at most 20 elements, came the \
        list ["0","1","2","3","4","5","6","7","8","9","10","11","12","13"…
        add: VALIDATION_ERROR: tags: expected tags of 1 to 50 printable characters, \
        came one of 0
        add: VALIDATION_ERROR: tags: expected a list of at most 20 elements, came `home`
        add: VALIDATION_ERROR: colour: expected one of the names tags, text, title, \
        came `red`
        edit: VALIDATION_ERROR: expected a title, a text or tags to change, came none
        edit: NOT_FOUND: there is no note 9: `search` finds those there are
        edit: VALIDATION_ERROR: id: expected a whole number of at least 0, came `1`
        edit: VALIDATION_ERROR: id: expected a whole number of at least 0, came -1
        remove: NOT_FOUND: there is no note 9: `search` finds those there are
        remove: VALIDATION_ERROR: id: expected a whole number of at least 0, came \
        nothing
        search: VALIDATION_ERROR: limit: expected a whole number from 1 to 100 or \
        nothing, came 0
        search: VALIDATION_ERROR: limit: expected a whole number from 1 to 100 or \
        nothing, came 101
    "#]]
    .assert_eq(&wrapped(&said));
    assert_eq!(found(&notes, json!({})).await.0, 3, "nothing was changed");
}

#[tokio::test]
async fn c165_an_unknown_tool_is_an_error_of_the_protocol() {
    let params = json!({ "name": "delete", "arguments": {} });
    expect![[r#"
        -32602 there is no tool `delete`: expected one of add, edit, list_tags, remove, \
        search
        {"gateway":{"code":"NOT_FOUND"}}
    "#]]
    .assert_eq(&error(notes().ask("tools/call", params).await));
}

#[tokio::test]
async fn the_store_is_bounded_in_notes_and_in_bytes() {
    let notes = notes();
    for _ in 0..10_000 {
        notes.tool("add", json!({ "title": "x", "text": "" })).await;
    }
    let full = notes.fails("add", json!({ "title": "x", "text": "" })).await;
    expect![[r#"
        LIMITED: the store is full: 10000 notes; remove some first
    "#]]
    .assert_eq(&wrapped(&full));
    let text = "x".repeat(64 * 1024);
    let mut id = 1;
    let full = loop {
        let result = notes.tool("edit", json!({ "id": id, "text": text })).await;
        if result["isError"] == true {
            break result["content"][0]["text"].as_str().unwrap().to_owned();
        }
        id += 1;
    };
    expect![[r#"
        LIMITED: the store is full: all notes together may have 33554432 bytes, this \
        would make 33564432; remove some first
    "#]]
    .assert_eq(&wrapped(&full));
    notes.works("remove", json!({ "id": 1 })).await;
    notes.works("edit", json!({ "id": id, "text": text })).await;
}

#[tokio::test]
async fn prompts_say_what_they_take() {
    let listed = notes().ask("prompts/list", json!({})).await.unwrap();
    let mut told = String::new();
    for prompt in listed["prompts"].as_array().unwrap() {
        told += &wrapped(&prompt.to_string());
    }
    expect![[r#"
        {"arguments":[{"description":"The id of the \
        note.","name":"id","required":true}],"description":"Asks for a review of one \
        note.","name":"review_note","title":"Review a note"}
        {"arguments":[{"description":"Only notes with this tag; without it all \
        notes.","name":"tag","required":false}],"description":"Asks for a summary of \
        the notes, or of those with one tag.","name":"summarize_notes","title":"Summariz\
        e notes"}
    "#]]
    .assert_eq(&told);
}

#[tokio::test]
async fn prompts_carry_the_notes() {
    let notes = filled().await;
    let mut told = String::new();
    for params in [
        json!({ "name": "summarize_notes", "arguments": { "tag": "todo" } }),
        json!({ "name": "review_note", "arguments": { "id": "3" } }),
    ] {
        let prompt = notes.ask("prompts/get", params).await.unwrap();
        told += &wrapped(prompt["description"].as_str().unwrap());
        for message in prompt["messages"].as_array().unwrap() {
            told += &wrapped(&message.to_string());
        }
    }
    expect![[r##"
        A summary of notes with the tag `todo`
        {"content":{"text":"Summarize these 2 notes with the tag `todo`: the main \
        points, what is decided, what is open. Refer to a note by its \
        title.","type":"text"},"role":"user"}
        {"content":{"resource":{"mimeType":"text/markdown","text":"# Release\n\nTags: \
        todo, work\n\n- [ ] write the changelog","uri":"note://notes/2"},"type":"resourc\
        e"},"role":"user"}
        {"content":{"resource":{"mimeType":"text/markdown","text":"# Shopping\n\nTags: \
        home, todo\n\nMilk, BREAD and Äpfel","uri":"note://notes/1"},"type":"resource"},\
        "role":"user"}
        A review of Idea
        {"content":{"text":"Review this note: is it clear, is it complete, is anything \
        wrong or out of date? Then give an improved \
        version.","type":"text"},"role":"user"}
        {"content":{"resource":{"mimeType":"text/markdown","text":"# Idea\n\nbread as a \
        service","uri":"note://notes/3"},"type":"resource"},"role":"user"}
    "##]]
    .assert_eq(&told);
}

#[tokio::test]
async fn prompts_with_wrong_arguments_say_so() {
    let notes = filled().await;
    let mut said = String::new();
    for params in [
        json!({ "name": "none" }),
        json!({ "name": "summarize_notes", "arguments": { "tag": "x" } }),
        json!({ "name": "summarize_notes", "arguments": { "tag": 5 } }),
        json!({ "name": "review_note" }),
        json!({ "name": "review_note", "arguments": { "id": "x" } }),
        json!({ "name": "review_note", "arguments": { "id": "9" } }),
    ] {
        said += &error(notes.ask("prompts/get", params).await);
    }
    expect![[r#"
        -32602 there is no prompt `none`: expected one of review_note, summarize_notes
        {"gateway":{"code":"NOT_FOUND"}}
        -32602 there is no note with the tag `x`
        {"gateway":{"code":"NOT_FOUND"}}
        -32602 tag: expected a text, came 5
        {"gateway":{"code":"VALIDATION_ERROR","violations":[{"came":"5","expected":"a \
        text","path":"tag"}]}}
        -32602 id: expected a text, came nothing
        {"gateway":{"code":"VALIDATION_ERROR","violations":[{"came":"nothing","expected"\
        :"a text","path":"id"}]}}
        -32602 id: expected a number, came `x`
        {"gateway":{"code":"VALIDATION_ERROR"}}
        -32602 there is no note 9: `search` finds those there are
        {"gateway":{"code":"NOT_FOUND"}}
    "#]]
    .assert_eq(&said);
}

#[tokio::test]
async fn a_summary_is_bounded_and_says_what_is_left_out() {
    let notes = notes();
    for _ in 0..60 {
        let text = "x".repeat(8 * 1024);
        notes.works("add", json!({ "title": "x", "text": text })).await;
    }
    let params = json!({ "name": "summarize_notes" });
    let summary = notes.ask("prompts/get", params).await.unwrap();
    assert_eq!(summary["messages"].as_array().unwrap().len(), 33);
    expect![[r#"
        Summarize these 32 notes: the main points, what is decided, what is open. Refer \
        to a note by its title. 28 older notes did not fit; say so.
    "#]]
    .assert_eq(&wrapped(summary["messages"][0]["content"]["text"].as_str().unwrap()));
}

#[tokio::test]
async fn c162_ids_and_tags_are_completed() {
    let notes = filled().await;
    let complete = async |reference: Value, name: &str, value: &str| {
        let params = json!({ "ref": reference, "argument": { "name": name, "value": value } });
        notes.ask("completion/complete", params).await.map(|done| done["completion"].clone())
    };
    let summarize = json!({ "type": "ref/prompt", "name": "summarize_notes" });
    let template = json!({ "type": "ref/resource", "uri": "note://notes/{id}" });
    let review = json!({ "type": "ref/prompt", "name": "review_note" });
    let tags = complete(summarize.clone(), "tag", "t").await.unwrap();
    assert_eq!(tags, json!({ "values": ["todo"], "total": 1, "hasMore": false }));
    let ids = complete(template, "id", "").await.unwrap();
    assert_eq!(ids["values"], json!(["1", "2", "3"]));
    assert_eq!(complete(review, "id", "4").await.unwrap()["total"], 0);
    expect![[r#"
        -32602 expected argument `tag` of prompt summarize_notes, `id` of prompt \
        review_note or `id` of template note://notes/{id}, came `id` of another
        {"gateway":{"code":"VALIDATION_ERROR"}}
    "#]]
    .assert_eq(&error(complete(summarize, "id", "").await));
    for _ in 0..120 {
        notes.works("add", json!({ "title": "x", "text": "" })).await;
    }
    let review = json!({ "type": "ref/prompt", "name": "review_note" });
    let ids = complete(review, "id", "").await.unwrap();
    assert_eq!(ids["values"].as_array().unwrap().len(), 100);
    assert_eq!((&ids["total"], &ids["hasMore"]), (&json!(123), &json!(true)));
}
