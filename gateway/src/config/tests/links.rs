//! The way to a child: its kind, programs, URLs, headers, variables.

use std::path::Path;

use expect_test::expect;

use super::super::LinkConfig;
use super::{Given, check, check_warnings, load_given};

#[test]
fn a_mount_with_two_children() {
    let text = "\
[mounts.files]
url = \"https://example.com/mcp\"
command = \"npx\"
args = [\"-y\"]
";
    check(
        text,
        expect![[r#"
        routing.toml:3:1: mounts.files.command: a mount has one child, and this one has `url` already (routing.toml:2)
         3 | command = "npx"
           | ^^^^^^^
           = make two mounts of them, or remove one of the two keys

        1 problem"#]],
    );
}

#[test]
fn keys_of_another_kind_of_child() {
    let text = "\
[mounts.docs]
url = \"https://example.com/mcp\"
args = [\"-y\"]
env = { A = \"hunter2\" }
cwd = \".\"
start = \"lazy\"
stop_idle = \"1m\"

[mounts.files]
command = \"npx\"
headers = { Authorization = \"hunter2\" }
";
    check(
        text,
        expect![[r#"
            routing.toml:3:1: mounts.docs.args: this belongs to a child with `command`; this one has `url`
             3 | args = ["…"]
               | ^^^^
               = remove it

            routing.toml:4:1: mounts.docs.env: this belongs to a child with `command`; this one has `url`
             4 | env = { A = "…" }
               | ^^^
               = remove it

            routing.toml:5:1: mounts.docs.cwd: this belongs to a child with `command`; this one has `url`
             5 | cwd = "."
               | ^^^
               = remove it

            routing.toml:6:1: mounts.docs.start: this belongs to a child with `command`; this one has `url`
             6 | start = "lazy"
               | ^^^^^
               = remove it

            routing.toml:7:1: mounts.docs.stop_idle: this belongs to a child with `command`; this one has `url`
             7 | stop_idle = "1m"
               | ^^^^^^^^^
               = remove it

            routing.toml:11:1: mounts.files.headers: this belongs to a child with `url`; this one has `command`
             11 | headers = { Authorization = "…" }
                | ^^^^^^^
                = remove it

            6 problems"#]],
    );
}

#[test]
fn times_of_another_kind_of_child_do_nothing() {
    let text = "\
[mounts.docs]
url = \"https://example.com/mcp\"
probe_wait = \"1s\"

[mounts.notes]
in_process = \"notes\"
era = \"legacy\"
timeout_connect = \"5s\"
";
    check_warnings(
        &Given { text, ..Given::default() },
        expect![[r#"
            routing.toml:3:1: mounts.docs.probe_wait: a child over HTTP answers the probe or fails
             3 | probe_wait = "1s"
               | ^^^^^^^^^^
               = it has no effect here: remove it

            routing.toml:7:1: mounts.notes.era: a compiled-in child has no era
             7 | era = "legacy"
               | ^^^
               = it has no effect here: remove it

            routing.toml:8:1: mounts.notes.timeout_connect: this belongs to a child with `url`; this one has `in_process`
             8 | timeout_connect = "5s"
               | ^^^^^^^^^^^^^^^
               = it has no effect here: remove it"#]],
    );
}

#[test]
fn a_child_that_is_not_compiled_in() {
    check(
        "[mounts.a]\nin_process = \"note\"\n[mounts.b]\nin_process = \"git\"\n",
        expect![[r#"
            routing.toml:2:14: mounts.a.in_process: no child "note" is compiled in
             2 | in_process = "note"
               |              ^^^^^^
               = did you mean "notes"?

            routing.toml:4:14: mounts.b.in_process: no child "git" is compiled in
             4 | in_process = "git"
               |              ^^^^^
               = compiled in are: auth, data, main, notes, toolbox

            2 problems"#]],
    );
}

#[test]
fn a_command_line_is_no_program() {
    check(
        "[mounts.files]\ncommand = \"npx -y @scope/server .\"\n",
        expect![[r#"
        routing.toml:2:11: mounts.files.command: expected a program alone, found a whole command line
         2 | command = "…"
           |           ^^^
           = write "npx" and put the rest into `args`

        1 problem"#]],
    );
}

#[test]
fn what_is_not_replaced_is_not_taken_literally() {
    let text = "[mounts.files]\ncommand = \"${HOME}/bin/server\"\ncwd = \"~/files\"\n\
        [mounts.empty]\ncommand = \"\"\n";
    check(
        text,
        expect![[r#"
        routing.toml:2:11: mounts.files.command: variables are not replaced here, only in `args`, `env`, `url`, `headers` and `key`
         2 | command = "${HOME}/bin/server"
           |           ^^^^^^^^^^^^^^^^^^^^
           = write it in full

        routing.toml:3:7: mounts.files.cwd: `~` is not replaced
         3 | cwd = "~/files"
           |       ^^^^^^^^^
           = write it in full

        routing.toml:5:11: mounts.empty.command: expected a text that is not empty
         5 | command = ""
           |           ^^
           = write it in full

        3 problems"#]],
    );
}

#[test]
fn urls_that_are_none() {
    let text = "\
[mounts.a]
url = \"http+unix:///run/mcp.sock\"
[mounts.b]
url = \"example.com/mcp\"
[mounts.c]
url = \"ftp://user:hunter2@example.com/x?token=hunter2\"
[mounts.d]
url = \"https:///mcp\"
[mounts.e]
url = \"unix://host/run/mcp.sock\"
[mounts.f]
url = \"https://example.com/a b\"
";
    check(
        text,
        expect![[r#"
            routing.toml:2:7: mounts.a.url: HTTP over a Unix socket is not spoken to children
             2 | url = "http+unix:///run/mcp.sock"
               |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^
               = for a child that reads and writes lines on a socket, write unix:/path

            routing.toml:4:7: mounts.b.url: expected a URL such as "https://host/mcp", found "example.com/mcp"
             4 | url = "example.com/mcp"
               |       ^^^^^^^^^^^^^^^^^
               = write "https://example.com/mcp"

            routing.toml:6:7: mounts.c.url: expected an http:, https:, ws:, wss: or unix: URL, found "ftp://example.com/x"
             6 | url = "…"
               |       ^^^
               = write https://host/path

            routing.toml:8:7: mounts.d.url: "https:///mcp" is not a URL of a server
             8 | url = "https:///mcp"
               |       ^^^^^^^^^^^^^^
               = write https://host/path

            routing.toml:10:7: mounts.e.url: "unix://host/run/mcp.sock" is not the path of a socket
             10 | url = "unix://host/run/mcp.sock"
                |       ^^^^^^^^^^^^^^^^^^^^^^^^^^
                = write unix:/path/of/the.sock

            routing.toml:12:7: mounts.f.url: "https://example.com/a b" is not a URL of a server
             12 | url = "https://example.com/a b"
                |       ^^^^^^^^^^^^^^^^^^^^^^^^^
                = write https://host/path

            6 problems"#]],
    );
}

#[test]
fn sockets_that_are_none() {
    let text = "\
[mounts.g]
url = \"wss:///mcp\"
[mounts.h]
url = \"unix:\"
[mounts.i]
url = \"unix:/run/mcp.sock\"
headers = { X = \"y\" }
";
    check(
        text,
        expect![[r#"
        routing.toml:2:7: mounts.g.url: "wss:///mcp" is not a URL of a server
         2 | url = "wss:///mcp"
           |       ^^^^^^^^^^^^
           = write wss://host/path

        routing.toml:4:7: mounts.h.url: "unix:" is not the path of a socket
         4 | url = "unix:"
           |       ^^^^^^^
           = write unix:/path/of/the.sock

        routing.toml:6:7: mounts.i.url: a Unix socket carries lines, which take no `headers`
         6 | url = "unix:/run/mcp.sock"
           |       ^^^^^^^^^^^^^^^^^^^^
           = remove them

        3 problems"#]],
    );
}

#[test]
fn urls_of_each_way() {
    let text = "\
[mounts.a]
url = \"wss://live.example.com/mcp\"
headers = { X = \"y\" }
probe_wait = \"1s\"
[mounts.b]
url = \"unix:/run/mcp.sock\"
[mounts.c]
url = \"unix:///run/mcp.sock\"
[mounts.d]
url = \"unix:run/mcp.sock\"
";
    let config = load_given(&Given { text, ..Given::default() }).unwrap().config;
    let path = |at: usize| match &config.mounts[at].link {
        LinkConfig::Unix { path } => path.clone(),
        other => panic!("{other:?}"),
    };
    assert!(matches!(&config.mounts[0].link, LinkConfig::WebSocket { shown, headers, .. }
        if shown == "wss://live.example.com/mcp" && headers.len() == 1));
    assert_eq!(path(1), Path::new("/run/mcp.sock"));
    assert_eq!(path(2), Path::new("/run/mcp.sock"));
    assert!(path(3).ends_with("run/mcp.sock"));
}

#[test]
fn headers_that_cannot_be_set() {
    let text = "\
[mounts.docs]
url = \"https://example.com/mcp\"

[mounts.docs.headers]
Content-Type = \"text/plain\"
Mcp-Session-Id = \"1\"
\"X Y\" = \"1\"
X-Team = \"a\"
x-team = \"b\"
X-Line = \"hunter2\\n\"
X-Number = 5
";
    check(
        text,
        expect![[r#"
        routing.toml:5:1: mounts.docs.headers.Content-Type: the gateway sets this header itself
         5 | Content-Type = "…"
           | ^^^^^^^^^^^^
           = remove it

        routing.toml:6:1: mounts.docs.headers.Mcp-Session-Id: the gateway sets this header itself
         6 | Mcp-Session-Id = "…"
           | ^^^^^^^^^^^^^^
           = remove it

        routing.toml:7:1: mounts.docs.headers."X Y": this is not the name of a header
         7 | "X Y" = "…"
           | ^^^^^
           = write letters, digits and `-`

        routing.toml:9:1: mounts.docs.headers.x-team: the same header stands here already (routing.toml:8)
         9 | x-team = "…"
           | ^^^^^^
           = upper and lower case are the same: keep one

        routing.toml:10:10: mounts.docs.headers.X-Line: the value holds a character that no header can carry
         10 | X-Line = "…"
            |          ^^^
            = it ends with a line end: cut that off

        routing.toml:11:12: mounts.docs.headers.X-Number: expected a text or { env = "NAME" }, found a whole number
         11 | X-Number = …
            |            ^
            = put it in quotes

        6 problems"#]],
    );
}

#[test]
fn a_key_below_the_wrong_header_is_said() {
    let text = "\
[mounts.docs]
url = \"https://example.com/mcp\"

[mounts.docs.headers]
X-Team = \"a\"
prefix = \"d\"
";
    check_warnings(
        &Given { text, ..Given::default() },
        expect![[r#"
        routing.toml:6:1: mounts.docs.headers.prefix: this is a header called `prefix`, not the mount's `prefix`
         6 | prefix = "…"
           | ^^^^^^
           = if the mount is meant, move the line above the header of this table"#]],
    );
}

#[test]
fn names_of_variables_that_cannot_be_set() {
    check(
        "[mounts.a]\ncommand = \"x\"\nenv = { \"A=B\" = \"1\", \"\" = \"2\", C = true }\n",
        expect![[r#"
        routing.toml:3:9: mounts.a.env."A=B": the name of a variable is not empty and has no `=` in it
         3 | env = { "A=B" = "…", "" = "…", C = … }
           |         ^^^^^

        routing.toml:3:22: mounts.a.env."": the name of a variable is not empty and has no `=` in it
         3 | env = { "A=B" = "…", "" = "…", C = … }
           |                      ^^

        routing.toml:3:36: mounts.a.env.C: expected a text or { env = "NAME" }, found true or false
         3 | env = { "A=B" = "…", "" = "…", C = … }
           |                                    ^
           = put it in quotes

        3 problems"#]],
    );
}

#[test]
fn a_nul_cannot_be_handed_to_a_process() {
    check(
        "[mounts.a]\ncommand = \"x\"\nargs = [\"a\\u0000b\"]\n",
        expect![[r#"
        routing.toml:3:9: mounts.a.args[0]: a NUL character cannot be handed to a process
         3 | args = ["…"]
           |         ^^^
           = remove it

        1 problem"#]],
    );
}
