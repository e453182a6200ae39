//! Keys that nobody knows, and values of the wrong type.

use expect_test::expect;

use super::check;

#[test]
fn an_unknown_key_names_the_nearest_one() {
    check(
        "[mounts.files]\ncomand = \"npx\"\nargs = [\"-y\"]\n",
        expect![[r#"
        routing.toml:2:1: mounts.files.comand: this key is not known
         2 | comand = "…"
           | ^^^^^^
           = did you mean `command`?

        1 problem"#]],
    );
}

#[test]
fn an_unknown_key_does_not_show_its_value() {
    let text = "[mounts.a]\nin_process = \"notes\"\nheadres = { Authorization = \"hunter2\" }\n";
    check(
        text,
        expect![[r#"
        routing.toml:3:1: mounts.a.headres: this key is not known
         3 | headres = { Authorization = "…" }
           | ^^^^^^^
           = did you mean `headers`?

        1 problem"#]],
    );
}

#[test]
fn a_key_of_the_wrong_table_names_the_right_one() {
    let text = "\
[gateway]
timeout = \"5s\"
sessions_max = 5

[gateway.limits]
name_max = 64

[mounts.notes]
in_process = \"notes\"
listen = \"127.0.0.1:1\"
hide = [\"a\"]
";
    check(
        text,
        expect![[r#"
        routing.toml:2:1: gateway.timeout: this key is not known
         2 | timeout = "…"
           | ^^^^^^^
           = `timeout` belongs in [mounts.NAME]

        routing.toml:3:1: gateway.sessions_max: this key is not known
         3 | sessions_max = …
           | ^^^^^^^^^^^^
           = `sessions_max` belongs in [gateway.limits]

        routing.toml:6:1: gateway.limits.name_max: this key is not known
         6 | name_max = …
           | ^^^^^^^^
           = `name_max` belongs in [gateway]

        routing.toml:10:1: mounts.notes.listen: this key is not known
         10 | listen = "…"
            | ^^^^^^
            = `listen` belongs in [gateway]

        routing.toml:11:1: mounts.notes.hide: this key is not known
         11 | hide = ["…"]
            | ^^^^
            = `hide` belongs in [mounts.notes.tools]

        5 problems"#]],
    );
}

#[test]
fn words_of_other_programs_are_understood() {
    let text = "\
[mcpServers.files]
command = \"npx\"

[mounts.docs]
type = \"http\"
uri = \"https://example.com/mcp\"
disabled = true
";
    check(
        text,
        expect![[r#"
        routing.toml:1:2: mcpServers: this key is not known
         1 | [mcpServers.files]
           |  ^^^^^^^^^^
           = did you mean `mounts`?

        routing.toml:5:1: mounts.docs.type: this key is not known
         5 | type = "…"
           | ^^^^
           = leave it out: `in_process`, `command` or `url` says what kind of child it is

        routing.toml:6:1: mounts.docs.uri: this key is not known
         6 | uri = "…"
           | ^^^
           = did you mean `url`?

        routing.toml:7:1: mounts.docs.disabled: this key is not known
         7 | disabled = …
           | ^^^^^^^^
           = did you mean `enabled`?

        4 problems"#]],
    );
}

#[test]
fn a_key_that_is_near_to_nothing_lists_the_known_ones() {
    check(
        "[mounts.notes.tools]\nzzzzzz = 1\n",
        expect![[r#"
        routing.toml:1:9: mounts.notes: this mount names no child
         1 | [mounts.notes.tools]
           |         ^^^^^
           = give it one of `in_process`, `command`, `url`

        routing.toml:2:1: mounts.notes.tools.zzzzzz: this key is not known
         2 | zzzzzz = …
           | ^^^^^^
           = known here: hide, rename

        2 problems"#]],
    );
}

#[test]
fn a_key_at_the_root_is_sent_to_its_table() {
    check(
        "listen = \"127.0.0.1:1\"\nmount = {}\n",
        expect![[r#"
        routing.toml:1:1: listen: this key is not known
         1 | listen = "…"
           | ^^^^^^
           = `listen` belongs in [gateway]

        routing.toml:2:1: mount: this key is not known
         2 | mount = {}
           | ^^^^^
           = did you mean `mounts`?

        2 problems"#]],
    );
}

#[test]
fn values_of_the_wrong_type_for_the_gateway() {
    let text = "\
[gateway]
listen = 8808
admin = false
separator = \"/\"
name_max = \"128\"
hosts = \"example.com\"
instructions = 5

[gateway.limits]
drain = 10
body_bytes_max = true
";
    check(
        text,
        expect![[r#"
        routing.toml:2:10: gateway.listen: expected an address with a port, found 8808
         2 | listen = 8808
           |          ^^^^
           = write "127.0.0.1:8808"

        routing.toml:3:9: gateway.admin: expected an address such as "127.0.0.1:8808", found false
         3 | admin = false
           |         ^^^^^
           = write "off"

        routing.toml:4:13: gateway.separator: expected one of "_", "__", "-", ".", found "/"
         4 | separator = "/"
           |             ^^^

        routing.toml:5:12: gateway.name_max: expected a whole number from 16 to 256, found "128"
         5 | name_max = "128"
           |            ^^^^^
           = write 128

        routing.toml:6:9: gateway.hosts: expected a list of texts, found a text
         6 | hosts = "example.com"
           |         ^^^^^^^^^^^^^
           = write ["example.com"]

        routing.toml:7:16: gateway.instructions: expected a text, found a whole number
         7 | instructions = 5
           |                ^
           = put it in quotes

        routing.toml:10:9: gateway.limits.drain: expected a duration such as "500ms", "60s", "10m", "1h", "30d", found 10
         10 | drain = 10
            |         ^^
            = write "10s"

        routing.toml:11:18: gateway.limits.body_bytes_max: expected a size in bytes such as 1048576 or "1MiB", found true
         11 | body_bytes_max = true
            |                  ^^^^

        8 problems"#]],
    );
}

#[test]
fn values_of_the_wrong_type_for_a_mount() {
    let text = "\
[mounts.a]
in_process = [\"notes\"]
enabled = \"yes\"
tools = \"none\"
prompts = { hide = [1, \"a\"], rename = { a = 2 } }
";
    check(
        text,
        expect![[r#"
        routing.toml:2:14: mounts.a.in_process: expected a text, found a list
         2 | in_process = ["…"]
           |              ^^^^^

        routing.toml:3:11: mounts.a.enabled: expected true or false, found "yes"
         3 | enabled = "yes"
           |           ^^^^^
           = write true or false, without quotes

        routing.toml:4:9: mounts.a.tools: expected a table, found a text
         4 | tools = "…"
           |         ^^^
           = write a table: [mounts.a.tools]

        routing.toml:5:21: mounts.a.prompts.hide[0]: expected a text, found a whole number
         5 | prompts = { hide = [1, "a"], rename = { a = 2 } }
           |                     ^
           = put it in quotes

        routing.toml:5:45: mounts.a.prompts.rename.a: expected a text, found a whole number
         5 | prompts = { hide = [1, "a"], rename = { a = 2 } }
           |                                             ^
           = put it in quotes

        5 problems"#]],
    );
}

#[test]
fn tables_of_the_wrong_type() {
    check(
        "gateway = 5\nmounts = [1]\n",
        expect![[r#"
        routing.toml:1:11: gateway: expected a table, found a whole number
         1 | gateway = …
           |           ^
           = write a table: [gateway]

        routing.toml:2:10: mounts: expected a table, found a list
         2 | mounts = […]
           |          ^^^
           = write a table: [mounts.NAME]

        2 problems"#]],
    );
    check(
        "mounts = { a = \"npx\" }\n",
        expect![[r#"
        routing.toml:1:16: mounts.a: expected a table, found a text
         1 | mounts = { a = "…" }
           |                ^^^
           = write a table: [mounts.a]

        1 problem"#]],
    );
}

#[test]
fn a_date_and_a_number_too_large() {
    check(
        "[gateway]\nlisten = 1979-05-27\nname_max = 99999999999999999999\n",
        expect![[r#"
        routing.toml:2:10: gateway.listen: no key takes a date
         2 | listen = 1979-05-27
           |          ^^^^^^^^^^
           = put it in quotes

        routing.toml:3:12: gateway.name_max: this number is too large
         3 | name_max = 99999999999999999999
           |            ^^^^^^^^^^^^^^^^^^^^

        2 problems"#]],
    );
}
