//! Where secrets come from, and that nothing shows them.

use expect_test::expect;

use super::super::{LinkConfig, MountConfig};
use super::{Given, check, check_given, check_warnings, load_given, load_in};

fn first_mount(given: &Given<'_>) -> MountConfig {
    load_given(given).unwrap().config.mounts.remove(0)
}

#[test]
fn variables_that_are_not_set_name_field_and_line() {
    let text = "\
[gateway]
key = { env = \"SESSION_KEY\" }

[mounts.docs]
url = \"https://${DOCS_HOST}/mcp\"
headers = { Authorization = \"Bearer ${DOCS_TOKN}\" }

[mounts.files]
command = \"npx\"
args = [\"--root\", \"${ROOT}\"]
env = { TOKEN = { env = \"FILES_TOKEN\" } }
";
    check_given(
        &Given { text, environment: &[("DOCS_TOKEN", "t")], ..Given::default() },
        expect![[r#"
        routing.toml:2:15: gateway.key.env: the environment variable `SESSION_KEY` is not set
         2 | key = { env = "SESSION_KEY" }
           |               ^^^^^^^^^^^^^
           = set it where the gateway is started

        routing.toml:5:7: mounts.docs.url: the environment variable `DOCS_HOST` is not set
         5 | url = "https://${DOCS_HOST}/mcp"
           |       ^^^^^^^^^^^^^^^^^^^^^^^^^^
           = set it where the gateway is started

        routing.toml:6:29: mounts.docs.headers.Authorization: the environment variable `DOCS_TOKN` is not set
         6 | headers = { Authorization = "…" }
           |                             ^^^
           = did you mean `DOCS_TOKEN`?

        routing.toml:10:19: mounts.files.args[1]: the environment variable `ROOT` is not set
         10 | args = ["…", "…"]
            |              ^^^
            = set it where the gateway is started

        routing.toml:11:25: mounts.files.env.TOKEN.env: the environment variable `FILES_TOKEN` is not set
         11 | env = { TOKEN = { env = "FILES_TOKEN" } }
            |                         ^^^^^^^^^^^^^
            = set it where the gateway is started

        5 problems"#]],
    );
}

#[test]
fn references_that_are_none() {
    let text = "\
[mounts.docs]
url = \"https://example.com/${\"
[mounts.docs.headers]
A = \"${NOT CLOSED\"
B = \"${9}\"
C = \"${C:-${D}}\"
D = { enw = \"X\" }
E = { env = \"X\", file = \"y\" }
F = { env = \"${X}\" }
G = { env = 5 }
H = { env = \"X\", prefix = 5 }
I = [\"a\"]
";
    check_given(
        &Given { text, environment: &[("X", "x")], ..Given::default() },
        expect![[r#"
        routing.toml:2:7: mounts.docs.url: a `${` has no `}`
         2 | url = "https://example.com/${"
           |       ^^^^^^^^^^^^^^^^^^^^^^^^
           = write `${NAME}`, or `$${` for these characters themselves

        routing.toml:4:5: mounts.docs.headers.A: a `${` has no `}`
         4 | A = "…"
           |     ^^^
           = write `${NAME}`, or `$${` for these characters themselves

        routing.toml:5:5: mounts.docs.headers.B: what stands in `${…}` is not the name of a variable
         5 | B = "…"
           |     ^^^
           = write letters, digits and `_`, or `$${` for the characters `${` themselves

        routing.toml:6:5: mounts.docs.headers.C: the default in `${NAME:-default}` may not hold another `${`
         6 | C = "…"
           |     ^^^
           = write the default as it is

        routing.toml:7:7: mounts.docs.headers.D.enw: this key is not known
         7 | D = { enw = "…" }
           |       ^^^
           = did you mean `env`?

        routing.toml:8:5: mounts.docs.headers.E: expected exactly one of `env` and `file`
         8 | E = { env = "X", file = "y" }
           |     ^^^^^^^^^^^^^^^^^^^^^^^^^
           = write { env = "NAME" } or { file = "path" }

        routing.toml:9:13: mounts.docs.headers.F.env: what stands here is not the name of an environment variable
         9 | F = { env = "…" }
           |             ^^^
           = write the name alone, without `${` and `}`

        routing.toml:10:13: mounts.docs.headers.G.env: expected a text, found a whole number
         10 | G = { env = … }
            |             ^
            = put it in quotes

        routing.toml:11:27: mounts.docs.headers.H.prefix: expected a text, found a whole number
         11 | H = { env = "X", prefix = … }
            |                           ^
            = put it in quotes

        routing.toml:12:5: mounts.docs.headers.I: expected a text or { env = "NAME" }, found a list
         12 | I = ["…"]
            |     ^^^^^

        10 problems"#]],
    );
}

#[test]
fn a_secret_in_place_of_a_name_is_not_repeated() {
    let text = "\
[mounts.docs]
url = \"https://example.com/mcp\"
[mounts.docs.headers]
A = { env = \"sk_live_hunter2\" }
B = { env = \"sk-live-hunter2\" }
C = \"${sk_live_hunter2}\"
";
    check(
        text,
        expect![[r#"
        routing.toml:4:13: mounts.docs.headers.A.env: the environment variable named here is not set
         4 | A = { env = "…" }
           |             ^^^
           = set it where the gateway is started

        routing.toml:5:13: mounts.docs.headers.B.env: what stands here is not the name of an environment variable
         5 | B = { env = "…" }
           |             ^^^
           = write letters, digits and `_`; the value itself goes into the environment

        routing.toml:6:5: mounts.docs.headers.C: the environment variable named here is not set
         6 | C = "…"
           |     ^^^
           = set it where the gateway is started

        3 problems"#]],
    );
}

#[test]
fn files_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("large"), vec![b'x'; (64 << 10) + 1]).unwrap();
    std::fs::write(folder.path().join("bytes"), [0xff]).unwrap();
    std::fs::create_dir(folder.path().join("folder")).unwrap();
    let text = "\
[mounts.docs]
url = \"https://example.com/mcp\"
[mounts.docs.headers]
A = { file = \"not/there\" }
B = { file = \"large\" }
C = { file = \"bytes\" }
D = { file = \"folder\" }
";
    let problems = load_in(folder.path(), &Given { text, ..Given::default() }).unwrap_err();
    expect![[r#"
        routing.toml:4:14: mounts.docs.headers.A.file: the file "not/there" cannot be read: No such file or directory (os error 2)
         4 | A = { file = "not/there" }
           |              ^^^^^^^^^^^
           = a relative path is seen from the folder of routing.toml

        routing.toml:5:14: mounts.docs.headers.B.file: the file "large" is larger than 65536 bytes
         5 | B = { file = "large" }
           |              ^^^^^^^

        routing.toml:6:14: mounts.docs.headers.C.file: the file "bytes" is not UTF-8
         6 | C = { file = "bytes" }
           |              ^^^^^^^
           = a secret is text

        routing.toml:7:14: mounts.docs.headers.D.file: the file "folder" cannot be read: it is not a regular file
         7 | D = { file = "folder" }
           |              ^^^^^^^^

        4 problems"#]].assert_eq(&super::without(folder.path(), &problems.to_string()));
}

#[test]
fn a_text_may_not_grow_without_bound() {
    let large = "x".repeat(40 << 10);
    let text = "[mounts.a]\ncommand = \"x\"\nargs = [\"${L}${L}\"]\n";
    check_given(
        &Given { text, environment: &[("L", &large)], ..Given::default() },
        expect![[r#"
        routing.toml:3:9: mounts.a.args[0]: is longer than 65536 bytes
         3 | args = ["…"]
           |         ^^^

        1 problem"#]],
    );
}

#[test]
fn a_mount_that_is_not_enabled_may_lack_its_secrets() {
    let text = "\
[mounts.notes]
in_process = \"notes\"
[mounts.docs]
enabled = false
url = \"https://${DOCS_HOST}/mcp\"
headers = { A = { env = \"DOCS_TOKEN\" }, B = { file = \"not/there\" }, C = \"${EMPTY}\" }
";
    check_warnings(
        &Given { text, environment: &[("EMPTY", "")], ..Given::default() },
        expect![[r#"
        routing.toml:5:7: mounts.docs.url: the environment variable `DOCS_HOST` is not set
         5 | url = "https://${DOCS_HOST}/mcp"
           |       ^^^^^^^^^^^^^^^^^^^^^^^^^^
           = set it where the gateway is started

        routing.toml:6:25: mounts.docs.headers.A.env: the environment variable `DOCS_TOKEN` is not set
         6 | headers = { A = { env = "DOCS_TOKEN" }, B = { file = "not/there" }, C = "…" }
           |                         ^^^^^^^^^^^^
           = set it where the gateway is started

        routing.toml:6:54: mounts.docs.headers.B.file: the file "not/there" cannot be read: No such file or directory (os error 2)
         6 | headers = { A = { env = "DOCS_TOKEN" }, B = { file = "not/there" }, C = "…" }
           |                                                      ^^^^^^^^^^^
           = a relative path is seen from the folder of routing.toml

        routing.toml:6:73: mounts.docs.headers.C: the environment variable `EMPTY` is set but empty
         6 | headers = { A = { env = "DOCS_TOKEN" }, B = { file = "not/there" }, C = "…" }
           |                                                                         ^^^"#]],
    );
}

#[test]
fn secrets_come_from_variables_files_and_the_text_itself() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), "from file\n\r\n").unwrap();
    let text = "\
[mounts.docs]
url = \"https://user:pass@${HOST:-example.com}/${PATH_KEY}/mcp?token=${TOKEN}&x=$${y}\"
[mounts.docs.headers]
A = { file = \"token\", prefix = \"Bearer \" }
B = { env = \"TOKEN\", prefix = \"Bearer \" }
C = \"$$ ${TOKEN} $${TOKEN} ${EMPTY:-or this} $5\"
";
    let environment = &[("PATH_KEY", "p1"), ("TOKEN", "t1"), ("EMPTY", "")];
    let given = Given { text, environment, ..Given::default() };
    let mut loaded = load_in(folder.path(), &given).unwrap_err();
    // A carriage return before the one line end that is cut off stays, and no header carries it.
    expect![[r#"
        routing.toml:4:5: mounts.docs.headers.A: the value holds a character that no header can carry
         4 | A = { file = "token", prefix = "…" }
           |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
           = it ends with a line end: cut that off"#]].assert_eq(&super::without(folder.path(), &loaded.problems.remove(0).to_string()));

    std::fs::write(folder.path().join("token"), "from file\r\n").unwrap();
    let loaded = load_in(folder.path(), &given).unwrap();
    let link = loaded.config.mounts[0].link.clone();
    let LinkConfig::Http { url, shown, headers } = link else { panic!("a remote child") };
    expect!["https://user:pass@example.com/p1/mcp?token=t1&x=${y}"].assert_eq(url.expose());
    expect!["https://${HOST}/${PATH_KEY}/mcp"].assert_eq(&shown);
    let headers = headers.iter().map(|(name, value)| format!("{name}: {}\n", value.expose()));
    expect![[r#"
        A: Bearer from file
        B: Bearer t1
        C: $$ t1 ${TOKEN} or this $5
    "#]]
    .assert_eq(&headers.collect::<String>());
}

#[test]
fn nothing_shows_a_secret() {
    let text = "\
[gateway]
key = \"hunter2-hunter2-hunter2-hunter2-hunter2\"
[mounts.docs]
url = \"https://a:hunter2@example.com/${SECRET}/mcp?token=hunter2\"
headers = { A = \"hunter2\", B = { env = \"SECRET\", prefix = \"hunter2\" } }
[mounts.files]
command = \"npx\"
args = [\"--token\", \"hunter2\"]
env = { A = \"hunter2\" }
";
    let given = Given { text, environment: &[("SECRET", "hunter2")], ..Given::default() };
    let loaded = load_given(&given).unwrap();
    assert!(!format!("{loaded:?}").contains("hunter2"));
    let mount = &loaded.config.mounts[0];
    expect![[r#"Http { url: Secret(…), shown: "https://example.com/${SECRET}/mcp", headers: [("A", Secret(…)), ("B", Secret(…))] } …"#]].assert_eq(&format!("{:?} {}", mount.link, loaded.config.gateway.key.unwrap()));
}

#[test]
fn no_bad_value_shows_the_secrets_beside_it() {
    // Every value of a file that is full of secrets is spoilt in turn: nothing may show them.
    let text = "\
[gateway]
key = \"hunter2\"
[mounts.docs]
url = \"https://a:hunter2@example.com/mcp?token=hunter2\"
headers = { A = \"hunter2\", B = { prefix = \"hunter2\", env = \"hunter2\" }, \"C D\" = \"hunter2\" }
hedders = \"hunter2\"
[mounts.files]
command = \"npx\"
args = [\"--token\", \"hunter2\", 5]
env = { A = \"hunter2\", B = 5, C = \"${hunter2}\" }
[unknown]
a = [\"hunter2\"]
";
    for end in 0..=text.len() {
        for tail in ["", "\"", "\\q", "\n\"", " }", "]", "\u{1}", "'''"] {
            let text = format!("{}{tail}", &text[..end]);
            let printed = match load_given(&Given { text: &text, ..Given::default() }) {
                Ok(loaded) => format!("{loaded:?}"),
                Err(problems) => {
                    format!("{problems}{}", serde_json::to_string(&problems).unwrap())
                }
            };
            assert!(!printed.contains("hunter"), "{text}\n{printed}");
        }
    }
}

#[test]
fn a_default_is_used_when_a_variable_is_empty_or_not_set() {
    let text = "[mounts.a]\ncommand = \"x\"\nargs = [\"${A:-one}\", \"${B:-two}\", \"${C:-}\"]\n";
    let mount = first_mount(&Given { text, environment: &[("A", "")], ..Given::default() });
    let LinkConfig::Process { args, .. } = mount.link else { panic!("a process") };
    let args: Vec<&str> = args.iter().map(|arg| arg.expose()).collect();
    assert_eq!(args, ["one", "two", ""]);
}
