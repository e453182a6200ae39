//! The official conformance suite: no scenario that passes directly fails through the gateway.

mod exceptions;
mod suite;
mod table;
mod tasks;

use std::path::Path;

use futures_util::StreamExt;
use futures_util::stream::iter;

use self::exceptions::Exceptions;
use self::suite::{Found, Which};
use self::table::{Checks, Verdicts, alone};
use crate::fixture::Fixture;
use crate::gateway::{Gateway, Source, binary};
use crate::process::Running;
use crate::programs::{Program, Venv, here, python, script};

/// The revisions of the server suite, and what is run of each.
const REVISIONS: [(&str, Which); 4] = [
    ("2025-03-26", Which::All),
    ("2025-06-18", Which::All),
    ("2025-11-25", Which::Required),
    ("2026-07-28", Which::Required),
];

/// The client scenarios without authorization, by revision.
const CLIENT_SCENARIOS: [(&str, &[&str]); 2] = [
    (
        "2025-11-25",
        &[
            "initialize",
            "tools_call",
            "elicitation-sep1034-client-defaults",
            "sse-retry",
            "json-schema-2020-12-preservation",
        ],
    ),
    (
        "2026-07-28",
        &[
            "tools_call",
            "request-metadata",
            "sep-2322-client-request-state",
            "http-standard-headers",
            "http-custom-headers",
            "http-invalid-tool-headers",
            "json-schema-ref-no-deref",
            "json-schema-2020-12-preservation",
        ],
    ),
];

/// In the middle of a call the suite's server asks on the stream that belongs to none.
const ASKS_ASIDE: &str = "elicitation-sep1034-client-defaults";

/// Set to write the table instead of comparing it.
const BLESS: &str = "GATEWAY_BLESS";

const HEAD: &str = "\
# The official conformance suite, through the gateway

Written by the test `conformance` in `tests/real`; do not edit: run it with `GATEWAY_BLESS=1`.

The suite is `@modelcontextprotocol/conformance` 0.2.0-alpha.12. Its server scenarios run against the fixture of the
Python SDK 2.3.0 (`examples/servers/everything-server`), which speaks both eras: directly, then through a gateway that
mounts it without a prefix, once as a modern child and once as a legacy one. Each check that succeeds directly must
succeed through the gateway, as often, and with the same answer. The scenarios of tasks have a section of their own, for
that fixture implements none. The suite's client scenarios run the SDK's client against the suite's test server,
directly and with the gateway in between.

`–`: the fixture itself fails or is not checked, so there is nothing to compare. A number: the exception below.

";

async fn official(fixture: &Fixture) -> (Running, String) {
    let source = script(".everything/examples/servers/everything-server");
    let program = Program::new(python(Venv::Mcp2, "python"), &[&script("conformance/serve.py")]);
    let program = program.env("PYTHONPATH", source);
    let mut running = Running::start(&program, &fixture.path().join("official.txt"));
    let url = running.line_after("url").await;
    (running, url)
}

/// The server suite: directly, through a gateway to a modern child, and to a legacy one.
async fn server_section(verdicts: &mut Verdicts<'_>) -> String {
    let fixture = Fixture::new();
    let (_official, url) = official(&fixture).await;
    let mut gateways = Vec::new();
    for era in ["modern", "legacy"] {
        let fixture = Fixture::new();
        let gateway = Gateway::start_bare(&fixture, Source::Url(url.clone()), era).await;
        gateways.push((era, fixture, gateway));
    }
    let mut text = String::new();
    for (revision, which) in REVISIONS {
        let folder = |name: &str| fixture.path().join(format!("{revision}-{name}"));
        let direct = suite::server(&url, revision, which, &folder("direct")).await;
        assert!(!direct.is_empty(), "the suite ran nothing for {revision}");
        let mut through: Vec<(&str, Found)> = Vec::new();
        for (era, _, gateway) in &gateways {
            let found = suite::server(gateway.url(), revision, which, &folder(era)).await;
            through.push((era, found));
        }
        text.push_str(&format!(
            "## Server scenarios of {revision}\n\n| scenario | directly | modern child | legacy child |\n\
             | --- | --- | --- | --- |\n"
        ));
        for (scenario, checks) in direct.iter().filter(|(scenario, _)| !tasks::has(scenario)) {
            let cells = through.iter().map(|(era, found)| {
                let none = Checks::new();
                let made = found.get(scenario).unwrap_or(&none);
                verdicts.compare(revision, era, scenario, [checks, made])
            });
            let cells: Vec<String> = cells.collect();
            text.push_str(&format!("| {scenario} | {} | {} |\n", alone(checks), cells.join(" | ")));
        }
        text.push('\n');
    }
    for (_, fixture, gateway) in gateways {
        gateway.stop(&fixture).await;
    }
    text
}

/// One client scenario, directly or through the gateway.
async fn client(gateway: &str, scenario: &str, revision: &str, folder: &Path) -> Checks {
    let words = [
        python(Venv::Mcp2, "python").display().to_string(),
        script("conformance/through.py"),
        gateway.to_owned(),
        u8::from(scenario == ASKS_ASIDE).to_string(),
        script(".everything/.github/actions/conformance/client.py"),
    ];
    suite::client(&words.join(" "), scenario, revision, folder).await
}

/// The client suite: the SDK's client directly, and with the gateway in between.
async fn client_section(verdicts: &mut Verdicts<'_>) -> String {
    let fixture = Fixture::new();
    let gateway = binary().display().to_string();
    let place = fixture.path();
    let all = CLIENT_SCENARIOS.iter().flat_map(|(revision, scenarios)| {
        scenarios.iter().map(move |scenario| (*revision, *scenario))
    });
    let runs = all.map(|(revision, scenario)| {
        let (gateway, place) = (gateway.clone(), place.clone());
        async move {
            let folder = |name: &str| place.join(format!("{revision}-{scenario}-{name}"));
            let direct = client("direct", scenario, revision, &folder("direct")).await;
            let through = client(&gateway, scenario, revision, &folder("through")).await;
            (revision, scenario, direct, through)
        }
    });
    let done: Vec<_> = iter(runs).buffered(CLIENTS_AT_ONCE).collect().await;
    let mut text =
        "## Client scenarios\n\n| revision | scenario | directly | through the gateway |\n\
                    | --- | --- | --- | --- |\n"
            .to_owned();
    for (revision, scenario, direct, through) in &done {
        assert!(!direct.is_empty(), "the suite ran nothing of {scenario} for {revision}");
        let cell = verdicts.compare(revision, "suite's", scenario, [direct, through]);
        text.push_str(&format!("| {revision} | {scenario} | {} | {cell} |\n", alone(direct)));
    }
    text.push_str(&format!(
        "\nIn `{ASKS_ASIDE}` the suite's server asks in the middle of a call on the stream\nthat belongs to no call. \
         Nobody can say which client such a question is for, unless one call at a time is let\nthrough: its mount \
         has `interactive = 1`. All others have the defaults.\n"
    ));
    text.push_str(
        "\nThe scenarios `auth/*` are about a client that is sent to an authorization server. The gateway sends \
         its children\nthe credentials of its configuration and follows no such challenge, so they do not apply.\n\n",
    );
    text
}

/// Scenarios that run at once: some only wait.
const CLIENTS_AT_ONCE: usize = 2;

#[tokio::test]
async fn conformance_no_scenario_that_passes_directly_fails_through_the_gateway() {
    let exceptions = Exceptions::read();
    let mut verdicts = Verdicts::new(&exceptions);
    let servers = server_section(&mut verdicts).await;
    let tasks = tasks::section(&mut verdicts).await;
    let clients = client_section(&mut verdicts).await;
    let table = format!("{HEAD}{servers}{tasks}{clients}## Exceptions\n\n{}", exceptions.listed());
    let mut problems = verdicts.problems;
    problems.extend(exceptions.stale(&verdicts.needed));
    assert!(problems.is_empty(), "{} to mend:\n{}", problems.len(), problems.join("\n"));
    let file = here().join("../../docs/conformance.md");
    if std::env::var_os(BLESS).is_some() {
        std::fs::write(&file, &table).expect("the table is written");
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(committed, table, "docs/conformance.md differs: {BLESS}=1 writes it anew");
}
