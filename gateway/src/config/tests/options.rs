//! The options of a compiled-in child: checked by the child, told with their place.

use expect_test::expect;

use super::{Given, check, check_given, load_given};
use crate::config::LinkConfig;

const MOUNT: &str = "[mounts.a]\nin_process = \"notes\"\n";

/// The options that a text gives the child, as JSON.
fn options(given: &Given<'_>) -> String {
    let loaded = load_given(given).unwrap_or_else(|problems| panic!("{problems}"));
    match &loaded.config.mounts[0].link {
        LinkConfig::InProcess { options, .. } => options.values.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn no_options_are_an_empty_table() {
    assert_eq!(options(&Given { text: MOUNT, ..Given::default() }), "{}");
}

#[test]
fn secrets_and_variables_are_put_in_and_never_shown() {
    let environment = &[("KEY", "s3cret"), ("GATEWAY_MOUNTS__A__OPTIONS__ROWS", "7")];
    for url in ["{ env = \"KEY\" }", "\"${KEY}\""] {
        let text = format!("{MOUNT}[mounts.a.options]\nurl = {url}\n");
        let given = Given { text: &text, environment, ..Given::default() };
        assert_eq!(options(&given), r#"{"rows":7,"url":"s3cret"}"#);
        assert!(!format!("{:?}", load_given(&given).unwrap()).contains("s3cret"));
    }
}

#[test]
fn each_violation_has_its_line() {
    let text = "
[mounts.a]
in_process = \"notes\"

[mounts.a.options]
rows = 12
url = \"postgres://me:password@host\"
names = [\"one\", \"two\"]
colour = { red = 1 }
";
    check(
        text,
        expect![[r#"
        routing.toml:6:8: mounts.a.options.rows: expected a whole number up to 9, found 12
         6 | rows = 12
           |        ^^

        routing.toml:7:7: mounts.a.options.url: expected the right URL, found a text
         7 | url = "…"
           |       ^^^

        routing.toml:8:10: mounts.a.options.names[0]: expected no name, found a text
         8 | names = ["…", "…"]
           |          ^^^

        routing.toml:8:17: mounts.a.options.names[1]: expected no name, found a text
         8 | names = ["…", "…"]
           |               ^^^

        routing.toml:9:10: mounts.a.options.colour: expected a known name, found a table
         9 | colour = { red = 1 }
           |          ^^^^^^^^^^^

        5 problems"#]],
    );
}

#[test]
fn a_variable_is_told_as_what_it_is() {
    let environment = &[("GATEWAY_MOUNTS__A__OPTIONS__ROWS", "many")];
    check_given(
        &Given { text: MOUNT, environment, flags: &[] },
        expect![[r#"
        environment variable GATEWAY_MOUNTS__A__OPTIONS__ROWS: mounts.a.options.rows: expected a whole number up to 9, found a text

        1 problem"#]],
    );
}

#[test]
fn options_belong_to_compiled_in_children() {
    check(
        "[mounts.a]\ncommand = \"x\"\n[mounts.a.options]\nrows = 1\n",
        expect![[r#"
        routing.toml:3:11: mounts.a.options: this belongs to a child with `in_process`; this one has `command`
         3 | [mounts.a.options]
           |           ^^^^^^^
           = remove it

        1 problem"#]],
    );
    check(
        "[mounts.a]\nin_process = \"notes\"\noptions = 7\n",
        expect![[r#"
        routing.toml:3:11: mounts.a.options: expected a table, found a whole number
         3 | options = …
           |           ^
           = write a table: [mounts.a.options]

        1 problem"#]],
    );
}
