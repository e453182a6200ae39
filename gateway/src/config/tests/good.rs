//! Configurations that are good: defaults, order, the embedded file.

use std::time::Duration;

use expect_test::expect;

use super::super::{
    Config, EMBEDDED, EraPin, FileSource, GatewayConfig, Glob, Limits, LinkConfig, Listen,
    MountConfig, Resources, Running, Source, Sources, Start, load,
};
use super::{Given, children, load_given};

fn load_embedded(text: &'static str, environment: &[(&str, &str)]) -> Config {
    let environment = environment.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    let loaded = load(Sources {
        file: FileSource::Embedded(text),
        environment: environment.collect(),
        flags: Vec::new(),
        children: &children(),
    });
    let loaded = loaded.unwrap_or_else(|problems| panic!("{problems}"));
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    loaded.config
}

fn in_process(child: &str) -> LinkConfig {
    LinkConfig::InProcess { child: child.to_owned(), options: protocol::Options::default() }
}

/// The embedded file with every key and example in use.
fn uncommented() -> String {
    let lines = EMBEDDED.lines().map(|line| match line.strip_prefix('#') {
        Some(code) if !code.is_empty() && !code.starts_with(' ') => code,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_embedded_default_mounts_what_needs_nothing_installed() {
    let config = load_embedded(EMBEDDED, &[]);
    assert_eq!(config.source, Source::Embedded);
    assert_eq!(config.gateway, GatewayConfig::default());
    let in_process = |name: &str| MountConfig::new(name, in_process(name));
    assert_eq!(config.mounts, ["notes", "toolbox", "data", "auth", "main"].map(in_process));
}

#[test]
fn the_commented_keys_of_the_embedded_default_are_good_and_hold_the_defaults() {
    let environment =
        &[("DOCS_TOKEN", "t"), ("GATEWAY_SESSION_KEY", "0123456789012345678901234567890123")];
    let text: &'static str = Box::leak(uncommented().into_boxed_str());
    let mut config = load_embedded(text, environment);
    config.gateway.key = None;
    config.gateway.instructions = None;
    // Unsaid is "off" for all but `gateway run`.
    config.gateway.state = GatewayConfig::default().state;
    assert_eq!(config.gateway, GatewayConfig::default());
    let files = config.mounts.iter().find(|mount| mount.name == "files").unwrap();
    let mut expected = MountConfig::new("files", files.link.clone());
    expected.tools = files.tools.clone();
    expected.running.stop_idle = files.running.stop_idle;
    assert_eq!(*files, expected);
    assert!(files.tools.hides("delete_all"));
}

#[test]
fn the_embedded_default_names_every_key() {
    for key in super::super::keys::GATEWAY.iter().chain(super::super::keys::LIMITS) {
        let written = uncommented().contains(&format!("\n{} = ", key.name));
        assert!(written || key.name == "limits", "{}", key.name);
    }
    let (mount, health) = (super::super::keys::MOUNT, super::super::keys::HEALTH);
    for key in mount.iter().chain(health).chain(super::super::keys::SHAPE) {
        let line = format!("\n{} = ", key.name);
        let table = format!(".{}]", key.name);
        let text = uncommented();
        assert!(text.contains(&line) || text.contains(&table), "{}", key.name);
    }
}

#[test]
fn a_file_that_says_nothing_has_the_defaults() {
    let config = load_given(&Given::default()).unwrap().config;
    assert_eq!(config.gateway, GatewayConfig::default());
    assert_eq!(config.gateway.limits, Limits::default());
    assert!(config.mounts.is_empty());
    expect![[r#"
        GatewayConfig {
            listen: Tcp(
                127.0.0.1:8808,
            ),
            socket_mode: 384,
            sse: false,
            admin: Some(
                127.0.0.1:8809,
            ),
            separator: "_",
            name_max: 128,
            key: None,
            hosts: [],
            origins: [],
            instructions: None,
            state: Unsaid,
            watch: true,
            limits: Limits {
                body_bytes_max: 16777216,
                header_read_timeout: 10s,
                write_timeout: 30s,
                connections_max: 4096,
                calls_in_flight_max: 10000,
                sessions_max: 10000,
                session_idle: 3600s,
                session_age_max: 2592000s,
                sessions_ended_max: 1000000,
                page_entries: 1000,
                listens_max: 10000,
                question_wait: 600s,
                rounds_max: 16,
                replay_events_max: 1000,
                replay_bytes_max: 1048576,
                stream_after: 2s,
                drain: 10s,
                settle: 5s,
                catalog_ttl: 60s,
                starts_max: 8,
            },
        }
    "#]]
    .assert_debug_eq(&config.gateway);
}

/// A mount of which only the child is said, up to how it is shared and from there on.
fn bare_mount() -> [String; 2] {
    let text = format!("{:#?}\n", MountConfig::new("notes", in_process("notes")));
    let (before, after) = text.split_once("    sharing: ").unwrap();
    [before.to_owned(), format!("    sharing: {after}")]
}

#[test]
fn a_mount_of_which_only_the_child_is_said_has_the_defaults() {
    expect![[r#"
        MountConfig {
            name: "notes",
            prefix: "notes",
            enabled: true,
            link: InProcess {
                child: "notes",
                options: Options {
                    folder: "",
                    ..
                },
            },
            replicas: [],
            tells_caller: false,
            transport: Auto,
            era: Auto,
            timeout: 60s,
            timeout_max: 600s,
            timeout_connect: 10s,
            timeout_start: 30s,
            probe_wait: 3s,
            calls_in_flight_max: 256,
            calls_queued_max: 256,
            queue_wait: 5s,
            bytes_in_flight_max: 268435456,
            answer_bytes_max: 268435456,
            retries: 2,
            retries_percent: 20,
            retries_floor: 10,
            trust_annotations: false,
            parked_max: 64,
            running: Running {
                start: Eager,
                stop_idle: None,
            },
    "#]]
    .assert_eq(&bare_mount()[0]);
}

#[test]
fn a_mount_of_which_only_the_child_is_said_is_shared_and_looked_after_by_default() {
    expect![[r#"
            sharing: Sharing {
                share: All,
                links_max: 16,
                link_idle: 600s,
                interactive: false,
                given_up_wait: 2s,
                roots: [],
            },
            result_bytes_max: 67108864,
            pages_max: 1000,
            entries_max: 50000,
            resources: Rewrite,
            health: Health {
                probe_every: 30s,
                probe_timeout: 10s,
                failures_max: 5,
                failures_percent: 50,
                window: 30s,
                window_calls: 20,
                pause: 500ms,
                pause_max: 60s,
                unauthorized_every: 900s,
                dials_per_hour: 30,
            },
            tools: Shape {
                hide: [],
                rename: [],
            },
            prompts: Shape {
                hide: [],
                rename: [],
            },
        }
    "#]]
    .assert_eq(&bare_mount()[1]);
}

#[test]
fn mounts_stand_in_the_order_of_the_file() {
    let text = "\
[mounts.zebra]
in_process = \"notes\"
[mounts.ant.tools]
hide = [\"x\"]
[mounts.monkey]
in_process = \"notes\"
prefix = \"\"
[mounts.ant]
in_process = \"notes\"
[mounts.bee]
in_process = \"notes\"
prefix = \"\"
";
    let config = load_given(&Given { text, ..Given::default() }).unwrap().config;
    let names: Vec<&str> = config.mounts.iter().map(|mount| mount.name.as_str()).collect();
    assert_eq!(names, ["zebra", "monkey", "ant", "bee"]);
}

#[test]
fn every_key_can_be_set() {
    let text = "\
[gateway]
listen = \"localhost:0\"
admin = \"off\"
separator = \"__\"
hosts = [\"Example.com:80\", \"[::1]\"]
origins = [\"HTTPS://App.example.com\", \"vscode-webview://abc\"]

[gateway.limits]
body_bytes_max = 2048
drain = \"0s\"

[mounts.a]
command = \"/opt/My Programs/server\"
cwd = \"sub\"
start = \"lazy\"
stop_idle = \"10m\"
prefix = \"b\"
era = \"modern\"
resources = \"keep\"
timeout = \"500ms\"
timeout_max = \"1d\"
result_bytes_max = \"1KiB\"
prompts = { rename = { a = \"A b\" } }

[mounts.c]
prefix = \"b\"
in_process = \"notes\"
enabled = false
";
    let config = load_given(&Given { text, ..Given::default() }).unwrap().config;
    assert_eq!(config.gateway.listen, Listen::Tcp("127.0.0.1:0".parse().unwrap()));
    assert_eq!(config.gateway.admin, None);
    assert_eq!(config.gateway.hosts, ["example.com:80", "[::1]"]);
    assert_eq!(config.gateway.origins, ["https://app.example.com", "vscode-webview://abc"]);
    assert_eq!(config.gateway.limits.drain, Duration::ZERO);
    let mount = &config.mounts[0];
    assert_eq!((mount.era, mount.resources), (EraPin::Modern, Resources::Keep));
    assert_eq!((mount.timeout, mount.result_bytes_max), (Duration::from_millis(500), 1024));
    let lazy = Running { start: Start::Lazy, stop_idle: Some(Duration::from_secs(600)) };
    assert_eq!(mount.running, lazy);
    let LinkConfig::Process { cwd, .. } = &mount.link else { panic!("a process") };
    let Source::File(file) = &config.source else { panic!("a file") };
    assert_eq!(cwd.as_deref(), Some(file.parent().unwrap().join("sub").as_path()));
}

#[test]
fn patterns_match_whole_names() {
    let matches = |pattern: &str, name: &str| Glob::new(pattern).unwrap().matches(name);
    for (pattern, name) in [
        ("*", ""),
        ("a", "a"),
        ("a*", "a"),
        ("*_admin", "x_admin"),
        ("*_admin", "_admin_admin"),
        ("?ä?", "öäü"),
        ("a*b*c", "a_b_b_c"),
        ("**", "x"),
    ] {
        assert!(matches(pattern, name), "{pattern} {name}");
    }
    for (pattern, name) in
        [("a", ""), ("a", "ab"), ("?", ""), ("*b", "ba"), ("a*b*c", "a_c_b"), ("A", "a")]
    {
        assert!(!matches(pattern, name), "{pattern} {name}");
    }
    // Were it exponential, this would not end.
    assert!(!matches(&"a*".repeat(128), &"a".repeat(127)));
}
