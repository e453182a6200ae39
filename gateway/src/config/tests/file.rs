//! The file itself: not there, not TOML; how places in it are shown.

use std::path::Path;

use expect_test::expect;

use super::super::{FileSource, Sources, load};
use super::{check, children, load_in};

fn load_path(path: &Path) -> String {
    let file = FileSource::Path(path);
    let sources =
        Sources { file, environment: Vec::new(), flags: Vec::new(), children: &children() };
    load(sources).unwrap_err().to_string()
}

#[test]
fn a_file_that_is_not_there_is_one_problem() {
    let folder = std::env::current_dir().unwrap().display().to_string();
    expect![[r#"
        not/there.toml: cannot be read: No such file or directory (os error 2)
          = it was looked for in FOLDER

        1 problem"#]]
    .assert_eq(&load_path(Path::new("not/there.toml")).replace(&folder, "FOLDER"));
}

#[test]
fn a_folder_is_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let printed = load_path(folder.path());
    expect![[r#"
        FOLDER: cannot be read: it is not a regular file

        1 problem"#]]
    .assert_eq(&printed.replace(&folder.path().display().to_string(), "FOLDER"));
}

#[test]
fn a_file_that_is_not_utf8_says_which_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("routing.toml");
    std::fs::write(&path, b"[gateway]\n# \xff\n").unwrap();
    expect![[r#"
        routing.toml: line 2 is not UTF-8
          = save the file as UTF-8

        1 problem"#]]
    .assert_eq(&super::without(folder.path(), &load_path(&path)));
}

#[test]
fn a_file_beyond_the_bound_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("routing.toml");
    std::fs::write(&path, vec![b'\n'; (1 << 20) + 1]).unwrap();
    expect![[r#"
        routing.toml: is larger than 1048576 bytes

        1 problem"#]]
    .assert_eq(&super::without(folder.path(), &load_path(&path)));
}

#[test]
fn a_text_without_quotes() {
    check(
        "[mounts.files]\ncommand = npx\n",
        expect![[r#"
        routing.toml:2:11: this is not TOML: a text stands in quotes
         2 | command = …
           |           ^
           = write key = "text"; numbers, true and false stand without quotes

        1 problem"#]],
    );
}

#[test]
fn a_text_that_is_not_closed() {
    check(
        "[gateway]\nlisten = \"127.0.0.1:8808\n",
        expect![[r#"
        routing.toml:2:25: this is not TOML: invalid basic string, expected `"`
         2 | listen = "127.0.0.1:8808
           |                         ^
           = close the text with the quote it began with

        1 problem"#]],
    );
}

#[test]
fn a_key_without_a_value() {
    check(
        "[mounts.files]\nurl: https://example.com/mcp\n",
        expect![[r#"
        routing.toml:2:6: this is not TOML: key with no value, expected `=`
         2 | url: …
           |      ^
           = write key = value

        1 problem"#]],
    );
}

#[test]
fn a_table_written_twice() {
    check(
        "[mounts.a]\nin_process = \"notes\"\n[mounts.a]\ntimeout = \"5s\"\n",
        expect![[r#"
        routing.toml:3:9: this is not TOML: this is here twice
         3 | [mounts.a]
           |         ^
           = each key and each table may be written once: join the two

        1 problem"#]],
    );
}

#[test]
fn a_list_that_is_not_closed() {
    check(
        "[mounts.a]\ncommand = \"x\"\nargs = [\"-y\",\n",
        expect![[r#"
        routing.toml:3:14: this is not TOML: unclosed array, expected `]`
         3 | args = ["…",
           |             ^

        1 problem"#]],
    );
}

#[test]
fn a_broken_line_does_not_show_the_secret_in_it() {
    check(
        "[gateway]\nkey = \"hunter2hunter2\n",
        expect![[r#"
        routing.toml:2:22: this is not TOML: invalid basic string, expected `"`
         2 | key = "…"
           |          ^
           = close the text with the quote it began with

        1 problem"#]],
    );
    check(
        "[mounts.a.headers]\nAuthorization = Bearer hunter2\n",
        expect![[r#"
        routing.toml:2:17: this is not TOML: a text stands in quotes
         2 | Authorization = …
           |                 ^
           = write key = "text"; numbers, true and false stand without quotes

        1 problem"#]],
    );
    check(
        "[mounts.a.env]\nA = \"\"\"\nhunter2\n\\q hunter2\"\"\"\n",
        expect![[r#"
        routing.toml:4:2: this is not TOML: this escape is not known
         4 | …
           | ^
           = write \\ for a backslash, or put the text in '…'

        1 problem"#]],
    );
    check(
        "[mounts.a]\nargs = [\n  \"--token\", hunter2,\n]\n",
        expect![[r#"
        routing.toml:3:14: this is not TOML: a text stands in quotes
         3 |   "…",
           |     ^
           = write key = "text"; numbers, true and false stand without quotes

        1 problem"#]],
    );
}

#[test]
fn nesting_without_end_is_refused_before_it_is_parsed() {
    let depth = "a.".repeat(200);
    check(
        &format!("{depth}a = 1\n"),
        expect![[r#"
        routing.toml:1:66: tables are nested deeper than 32 levels
         1 | ….a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a…
           |                                          ^

        1 problem"#]],
    );
    check(
        &format!("a = {}\n", "[".repeat(100_000)),
        expect![[r#"
        routing.toml:1:37: tables are nested deeper than 32 levels
         1 | a = [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[…
           |                                     ^

        1 problem"#]],
    );
    check(
        &format!("a = {}", "{a.a.a = ".repeat(90)),
        expect![[r#"
        routing.toml:1:99: tables are nested deeper than 32 levels
         1 | a = {… = 
           |      ^

        1 problem"#]],
    );
}

#[test]
fn a_long_line_is_cut_around_the_caret() {
    let pad = "x".repeat(300);
    let text = format!("[gateway]\nhosts = [\"{pad}\", \"a b\", \"{pad}\"]\n");
    check(
        &text,
        expect![[r#"
        routing.toml:2:314: gateway.hosts[1]: expected a host such as "example.com", found "a b"
         2 | …xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "a b", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…
           |                                          ^^^^^

        1 problem"#]],
    );
}

#[test]
fn columns_count_characters_and_the_mark_at_the_start_of_a_file_is_none() {
    check(
        "\u{feff}gatway = { ä = \"ö\", \"\\u0007\" = 1 }\r\n",
        expect![[r#"
        routing.toml:1:12: this is not TOML: invalid unquoted key, expected letters, numbers, `-`, `_`
         1 | gatway = { … }
           |            ^

        1 problem"#]],
    );
}

#[test]
fn of_very_many_problems_the_first_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let keys: String = (0..300).map(|number| format!("zz{number} = 1\n")).collect();
    let given = super::Given { text: &format!("[gateway]\n{keys}"), ..super::Given::default() };
    let problems = load_in(folder.path(), &given).unwrap_err();
    assert_eq!((problems.problems.len(), problems.more), (200, 100));
    assert!(problems.to_string().ends_with("300 problems, the first 200 are shown"));
}

#[test]
fn problems_are_data_for_programs() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[mounts.a]\nurl = \"https://example.com\"\ntimeout = 5\n";
    let problems = load_in(folder.path(), &super::Given { text, ..super::Given::default() });
    let printed = serde_json::to_string_pretty(&problems.unwrap_err()).unwrap();
    expect![[r#"
        {
          "problems": [
            {
              "key": "mounts.a.timeout",
              "message": "expected a duration such as \"500ms\", \"60s\", \"10m\", \"1h\", \"30d\", found 5",
              "help": "write \"5s\"",
              "origin": "file",
              "file": "routing.toml",
              "line": 3,
              "column": 11,
              "text": "timeout = 5",
              "caret": 10,
              "width": 1
            }
          ],
          "more": 0
        }"#]].assert_eq(&super::without(folder.path(), &printed));
}
