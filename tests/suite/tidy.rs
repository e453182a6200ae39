//! Tests about the code itself: who may name whom, sizes, words, and what has no place here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use harness::source::{self, Source, files, root, rust_files};

const LINES_FILE_MAX: usize = 500;
const LINES_FUNCTION_MAX: usize = 70;
const CHARS_LINE_MAX: usize = 100;

/// Folders with Rust of ours.
const ALL: &[&str] = &["protocol", "gateway", "upstreams", "template", "tests", "benches", "fuzz"];
/// Those that ship.
const SHIPPED: &[&str] = &["protocol/src", "gateway/src", "upstreams/src"];

/// What the files of a stage may name of `crate::` beside themselves (the design's table).
const STAGES: &[(&str, &[&str])] = &[
    ("call", &[]),
    ("config", &[]),
    ("telemetry", &[]),
    ("listen", &["call", "session", "telemetry"]),
    ("session", &["call", "telemetry"]),
    ("stack", &["call", "config", "telemetry"]),
    ("route", &["call", "telemetry"]),
    ("mount", &["call", "config", "telemetry"]),
    ("connect", &["call", "config", "telemetry"]),
    ("control", &[EVERYTHING]),
    ("gateway", &[EVERYTHING]),
];
const EVERYTHING: &str = "*";
/// The library's root, the program, and the program's private modules.
const PROGRAM: &[&str] = &["main", "program", "args"];

/// Words that must not stand in the code of a stage, and what to do instead.
const BANNED: &[(&[&str], &[&str], &str)] = &[
    (
        &["session"],
        &["hyper", "hyper_util", "http::", "tokio_tungstenite", "tungstenite", "TcpStream"],
        "session/ names no transport: let listen/ hand over what it needs",
    ),
    (
        &["route", "mount", "stack"],
        &["Era", "Version", "legacy", "modern", "Legacy", "Modern"],
        "only session/ and connect/ know the eras: move the difference there",
    ),
    (
        &["route"],
        &["MountSettings", "MountConfig"],
        "route/ knows a mount only as `Mounted` with a `Serve`",
    ),
];

/// File names that stand more than once at the same depth of a crate, each for one thing.
const SAME_WORD: &[(&str, &str)] = &[
    ("legacy.rs", "the legacy era, at each end and on each kind of wire"),
    ("modern.rs", "the modern era, at each end and on each kind of wire"),
    ("probe.rs", "finding out the era of a child, per kind of wire"),
    ("changes.rs", "news of changed lists, per kind of wire"),
    ("subscriptions.rs", "subscriptions to resources, per kind of wire"),
    ("listen.rs", "`subscriptions/listen`, at routing and at a child"),
    ("serve.rs", "the trait `Serve`, and what a mount does for it"),
    ("answer.rs", "what goes back for a request, at each stage that makes it"),
    ("stdio.rs", "standard input and output, at each end"),
    ("websocket.rs", "WebSocket, at each end"),
    ("link.rs", "the way to a child: the trait, and the keys that say where it goes"),
    ("plan.rs", "what a reload would do: found, and shown by the program"),
    ("options.rs", "what a compiled-in child is told by the configuration, per child"),
    ("prompts.rs", "the prompts of a compiled-in child"),
    ("resources.rs", "the resources of a compiled-in child"),
    ("rows.rs", "rows of a source, and rows of an answer of a database"),
    ("store.rs", "what a compiled-in child keeps"),
    ("tools.rs", "the tools of a compiled-in child"),
    ("gateway.rs", "the assembly, and tests of its table in the configuration"),
    ("front.rs", "what faces the clients: the stage, and its configuration"),
];

/// The problems as one text, to be read at once.
fn report(problems: &[String]) {
    assert!(problems.is_empty(), "{} to mend:\n{}", problems.len(), problems.join("\n"));
}

/// Where something is wrong, and what to do.
fn at(source: &Source, place: usize, what: &str) -> String {
    format!("{}:{}: {what}", source.path, source.line(place))
}

/// The stage of a file below `gateway/src`, by the folder or file right below.
fn stage(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("gateway/src/")?;
    let stage = inside.split('/').next()?.trim_end_matches(".rs");
    (stage != "lib").then_some(stage)
}

/// What a file names of its crate: `crate::x`, and `super::…::x` where it leads above its stage.
fn stages_named(source: &Source) -> Vec<(usize, String)> {
    let mut named = source.named_after("crate::");
    let inside = source.path.trim_start_matches("gateway/src/");
    let is_root = inside.ends_with("/mod.rs");
    let depth = inside.matches('/').count() + usize::from(!is_root);
    let chain = "super::".repeat(depth);
    for place in source.places(&chain).into_iter().filter(|place| !source.is_test(*place)) {
        let before = source.code.get(..place).unwrap_or_default();
        if before.ends_with("super::") || inside == "gateway.rs" {
            continue;
        }
        let found = source.named_after(&chain);
        named.extend(found.into_iter().filter(|(at, _)| *at == place));
    }
    named
}

#[test]
fn each_stage_names_only_what_the_design_allows() {
    let mut problems = Vec::new();
    for source in rust_files(&["gateway/src"]) {
        let Some(stage) = stage(&source.path) else { continue };
        if PROGRAM.contains(&stage) {
            continue;
        }
        let Some((_, may)) = STAGES.iter().find(|(name, _)| *name == stage) else {
            problems.push(format!("{}: `{stage}` has no row in STAGES of tidy.rs", source.path));
            continue;
        };
        for (place, name) in stages_named(&source) {
            let known = STAGES.iter().any(|(stage, _)| *stage == name);
            let allowed = name == stage || may.contains(&EVERYTHING) || may.contains(&&*name);
            if known && !allowed {
                let what = format!(
                    "{stage}/ must not name `{name}`, only {may:?}: pass what it needs in \
                     gateway.rs, or move it to call/"
                );
                problems.push(at(&source, place, &what));
            }
            if name == "control" && stage != "gateway" && stage != "control" {
                problems.push(at(&source, place, "only gateway.rs names `control`"));
            }
        }
    }
    report(&problems);
}

#[test]
fn only_the_program_names_the_compiled_in_children() {
    let mut problems = Vec::new();
    for source in rust_files(&["gateway/src", "protocol"]) {
        let program = stage(&source.path).is_some_and(|stage| PROGRAM.contains(&stage));
        for place in source.places("upstreams").into_iter().filter(|_| !program) {
            problems.push(at(&source, place, "only main.rs and program/ name `upstreams`"));
        }
    }
    report(&problems);
}

#[test]
fn no_stage_uses_a_word_that_is_not_its_own() {
    let mut problems = Vec::new();
    for source in rust_files(&["gateway/src"]) {
        let Some(stage) = stage(&source.path) else { continue };
        let here = BANNED.iter().filter(|(stages, ..)| stages.contains(&stage));
        let words = here.flat_map(|(_, words, instead)| words.iter().map(move |w| (w, instead)));
        for (word, instead) in words {
            let places = source.places(word).into_iter().filter(|at| !source.is_test(*at));
            let what = format!("`{word}`: {instead}");
            problems.extend(places.map(|place| at(&source, place, &what)));
        }
    }
    report(&problems);
}

#[test]
fn the_wire_does_no_io() {
    let banned = ["tokio", "std::fs", "std::net", "std::env", "std::process", "async_std"];
    let mut problems = Vec::new();
    for source in rust_files(&["protocol/src"]) {
        for word in banned {
            let places = source.places(word).into_iter().filter(|at| !source.is_test(*at));
            let what = format!("`{word}`: protocol/ has no I/O and no runtime: take bytes instead");
            problems.extend(places.map(|place| at(&source, place, &what)));
        }
    }
    report(&problems);
}

#[test]
fn files_functions_and_lines_are_small() {
    let mut problems = Vec::new();
    for source in rust_files(ALL) {
        let lines = source.text.lines().count();
        if lines > LINES_FILE_MAX {
            let path = &source.path;
            problems.push(format!("{path}:1: {lines} lines, at most {LINES_FILE_MAX}: split it"));
        }
        for function in source.functions().iter().filter(|one| one.lines > LINES_FUNCTION_MAX) {
            problems.push(format!(
                "{}:{}: `{}` has {} lines, at most {LINES_FUNCTION_MAX}: split it by noun",
                source.path, function.line, function.name, function.lines
            ));
        }
        problems.extend(long_lines(&source));
    }
    report(&problems);
}

/// Lines that are too long; in tests a line may be as long as the text in it.
fn long_lines(source: &Source) -> Vec<String> {
    let mut problems = Vec::new();
    let (mut place, lines) = (0, source.text.split('\n').zip(source.code.split('\n')));
    for (line, code) in lines {
        let chars = line.chars().count();
        let test = source.path.starts_with("tests/") || source.is_test(place);
        let text = code != line;
        let comment = line.trim_start().starts_with("//");
        if chars > CHARS_LINE_MAX && !(test && text && !comment) {
            let what = format!("{chars} characters, at most {CHARS_LINE_MAX}: break the line");
            problems.push(at(source, place, &what));
        }
        place += line.len() + 1;
    }
    problems
}

#[test]
fn each_file_says_first_what_it_is_for() {
    let mut problems = Vec::new();
    for source in rust_files(ALL) {
        let first = source.text.lines().next().unwrap_or_default();
        let said = first.strip_prefix("//! ").is_some_and(|text| text.trim().len() > 3);
        if !said {
            problems.push(format!("{}:1: begin with `//!` and one sentence", source.path));
        }
    }
    report(&problems);
}

#[test]
fn the_source_folder_of_the_gateway_lists_stages_only() {
    let entries = fs::read_dir(root().join("gateway/src")).unwrap();
    let mut problems = Vec::new();
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().trim_end_matches(".rs").to_owned();
        let known = STAGES.iter().any(|(stage, _)| *stage == name);
        if !known && name != "lib" && !PROGRAM.contains(&&*name) {
            problems.push(format!("gateway/src/{name}: no stage: move it into the one it serves"));
        }
    }
    report(&problems);
}

#[test]
fn every_file_stands_in_the_module_tree() {
    let sources = rust_files(SHIPPED);
    let mut problems = Vec::new();
    for source in &sources {
        let (folder, name) = source.path.rsplit_once('/').unwrap();
        let (above, module) = match name {
            "lib.rs" | "main.rs" => continue,
            "mod.rs" => folder.rsplit_once('/').unwrap(),
            name => (folder, name.trim_end_matches(".rs")),
        };
        let line = format!("mod {module};");
        let parents = ["mod.rs", "lib.rs", "main.rs"].map(|file| format!("{above}/{file}"));
        let named = sources
            .iter()
            .filter(|parent| parents.contains(&parent.path))
            .any(|parent| !parent.places(&line).is_empty());
        if !named {
            problems.push(format!("{}:1: no `{line}` above it: name or delete it", source.path));
        }
    }
    report(&problems);
}

#[test]
fn one_file_name_is_one_thing() {
    let mut seen: BTreeMap<(String, usize, String), Vec<String>> = BTreeMap::new();
    for path in files(SHIPPED, "rs") {
        let (folder, name) = path.rsplit_once('/').unwrap();
        let crate_name = path.split('/').next().unwrap_or_default().to_owned();
        let depth = folder.matches('/').count();
        if !["mod.rs", "lib.rs", "main.rs"].contains(&name) && !folder.contains("/tests") {
            seen.entry((crate_name, depth, name.to_owned())).or_default().push(path.clone());
        }
    }
    let twice = seen.into_iter().filter(|(_, paths)| paths.len() > 1);
    let unsaid = twice.filter(|((_, _, name), _)| !SAME_WORD.iter().any(|(word, _)| word == name));
    let problems: Vec<String> = unsaid
        .map(|(_, paths)| {
            format!("{}:1: one name for two things: rename, or say in SAME_WORD", paths.join(", "))
        })
        .collect();
    report(&problems);
}

#[test]
fn each_exception_from_a_lint_has_a_reason() {
    let mut problems = Vec::new();
    for source in rust_files(ALL) {
        for start in ["#[allow(", "#[expect(", "#![allow(", "#![expect("] {
            for (place, _) in source.code.match_indices(start) {
                let rest = source.code.get(place..).unwrap_or_default();
                let attribute = rest.split(']').next().unwrap_or_default();
                if !attribute.contains("reason =") {
                    problems.push(at(&source, place, "give it a `reason = \"…\"`"));
                }
            }
        }
    }
    report(&problems);
}

#[test]
fn nothing_is_unfinished_and_nothing_may_panic() {
    let mut problems = Vec::new();
    let everywhere = ["todo!", "unimplemented!", "#[ignore", "dbg!"];
    for source in rust_files(ALL) {
        for word in everywhere {
            let places = source.code.match_indices(word).map(|(place, _)| place);
            let what = format!("`{word}`: finish it or take it out");
            problems.extend(places.map(|place| at(&source, place, &what)));
        }
        if source.text.contains(concat!("TO", "DO")) || source.text.contains(concat!("FIX", "ME")) {
            problems.push(format!("{}:1: a note of what is left to do: do it", source.path));
        }
    }
    let shipped = [".unwrap()", ".expect(", "panic!(", "unreachable!(", ".unwrap_err()"];
    for source in rust_files(SHIPPED) {
        for word in shipped {
            let places = source.code.match_indices(word).map(|(place, _)| place);
            let places = places.filter(|place| !source.is_test(*place));
            let what = format!("`{word}` can panic: return a fault instead");
            problems.extend(places.map(|place| at(&source, place, &what)));
        }
    }
    report(&problems);
}

#[test]
fn every_queue_has_a_bound() {
    let banned = [
        "unbounded_channel",
        "UnboundedSender",
        "UnboundedReceiver",
        "mpsc::unbounded",
        "unbounded()",
        "std::sync::mpsc::channel",
    ];
    let mut problems = Vec::new();
    for source in rust_files(ALL) {
        for word in banned {
            let what = format!("`{word}`: a queue with a bound that has a name, mpsc::channel");
            problems.extend(source.places(word).into_iter().map(|p| at(&source, p, &what)));
        }
    }
    report(&problems);
}

#[test]
fn no_test_waits_for_time_to_pass() {
    let mut problems = Vec::new();
    for source in rust_files(&["tests/suite", "tests/src"]) {
        for word in ["sleep(", "sleep_until("] {
            let what = format!("`{word}`: wait for the event instead");
            problems.extend(source.places(word).into_iter().map(|p| at(&source, p, &what)));
        }
    }
    report(&problems);
}

#[test]
fn each_dependency_says_why_it_is_here() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let from = manifest.find("[workspace.dependencies]").unwrap();
    let section = manifest[from..].split("\n[").next().unwrap();
    let first = manifest[..from].lines().count() + 1;
    let mut problems = Vec::new();
    for (place, line) in section.lines().enumerate() {
        let is_dependency = line.contains(" = ") && !line.starts_with('#');
        let ours = line.contains("path = ");
        let why = line.rsplit_once(" # ").is_some_and(|(_, why)| why.trim().len() > 3);
        if is_dependency && !ours && !why {
            let name = line.split(' ').next().unwrap_or_default();
            problems.push(format!("Cargo.toml:{}: say why `{name}` is here", first + place));
        }
    }
    report(&problems);
}

#[test]
fn links_between_the_documents_lead_somewhere() {
    let mut paths = files(&["docs"], "md");
    let top = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"];
    paths.extend(top.iter().filter(|name| root().join(name).exists()).map(|n| (*n).to_owned()));
    let mut problems = Vec::new();
    for path in paths {
        let text = fs::read_to_string(root().join(&path)).unwrap();
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (place, line) in text.lines().enumerate() {
            for part in line.split("](").skip(1) {
                let link = part.split([')', ' ', '#']).next().unwrap_or_default();
                let away = link.contains("://") || link.starts_with("mailto:") || link.is_empty();
                if !away && !root().join(folder).join(link).exists() {
                    problems.push(format!("{path}:{}: `{link}` is not there", place + 1));
                }
            }
        }
    }
    report(&problems);
}

/// Numbers of `cNNN_` in the names of functions of the project.
fn checks_in_names() -> BTreeSet<u32> {
    let mut numbers = BTreeSet::new();
    for source in rust_files(&["protocol", "gateway", "upstreams", "tests"]) {
        for function in source.functions() {
            for part in function.name.split('_') {
                let digits = part.strip_prefix('c').filter(|digits| digits.len() == 3);
                numbers.extend(digits.and_then(|digits| digits.parse::<u32>().ok()));
            }
        }
    }
    numbers
}

#[test]
fn each_check_of_the_protocol_is_tested_or_says_why_not() {
    let table = fs::read_to_string(root().join("docs/protocol.md")).unwrap();
    let named = checks_in_names();
    let mut problems = Vec::new();
    for number in (1..=100).chain(102..=106).chain(108..=188) {
        let start = format!("| {number} |");
        let Some(row) = table.lines().find(|line| line.starts_with(&start)) else {
            problems.push(format!("docs/protocol.md: no row for check {number}"));
            continue;
        };
        let proof = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default().trim();
        let reason = proof.strip_prefix("not tested:").is_some_and(|why| why.trim().len() > 10);
        if !named.contains(&number) && !reason {
            problems.push(format!(
                "docs/protocol.md: check {number} has no test `c{number:03}_…`: write one, or say \
                 `not tested: why` in its row"
            ));
        }
        if named.contains(&number) && reason {
            problems.push(format!("docs/protocol.md: check {number} is tested: name its test"));
        }
    }
    report(&problems);
}

#[test]
fn each_test_that_the_table_of_checks_names_exists() {
    let table = fs::read_to_string(root().join("docs/protocol.md")).unwrap();
    let sources = rust_files(&["protocol", "gateway", "upstreams", "tests"]);
    let names: BTreeSet<String> =
        sources.iter().flat_map(Source::functions).map(|function| function.name).collect();
    let mut problems = Vec::new();
    for (place, line) in table.lines().enumerate() {
        for name in line.split('`').skip(1).step_by(2).filter(|name| is_test_name(name)) {
            if !names.contains(name) {
                problems.push(format!("docs/protocol.md:{}: no test `{name}`", place + 1));
            }
        }
    }
    report(&problems);
}

fn is_test_name(name: &str) -> bool {
    let digits = name.strip_prefix('c').unwrap_or_default();
    digits.len() > 4 && digits.bytes().take(3).all(|byte| byte.is_ascii_digit())
}

#[test]
fn nothing_committed_names_where_it_was_made() {
    let mut problems = Vec::new();
    let banned = [concat!("/wo", "rk/"), concat!("/home", "/")];
    let mut paths = files(ALL, "rs");
    paths.extend(files(&["docs"], "md"));
    for path in paths {
        let text = fs::read_to_string(source::root().join(&path)).unwrap();
        for (place, line) in text.lines().enumerate() {
            if banned.iter().any(|word| line.contains(word)) {
                problems.push(format!("{path}:{}: a path of one machine", place + 1));
            }
        }
    }
    report(&problems);
}

#[test]
fn c047_unless_told_otherwise_only_this_machine_can_connect() {
    let gateway = gateway::config::GatewayConfig::default();
    assert!(matches!(gateway.listen, gateway::config::Listen::Tcp(at) if at.ip().is_loopback()));
    assert!(gateway.admin.is_none_or(|admin| admin.ip().is_loopback()));
}
