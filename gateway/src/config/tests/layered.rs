//! The environment over the file, flags over the environment, and what is wrong with either.

use expect_test::expect;

use super::super::{LinkConfig, Listen};
use super::{Given, check_given, check_warnings, load_given};

const FILE: &str = "\
[gateway]
listen = \"127.0.0.1:1\"
[mounts.files]
command = \"npx\"
[mounts.my-docs]
url = \"https://example.com/mcp\"
headers = { Authorization = \"from file\" }
";

#[test]
fn flags_win_over_the_environment_over_the_file_over_defaults() {
    let environment = &[
        ("GATEWAY_GATEWAY__LISTEN", "127.0.0.1:2"),
        ("GATEWAY_GATEWAY__NAME_MAX", "64"),
        ("GATEWAY_GATEWAY__HOSTS", "a.example, b.example"),
        ("GATEWAY_GATEWAY__ORIGINS", "[\"https://a.example\"]"),
        ("GATEWAY_GATEWAY__LIMITS__BODY_BYTES_MAX", "1MiB"),
        ("GATEWAY_MOUNTS__FILES__TIMEOUT", "5s"),
        ("GATEWAY_MOUNTS__FILES__ARGS", "[\"-y\", \"a,b\"]"),
        ("GATEWAY_MOUNTS__FILES__ENV__LOG__LEVEL", "warn"),
        ("GATEWAY_MOUNTS__FILES__TOOLS__HIDE", "a_*,b_*"),
        ("GATEWAY_MOUNTS__FILES__TOOLS__RENAME__srch", "search"),
        ("GATEWAY_MOUNTS__MY_DOCS__HEADERS__AUTHORIZATION", "from ${WHERE}"),
        ("GATEWAY_MOUNTS__MY_DOCS__HEADERS__X_TEAM", "a"),
        ("GATEWAY_MOUNTS__MY_DOCS__ENABLED", "false"),
        ("GATEWAY_MOUNTS__NOTES__IN_PROCESS", "notes"),
        ("GATEWAY_LOG", "debug"),
        ("GATEWAY_SERVICE_HOST", "10.0.0.1"),
        ("WHERE", "environment"),
    ];
    let flags = &[
        ("gateway.listen", "127.0.0.1:3"),
        ("mounts.files.timeout_max", "6s"),
        ("mounts.files.env.A.B", "c"),
    ];
    let config = load_given(&Given { text: FILE, environment, flags }).unwrap().config;
    let gateway = &config.gateway;
    assert_eq!(gateway.listen, Listen::Tcp("127.0.0.1:3".parse().unwrap()));
    assert_eq!(gateway.name_max, 64);
    assert_eq!(gateway.hosts, ["a.example", "b.example"]);
    assert_eq!(gateway.origins, ["https://a.example"]);
    assert_eq!(gateway.limits.body_bytes_max, 1 << 20);

    let names: Vec<&str> = config.mounts.iter().map(|mount| mount.name.as_str()).collect();
    assert_eq!(names, ["files", "my-docs", "notes"]);
    let files = &config.mounts[0];
    assert_eq!((files.timeout.as_secs(), files.timeout_max.as_secs()), (5, 6));
    assert!(files.tools.hides("b_x"));
    assert_eq!(files.tools.rename, [("srch".to_owned(), "search".to_owned())]);
    let LinkConfig::Process { args, env, .. } = &files.link else { panic!("a process") };
    assert_eq!(args[1].expose(), "a,b");
    let env: Vec<_> = env.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
    assert_eq!(env, [("A.B", "c"), ("LOG__LEVEL", "warn")]);

    let docs = &config.mounts[1];
    assert!(!docs.enabled);
    let LinkConfig::Http { headers, .. } = &docs.link else { panic!("a remote child") };
    let headers: Vec<_> = headers.iter().map(|(name, v)| (name.as_str(), v.expose())).collect();
    assert_eq!(headers, [("Authorization", "from environment"), ("X-TEAM", "a")]);
}

#[test]
fn problems_of_the_environment_say_which_variable() {
    let environment = &[
        ("GATEWAY_GATEWAY__LISTN", "127.0.0.1:2"),
        ("GATEWAY_GATEWAY__NAME_MAX", "many"),
        ("GATEWAY_GATEWAY__HOSTS", "[\"a\""),
        ("GATEWAY_GATEWAY__LIMITS", "5"),
        ("GATEWAY_GATEWAY__LIMITS__DRAIN", "10"),
        ("GATEWAY_GATEWAY__KEY", "short"),
        ("GATEWAY_MOUNTS__FILE__TIMEOUT", "5s"),
        ("GATEWAY_MOUNTS__FILES__ARGS", "-y"),
        ("GATEWAY_MOUNTS__FILES__ENABLED", "1"),
        ("GATEWAY_MOUNTS__FILES__URL", "https://example.com"),
        ("GATEWAY_MOUNTS__FILES__TIMEOT", "5s"),
        ("GATEWAY_MOUNTS__FILES__ENV", "A=b"),
        ("GATEWAY_MOUNTS__FILES", "x"),
        ("GATEWAY_GATEWAY__LISTEN__PORT", "5"),
        ("GATEWAY_GATEWAY__", "5"),
    ];
    check_given(
        &Given { text: FILE, environment, flags: &[] },
        expect![[r#"
            environment variable GATEWAY_GATEWAY__: gateway."": this key is not known
              = known here: listen, socket_mode, sse, admin, separator, name_max, key, hosts, origins, instructions, state, watch, limits

            environment variable GATEWAY_GATEWAY__HOSTS: gateway.hosts: expected a list of texts as TOML writes it
              = set GATEWAY_GATEWAY__HOSTS=["one", "two"]

            environment variable GATEWAY_GATEWAY__KEY: gateway.key: expected at least 32 characters, found 5
              = make one, for example with `openssl rand -hex 32`

            environment variable GATEWAY_GATEWAY__LIMITS: gateway.limits: this is a table, which has no value of its own
              = set its keys one by one: GATEWAY_GATEWAY__LIMITS__KEY=value

            environment variable GATEWAY_GATEWAY__LIMITS__DRAIN: gateway.limits.drain: expected a duration such as "500ms", "60s", "10m", "1h", "30d", found "10"
              = set GATEWAY_GATEWAY__LIMITS__DRAIN=10s

            environment variable GATEWAY_GATEWAY__LISTEN__PORT: gateway.listen.port: `gateway.listen` is no table, which could have keys

            environment variable GATEWAY_GATEWAY__LISTN: gateway.listn: this key is not known
              = did you mean GATEWAY_GATEWAY__LISTEN?

            environment variable GATEWAY_GATEWAY__NAME_MAX: gateway.name_max: expected a whole number from 16 to 256, found "many"

            environment variable GATEWAY_MOUNTS__FILES: mounts.files: this is a table, which has no value of its own
              = set its keys one by one: GATEWAY_MOUNTS__FILES__KEY=value

            environment variable GATEWAY_MOUNTS__FILES__ARGS: mounts.files.args: expected a list of texts as TOML writes it
              = set GATEWAY_MOUNTS__FILES__ARGS=["one", "two"]

            environment variable GATEWAY_MOUNTS__FILES__ENABLED: mounts.files.enabled: expected true or false, found "1"
              = set GATEWAY_MOUNTS__FILES__ENABLED=true or false

            environment variable GATEWAY_MOUNTS__FILES__ENV: mounts.files.env: this is a table, which has no value of its own
              = set its keys one by one: GATEWAY_MOUNTS__FILES__ENV__KEY=value

            environment variable GATEWAY_MOUNTS__FILES__TIMEOT: mounts.files.timeot: this key is not known
              = did you mean GATEWAY_MOUNTS__FILES__TIMEOUT?

            environment variable GATEWAY_MOUNTS__FILES__URL: mounts.files.url: a mount has one child, and this one has `command` already (routing.toml:4)
              = make two mounts of them, or remove one of the two keys

            environment variable GATEWAY_MOUNTS__FILE__TIMEOUT: mounts.file: this mount names no child
              = did you mean the mount `files`?

            15 problems"#]],
    );
}

#[test]
fn problems_of_flags_say_which_flag() {
    let flags = &[
        ("gateway.listen", "8808"),
        ("gatway.listen", "127.0.0.1:1"),
        ("gateway", "x"),
        ("mounts.files.timeot", "5s"),
        ("mounts.My_Files.in_process", "notes"),
        ("", "x"),
        ("mounts.my-docs.headers.Content-Type", "text/plain"),
    ];
    check_given(
        &Given { text: FILE, environment: &[], flags },
        expect![[r#"
        flag : "": this key is not known
          = known here: gateway, mounts

        flag gateway: this is a table, which has no value of its own
          = set its keys one by one: gateway.key=value

        flag gateway.listen: expected an address such as "127.0.0.1:8808", found "8808"
          = give gateway.listen=127.0.0.1:8808 for this machine alone, "0.0.0.0:8808" for every network

        flag gatway.listen: gatway: this key is not known
          = did you mean `gateway`?

        flag mounts.My_Files.in_process: mounts.My_Files: expected a lower-case letter, then at most 30 lower-case letters, digits and `-`, found "My_Files"
          = rename it: [mounts.my-files]

        flag mounts.files.timeot: this key is not known
          = did you mean `timeout`?

        flag mounts.my-docs.headers.Content-Type: the gateway sets this header itself
          = remove it

        7 problems"#]],
    );
}

#[test]
fn two_variables_for_one_key() {
    let environment =
        &[("GATEWAY_GATEWAY__LISTEN", "127.0.0.1:2"), ("GATEWAY_GATEWAY__listen", "127.0.0.1:3")];
    check_given(
        &Given { text: "", environment, flags: &[] },
        expect![[r#"
        environment variable GATEWAY_GATEWAY__listen: gateway.listen: GATEWAY_GATEWAY__LISTEN sets the same key
          = keep one of the two

        1 problem"#]],
    );
}

#[test]
fn one_mistake_in_file_environment_and_flags_each_is_told_at_once() {
    let text = "[gateway]\nname_max = 1\n";
    let environment = &[("GATEWAY_GATEWAY__SEPARATOR", "/")];
    let flags = &[("gateway.admin", "of")];
    check_given(
        &Given { text, environment, flags },
        expect![[r#"
        routing.toml:2:12: gateway.name_max: expected a whole number from 16 to 256, found 1
         2 | name_max = 1
           |            ^

        environment variable GATEWAY_GATEWAY__SEPARATOR: gateway.separator: expected one of "_", "__", "-", ".", found "/"

        flag gateway.admin: expected an address such as "127.0.0.1:8809", or "off", found "of"
          = did you mean "off"?

        3 problems"#]],
    );
}

#[test]
fn variables_that_nearly_set_a_key_are_said() {
    let environment = &[
        ("GATEWAY_LISTEN", "127.0.0.1:2"),
        ("GATEWAY_DRAIN", "5s"),
        ("GATEWAY_GATEWAY_LISTEN", "127.0.0.1:2"),
        ("GATEWAY_MOUNTS_FILES__TIMEOUT", "5s"),
        ("GATEWAY_MOUNT__FILES__TIMEOUT", "5s"),
        ("GATEWAY_LOG", "debug"),
        ("GATEWAY_PORT", "tcp://10.0.0.1:80"),
        ("GATEWAY_SERVICE_PORT", "80"),
    ];
    check_warnings(
        &Given { text: FILE, environment, flags: &[] },
        expect![[r#"
        environment variable GATEWAY_DRAIN: this variable sets no key
          = did you mean GATEWAY_GATEWAY__LIMITS__DRAIN?

        environment variable GATEWAY_GATEWAY_LISTEN: this variable sets no key
          = did you mean GATEWAY_GATEWAY__LISTEN?

        environment variable GATEWAY_LISTEN: this variable sets no key
          = did you mean GATEWAY_GATEWAY__LISTEN?

        environment variable GATEWAY_MOUNTS_FILES__TIMEOUT: this variable sets no key
          = did you mean GATEWAY_MOUNTS__FILES__TIMEOUT?

        environment variable GATEWAY_MOUNT__FILES__TIMEOUT: this variable sets no key
          = did you mean GATEWAY_MOUNTS__FILES__TIMEOUT?"#]],
    );
}
