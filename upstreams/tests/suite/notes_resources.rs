//! The notes as resources: pages, contents, and what subscribers hear.

use expect_test::expect;
use serde_json::json;

use crate::caller::{Caller, error, lines, pretty, wrapped};

async fn with_notes(count: usize) -> Caller {
    let notes = Caller::builtin("notes");
    for number in 1..=count {
        notes.tool("add", json!({ "title": format!("Note {number}"), "text": "x" })).await;
    }
    notes
}

#[tokio::test]
async fn resources_come_in_pages_that_hold_everything_once_and_in_order() {
    let notes = with_notes(120).await;
    let (mut uris, mut sizes, mut cursor) = (Vec::new(), Vec::new(), None);
    loop {
        let params = cursor.map_or_else(|| json!({}), |cursor| json!({ "cursor": cursor }));
        let mut page = notes.ask("resources/list", params).await.unwrap();
        let resources = page["resources"].as_array().unwrap();
        sizes.push(resources.len());
        uris.extend(resources.iter().map(|resource| resource["uri"].as_str().unwrap().to_owned()));
        match page["nextCursor"].take() {
            serde_json::Value::Null => break,
            next => cursor = Some(next),
        }
    }
    assert_eq!(sizes, [50, 50, 21]);
    let notes = (1..=120).map(|id| format!("note://notes/{id}"));
    let expected: Vec<String> = std::iter::once("note://notes".to_owned()).chain(notes).collect();
    assert_eq!(uris, expected);
}

#[tokio::test]
async fn a_page_that_is_just_full_is_the_last() {
    for (count, has_more) in [(49, false), (50, true)] {
        let page = with_notes(count).await.ask("resources/list", json!({})).await.unwrap();
        assert_eq!(page.get("nextCursor").is_some(), has_more, "{count}");
    }
}

#[tokio::test]
async fn pages_stay_right_while_notes_come_and_go() {
    let notes = with_notes(60).await;
    let first = notes.ask("resources/list", json!({})).await.unwrap();
    for id in 40..=50 {
        notes.works("remove", json!({ "id": id })).await;
    }
    notes.works("add", json!({ "title": "late", "text": "" })).await;
    let second = notes.ask("resources/list", json!({ "cursor": first["nextCursor"] })).await;
    let second = second.unwrap();
    let uris: Vec<&str> = second["resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|resource| resource["uri"].as_str().unwrap())
        .collect();
    assert_eq!((uris.len(), uris[0], uris[10]), (11, "note://notes/51", "note://notes/61"));
}

#[tokio::test]
async fn c159_a_cursor_of_somebody_else_is_refused() {
    let notes = with_notes(1).await;
    let empty = error(notes.ask("resources/list", json!({ "cursor": "" })).await);
    let foreign = error(notes.ask("resources/list", json!({ "cursor": "eyJhIjoxfQ==" })).await);
    expect![[r#"
        -32602 cursor: expected one that this list gave, came ``; begin without
        {"gateway":{"code":"VALIDATION_ERROR"}}
        -32602 cursor: expected one that this list gave, came `eyJhIjoxfQ==`; begin \
        without
        {"gateway":{"code":"VALIDATION_ERROR"}}
    "#]]
    .assert_eq(&(empty + &foreign));
    let past = notes.ask("resources/list", json!({ "cursor": "18446744073709551615" })).await;
    assert_eq!(past.unwrap()["resources"], json!([]));
}

#[tokio::test]
async fn resources_and_the_template_say_what_they_are() {
    let notes = with_notes(1).await;
    expect![[r#"
        {
          "cacheScope": "private",
          "resources": [
            {
              "description": "An index of the notes, the newest first.",
              "mimeType": "text/markdown",
              "name": "notes",
              "title": "All notes",
              "uri": "note://notes"
            },
            {
              "mimeType": "text/markdown",
              "name": "note-1",
              "title": "Note 1",
              "uri": "note://notes/1"
            }
          ],
          "resultType": "complete",
          "ttlMs": 0
        }
    "#]]
    .assert_eq(&pretty(&notes.ask("resources/list", json!({})).await.unwrap()));
    let templates = notes.ask("resources/templates/list", json!({})).await.unwrap();
    expect![[r#"
        [
          {
            "description": "One note by its id: title, tags and text.",
            "mimeType": "text/markdown",
            "name": "note",
            "title": "A note",
            "uriTemplate": "note://notes/{id}"
          }
        ]
    "#]]
    .assert_eq(&pretty(&templates["resourceTemplates"]));
}

#[tokio::test]
async fn a_note_and_the_index_are_read_as_markdown() {
    let notes = with_notes(1).await;
    notes.works("edit", json!({ "id": 1, "text": "body", "tags": ["b", "a"] })).await;
    let read = notes.ask("resources/read", json!({ "uri": "note://notes/1" })).await.unwrap();
    expect![[r##"
        {
          "cacheScope": "private",
          "contents": [
            {
              "mimeType": "text/markdown",
              "text": "# Note 1\n\nTags: a, b\n\nbody",
              "uri": "note://notes/1"
            }
          ],
          "resultType": "complete",
          "ttlMs": 0
        }
    "##]]
    .assert_eq(&pretty(&read));
    let read = notes.ask("resources/read", json!({ "uri": "note://notes" })).await.unwrap();
    expect![[r#"
        # Notes (1)

        - [Note 1](note://notes/1) #a #b
    "#]]
    .assert_eq(&wrapped(read["contents"][0]["text"].as_str().unwrap()));
}

#[tokio::test]
async fn c166_a_resource_that_is_not_there_is_named() {
    let notes = with_notes(1).await;
    let expected = expect![[r#"
        -32602 there is no resource `note://notes/2`: notes are at note://notes/<id>
        {"gateway":{"code":"NOT_FOUND"},"uri":"note://notes/2"}
    "#]];
    expected
        .assert_eq(&error(notes.ask("resources/read", json!({ "uri": "note://notes/2" })).await));
    for uri in ["", "note://notes/", "note://notes/01", "note://notes/1/", "file:///etc/passwd"] {
        let error = notes.ask("resources/read", json!({ "uri": uri })).await.unwrap_err();
        assert_eq!(error.code, -32602);
        let data: serde_json::Value = serde_json::from_str(&error.data.unwrap()).unwrap();
        assert_eq!(data, json!({ "uri": uri, "gateway": { "code": "NOT_FOUND" } }));
    }
}

#[tokio::test]
async fn subscribers_hear_of_what_reads_differently_and_of_nothing_else() {
    let notes = with_notes(2).await;
    let filter = json!({ "resourcesListChanged": true,
        "resourceSubscriptions": ["note://notes/1", "note://notes"] });
    let mut listening = notes.start("subscriptions/listen", json!({ "notifications": filter }));
    listening.next().await;
    let mut told = String::new();
    for (tool, arguments, events) in [
        ("edit", json!({ "id": 1, "text": "y" }), 1),
        ("edit", json!({ "id": 1, "tags": ["t"] }), 2),
        ("edit", json!({ "id": 1, "title": "other" }), 3),
        ("edit", json!({ "id": 2, "text": "y" }), 0),
        ("add", json!({ "title": "third", "text": "" }), 2),
        ("remove", json!({ "id": 1 }), 3),
    ] {
        told += &format!("{tool} {arguments}\n");
        notes.works(tool, arguments).await;
        for _ in 0..events {
            told += &format!("  {}", lines(&[listening.next().await]));
        }
    }
    expect![[r#"
        edit {"id":1,"text":"y"}
          notifications/resources/updated {"uri":"note://notes/1"}
        edit {"id":1,"tags":["t"]}
          notifications/resources/updated {"uri":"note://notes/1"}
          notifications/resources/updated {"uri":"note://notes"}
        edit {"id":1,"title":"other"}
          notifications/resources/list_changed {}
          notifications/resources/updated {"uri":"note://notes/1"}
          notifications/resources/updated {"uri":"note://notes"}
        edit {"id":2,"text":"y"}
        add {"text":"","title":"third"}
          notifications/resources/list_changed {}
          notifications/resources/updated {"uri":"note://notes"}
        remove {"id":1}
          notifications/resources/list_changed {}
          notifications/resources/updated {"uri":"note://notes/1"}
          notifications/resources/updated {"uri":"note://notes"}
    "#]]
    .assert_eq(&wrapped(&told));
    assert!(listening.heard.try_recv().is_err());
    listening.drop_it().await;
}

#[tokio::test]
async fn a_listener_that_falls_behind_is_told_of_everything() {
    let notes = with_notes(1).await;
    let (ear, mut heard) = crate::caller::Ear::open(1);
    let filter = json!({ "notifications":
        { "resourcesListChanged": true, "resourceSubscriptions": ["note://notes/1"] } });
    let params = crate::caller::with_meta(filter);
    let request = protocol::ChildRequest::new("subscriptions/listen", params, ear);
    let task = tokio::spawn(notes.0.request(request));
    heard.recv().await.unwrap();
    for _ in 0..2_000 {
        notes.works("edit", json!({ "id": 1, "text": "x" })).await;
    }
    notes.works("add", json!({ "title": "last", "text": "" })).await;
    let mut told = Vec::new();
    while !told.contains(&"notifications/resources/list_changed".to_owned())
        || !told.contains(&"notifications/resources/updated".to_owned())
    {
        told.push(heard.recv().await.unwrap().0);
    }
    task.abort();
}
