//! `[mounts.<name>]`: names, prefixes, times, shapes.

use expect_test::expect;

use super::{Given, check, check_warnings};

#[test]
fn names_that_are_none() {
    let text = "\
[mounts.My_Files]
in_process = \"notes\"
[mounts.\"9 lives\"]
in_process = \"notes\"
prefix = \"fs/\"
[mounts.\"\"]
in_process = \"notes\"
[mounts.a-name-that-is-much-longer-than-thirty-one]
in_process = \"notes\"
";
    check(
        text,
        expect![[r#"
        routing.toml:1:9: mounts.My_Files: expected a lower-case letter, then at most 30 lower-case letters, digits and `-`, found "My_Files"
         1 | [mounts.My_Files]
           |         ^^^^^^^^
           = rename it: [mounts.my-files]

        routing.toml:3:9: mounts."9 lives": expected a lower-case letter, then at most 30 lower-case letters, digits and `-`, found "9 lives"
         3 | [mounts."9 lives"]
           |         ^^^^^^^^^
           = rename it: [mounts.m-9-lives]

        routing.toml:5:10: mounts."9 lives".prefix: expected a lower-case letter, then at most 30 lower-case letters, digits and `-`, found "fs/"
         5 | prefix = "fs/"
           |          ^^^^^
           = write "fs", or "" for no prefix

        routing.toml:6:9: mounts."": expected a lower-case letter, then at most 30 lower-case letters, digits and `-`, found ""
         6 | [mounts.""]
           |         ^^
           = rename it: [mounts.m]

        routing.toml:8:9: mounts.a-name-that-is-much-longer-than-thirty-one: expected a lower-case letter, then at most 30 lower-case letters, digits and `-`, found "a-name-that-is-much-longer-than-thirty-one"
         8 | [mounts.a-name-that-is-much-longer-than-thirty-one]
           |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
           = rename it: [mounts.a-name-that-is-much-longer-than]

        5 problems"#]],
    );
}

#[test]
fn two_mounts_at_one_prefix() {
    let text = "\
[mounts.fs]
in_process = \"notes\"

[mounts.files]
in_process = \"toolbox\"
prefix = \"fs\"
";
    check(
        text,
        expect![[r#"
        routing.toml:6:10: mounts.files.prefix: the mount `fs` has the prefix `fs` already (routing.toml:1)
         6 | prefix = "fs"
           |          ^^^^
           = give each mount its own prefix

        1 problem"#]],
    );
}

#[test]
fn a_mount_without_a_child() {
    check(
        "[mounts.files]\nprefix = \"fs\"\n",
        expect![[r#"
        routing.toml:1:9: mounts.files: this mount names no child
         1 | [mounts.files]
           |         ^^^^^
           = give it one of `in_process`, `command`, `url`

        1 problem"#]],
    );
}

#[test]
fn times_that_contradict_each_other() {
    let text = "\
[mounts.a]
in_process = \"notes\"
timeout = \"20m\"

[mounts.b]
command = \"x\"
timeout = \"10s\"
timeout_max = \"5s\"
timeout_start = \"2s\"
";
    check(
        text,
        expect![[r#"
        routing.toml:3:11: mounts.a.timeout: `timeout` = "20m" is longer than `timeout_max` = "10m" (the default)
         3 | timeout = "20m"
           |           ^^^^^
           = change one of the two

        routing.toml:7:11: mounts.b.timeout: `timeout` = "10s" is longer than `timeout_max` = "5s"
         7 | timeout = "10s"
           |           ^^^^^
           = change one of the two

        routing.toml:9:17: mounts.b.timeout_start: `probe_wait` = "3s" (the default) is not shorter than `timeout_start` = "2s"
         9 | timeout_start = "2s"
           |                 ^^^^
           = change one of the two

        3 problems"#]],
    );
}

#[test]
fn an_era_and_resources_that_are_none() {
    let text = "\
[mounts.a]
in_process = \"notes\"
era = \"2025-11-25\"
resources = \"rewritten\"
";
    check(
        text,
        expect![[r#"
        routing.toml:3:7: mounts.a.era: expected one of "auto", "legacy", "modern", found "2025-11-25"
         3 | era = "2025-11-25"
           |       ^^^^^^^^^^^^

        routing.toml:4:13: mounts.a.resources: expected one of "rewrite", "keep", found "rewritten"
         4 | resources = "rewritten"
           |             ^^^^^^^^^^^
           = did you mean "rewrite"?

        2 problems"#]],
    );
}

#[test]
fn patterns_that_would_match_nothing() {
    let text = "\
[mounts.a]
in_process = \"notes\"
[mounts.a.tools]
hide = [\"delete_*\", \"{a,b}_*\", \"\"]
";
    check(
        text,
        expect![[r#"
        routing.toml:4:21: mounts.a.tools.hide[1]: only `*` and `?` have a meaning in a pattern, found "{a,b}_*"
         4 | hide = ["delete_*", "{a,b}_*", ""]
           |                     ^^^^^^^^^
           = write one pattern each: ["get_*", "set_?"]

        routing.toml:4:32: mounts.a.tools.hide[2]: an empty pattern matches no name, found ""
         4 | hide = ["delete_*", "{a,b}_*", ""]
           |                                ^^
           = write one pattern each: ["get_*", "set_?"]

        2 problems"#]],
    );
}

#[test]
fn two_tools_renamed_to_one_name() {
    let text = "\
[mounts.a]
in_process = \"notes\"
[mounts.a.tools.rename]
srch = \"search\"
find = \"search\"
look = \"look it up\"
";
    check(
        text,
        expect![[r#"
        routing.toml:5:8: mounts.a.tools.rename.find: "search" is already the new name of `srch` (routing.toml:4)
         5 | find = "search"
           |        ^^^^^^^^
           = give them different names

        routing.toml:6:8: mounts.a.tools.rename.look: expected 1 to 128 characters of A-Z a-z 0-9 _ - ., found "look it up"
         6 | look = "look it up"
           |        ^^^^^^^^^^^^
           = write "look_it_up"

        2 problems"#]],
    );
}

#[test]
fn a_tool_both_hidden_and_renamed_is_said() {
    let text = "\
[mounts.a]
in_process = \"notes\"
tools = { hide = [\"s*\"], rename = { srch = \"search\" } }
";
    check_warnings(
        &Given { text, ..Given::default() },
        expect![[r#"
        routing.toml:3:37: mounts.a.tools.rename.srch: this name is hidden too, so that nobody sees the new one
         3 | tools = { hide = ["s*"], rename = { srch = "search" } }
           |                                     ^^^^
           = hide or rename it, not both"#]],
    );
}

#[test]
fn a_gateway_without_mounts_is_said() {
    check_warnings(
        &Given::default(),
        expect![[r#"
        routing.toml: mounts: nothing is mounted
          = add a table [mounts.NAME] with `command`, `url` or `in_process`"#]],
    );
    let text = "[mounts.a]\nin_process = \"notes\"\nenabled = false\n";
    check_warnings(
        &Given { text, ..Given::default() },
        expect![[r#"
        routing.toml:1:2: mounts: no mount is enabled
         1 | [mounts.a]
           |  ^^^^^^
           = add a table [mounts.NAME] with `command`, `url` or `in_process`"#]],
    );
}
