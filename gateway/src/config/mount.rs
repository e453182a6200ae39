//! `[mounts.<name>]`: a child, the prefix it stands at, and how it is treated.

use std::collections::BTreeMap;
use std::time::Duration;

use figment::value::Value;
use protocol::Options;

use super::health::{self, Health};
use super::keys::{
    ANSWER_BYTES_MAX, BYTES_IN_FLIGHT_MAX, CALLER, CALLS_IN_FLIGHT_MAX, CALLS_QUEUED_MAX, ENABLED,
    ENTRIES_MAX, ERA, MOUNT, PAGES_MAX, PARKED_MAX, PREFIX, PROBE_WAIT, PROMPTS, QUEUE_WAIT,
    RESOURCES, RESULT_BYTES_MAX, RETRIES, RETRIES_FLOOR, RETRIES_PERCENT, TIMEOUT, TIMEOUT_CONNECT,
    TIMEOUT_MAX, TIMEOUT_START, TOOLS, TRANSPORT, TRUST_ANNOTATIONS,
};
use super::kind::{self, ChildKind, NoKind};
use super::link::{self, LinkConfig};
use super::quantity::{self, TIME};
use super::reading::{At, Found, Layer, Reading};
use super::running::{self, Running};
use super::shape::{self, Shape};
use super::sharing::{self, Sharing};
use super::shown::{quoted, shown};
use super::suggest::nearest;
use super::table::{Table, did_you_mean};

/// Longest name of a mount and longest prefix, in characters.
const NAME_CHARS_MAX: usize = 31;

/// A child, the prefix it stands at, and how it is treated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountConfig {
    /// The name of its table: a lower-case letter, then at most 30 lower-case letters, digits and
    /// `-`. No two mounts have the same.
    pub name: String,
    /// Put before the child's names, with the grammar of `name`, or empty for none. Default the
    /// name. No two enabled mounts have the same, unless it is empty.
    pub prefix: String,
    /// Whether it is mounted at all. Default true. When false, secrets of `link` that were not
    /// found are empty.
    pub enabled: bool,
    /// The way to the child.
    pub link: LinkConfig,
    /// The ways to the children that are equal to it, between which calls are balanced.
    pub replicas: Vec<LinkConfig>,
    /// Whether the child is told in the metadata who calls. Default not.
    pub tells_caller: bool,
    /// The transport of a child at an `http:` URL. Default found out.
    pub transport: Transport,
    /// The era of the child. Default found out.
    pub era: EraPin,
    /// A call ends after so long without progress. Default 60 s, from 1 ms to 1 d.
    pub timeout: Duration,
    /// A call ends after so long in all. Default 10 min, from 1 ms to 7 d; at least `timeout`.
    pub timeout_max: Duration,
    /// For connection, probe and handshake of a remote child. Default 10 s, from 1 ms to 10 min.
    pub timeout_connect: Duration,
    /// From the start of a child process to the end of its handshake. Default 30 s, from 1 ms to
    /// 1 h.
    pub timeout_start: Duration,
    /// Silence after which a child counts as legacy, unless it is spoken to over HTTP. Default 3 s,
    /// from 1 ms to 5 min; shorter than `timeout_start` or `timeout_connect`.
    pub probe_wait: Duration,
    /// Calls at a time to this child. Default 256, from 1 to 100 000.
    pub calls_in_flight_max: usize,
    /// Calls that wait for one of those to end. Default 256, from 0 to 100 000.
    pub calls_queued_max: usize,
    /// The longest that they wait. Default 5 s, from 0 to 1 h.
    pub queue_wait: Duration,
    /// Bytes of the params of all calls at a time. Default 256 MiB, from 1 KiB to 64 GiB.
    pub bytes_in_flight_max: usize,
    /// Bytes of its answers that those who called have not taken yet. Default 256 MiB, from 1 KiB
    /// to 64 GiB.
    pub answer_bytes_max: usize,
    /// How often a call is sent again that did nothing for certain, or does no harm twice.
    /// Default 2, from 0 to 20.
    pub retries: usize,
    /// Calls that may be sent again, in percent. Default 20, from 0 to 100.
    pub retries_percent: usize,
    /// Calls a minute that may be sent again in any case. Default 10, from 0 to 10 000.
    pub retries_floor: usize,
    /// Whether tools with `readOnlyHint` or `idempotentHint` do no harm twice. Default false.
    pub trust_annotations: bool,
    /// Calls at a time that wait at this child while their clients are asked. Default 64, from 0 to
    /// 100 000.
    pub parked_max: usize,
    /// When a child process runs.
    pub running: Running,
    /// How its callers share the connections to it.
    pub sharing: Sharing,
    /// Bytes of one message of the child. Default 64 MiB, from 1 KiB to 1 GiB.
    pub result_bytes_max: usize,
    /// Pages of one list of the child. Default 1000, from 1 to 100 000.
    pub pages_max: usize,
    /// Entries of one list of the child. Default 50 000, from 1 to 1 000 000.
    pub entries_max: usize,
    /// What happens to the child's URIs. Default rewritten.
    pub resources: Resources,
    /// When it counts as sick, and how it is looked after.
    pub health: Health,
    /// What is seen of its tools.
    pub tools: Shape,
    /// What is seen of its prompts.
    pub prompts: Shape,
}

/// Whether the era of a child is found out or known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EraPin {
    /// Found out when the child is first reached.
    #[default]
    Auto,
    /// Handshake and sessions.
    Legacy,
    /// Stateless.
    Modern,
}

/// The transport of a child at an `http:` URL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// Found out when the child is first reached.
    #[default]
    Auto,
    /// Streamable HTTP.
    Http,
    /// HTTP+SSE, of 2024-11-05.
    Sse,
}

/// What happens to the URIs of a child's resources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Resources {
    /// The prefix is put into them.
    #[default]
    Rewrite,
    /// They are left as they are.
    Keep,
}

/// A mount that was read, and where its prefix was written.
pub(super) struct Mounted {
    pub(super) config: MountConfig,
    prefix_at: At,
}

/// Takes a mount out of its table. After a problem its way to the child means nothing; nobody
/// will see it.
///
/// `others` are the names of all mounts.
pub(super) fn read(
    name: &str,
    found: Found<Value>,
    others: &[String],
    reading: &mut Reading<'_>,
) -> Mounted {
    let at = found.at.key();
    if !is_name(name) {
        let help = format!("rename it: [mounts.{}]", fixed(name).trim_matches('"'));
        refuse_name(name, &at, help, reading);
    }
    let is_told = !matches!(found.value, Value::Dict(..));
    let mut table = Table::open(found, MOUNT, reading);
    let enabled = table.switch(&ENABLED, reading);
    reading.is_lenient = !enabled;
    let kind = kind::kind(&table, reading);
    let mut links = match kind {
        Ok(kind) => link::read(&mut table, kind, reading),
        Err(_) => {
            link::discard(&mut table, reading);
            Vec::new()
        }
    }
    .into_iter();
    let link = links.next();
    reading.is_lenient = false;
    let prefix = prefix(name, &mut table, reading);
    // A mount without its way to a child is read to the end all the same: all problems at once.
    let nowhere = LinkConfig::InProcess { child: String::new(), options: Options::default() };
    let mut config = policy(name, link.unwrap_or(nowhere), kind.ok(), &mut table, reading);
    config.prefix = prefix.value;
    config.enabled = enabled;
    config.replicas = links.collect();
    let meant = table.close(reading);
    let is_misspelled = CHILD_KEYS.iter().any(|key| meant.contains(key));
    if kind == Err(NoKind::None) && !is_misspelled && !is_told {
        refuse_without_child(name, &at, others, reading);
    }
    Mounted { config, prefix_at: prefix.at }
}

/// Takes everything but the child, the prefix and `enabled`.
pub(super) fn policy(
    name: &str,
    link: LinkConfig,
    kind: Option<ChildKind>,
    table: &mut Table,
    reading: &mut Reading<'_>,
) -> MountConfig {
    let times = times(kind, table, reading);
    let era = table.choice(&ERA, reading).map(|found| found.value);
    MountConfig {
        name: name.to_owned(),
        prefix: name.to_owned(),
        enabled: true,
        link,
        replicas: Vec::new(),
        tells_caller: table.choice(&CALLER, reading).is_some_and(|found| found.value == "meta"),
        transport: match table.choice(&TRANSPORT, reading).map(|found| found.value) {
            Some("http") => Transport::Http,
            Some("sse") => Transport::Sse,
            _ => Transport::Auto,
        },
        era: match era {
            Some("legacy") => EraPin::Legacy,
            Some("modern") => EraPin::Modern,
            _ => EraPin::Auto,
        },
        timeout: times.call,
        timeout_max: times.call_max,
        timeout_connect: times.connect,
        timeout_start: times.start,
        probe_wait: times.probe,
        calls_in_flight_max: table.count(&CALLS_IN_FLIGHT_MAX, reading),
        calls_queued_max: table.count(&CALLS_QUEUED_MAX, reading),
        queue_wait: times.queue,
        bytes_in_flight_max: table.bytes(&BYTES_IN_FLIGHT_MAX, reading),
        answer_bytes_max: table.bytes(&ANSWER_BYTES_MAX, reading),
        retries: table.count(&RETRIES, reading),
        retries_percent: table.count(&RETRIES_PERCENT, reading),
        retries_floor: table.count(&RETRIES_FLOOR, reading),
        trust_annotations: table.switch(&TRUST_ANNOTATIONS, reading),
        parked_max: table.count(&PARKED_MAX, reading),
        running: running::read(table, reading),
        sharing: sharing::read(table, reading),
        result_bytes_max: table.bytes(&RESULT_BYTES_MAX, reading),
        pages_max: table.count(&PAGES_MAX, reading),
        entries_max: table.count(&ENTRIES_MAX, reading),
        resources: match table.choice(&RESOURCES, reading).map(|found| found.value) {
            Some("keep") => Resources::Keep,
            _ => Resources::Rewrite,
        },
        health: health::read(table, kind == Some(ChildKind::Remote), reading),
        tools: shape::read(table, &TOOLS, reading),
        prompts: shape::read(table, &PROMPTS, reading),
    }
}

/// The keys that name a child.
const CHILD_KEYS: [&str; 4] = ["in_process", "command", "url", "replicas"];

struct Times {
    call: Duration,
    call_max: Duration,
    connect: Duration,
    start: Duration,
    probe: Duration,
    queue: Duration,
}

/// Takes the times, of which some depend on each other.
fn times(kind: Option<ChildKind>, table: &mut Table, reading: &mut Reading<'_>) -> Times {
    let call = table.time(&TIMEOUT, reading);
    let call_max = table.time(&TIMEOUT_MAX, reading);
    let connect = table.time(&TIMEOUT_CONNECT, reading);
    let start = table.time(&TIMEOUT_START, reading);
    let probe = table.time(&PROBE_WAIT, reading);
    let queue = table.time(&QUEUE_WAIT, reading);
    if let (Some(call), Some(call_max)) = (&call, &call_max)
        && call.value > call_max.value
    {
        refuse_order(call, "longer than", call_max, reading);
    }
    let start_or_connect = match kind {
        Some(ChildKind::Process) => &start,
        Some(ChildKind::Remote) => &connect,
        _ => &None,
    };
    // Over HTTP the probe has no wait of its own, which only counts when somebody sets it.
    let probe_counts =
        |probe: &Found<u64>| kind == Some(ChildKind::Process) || probe.at.layer != Layer::Default;
    if let (Some(probe), Some(start)) = (&probe, start_or_connect)
        && probe_counts(probe)
        && probe.value >= start.value
    {
        refuse_order(probe, "not shorter than", start, reading);
    }
    let duration = |found: Option<Found<u64>>| quantity::duration(found.map_or(0, |f| f.value));
    Times {
        call: duration(call),
        call_max: duration(call_max),
        connect: duration(connect),
        start: duration(start),
        probe: duration(probe),
        queue: duration(queue),
    }
}

/// Notes that a duration is too long beside another, at the one that somebody wrote.
fn refuse_order(short: &Found<u64>, is: &str, long: &Found<u64>, reading: &mut Reading<'_>) {
    let name = |found: &Found<u64>| {
        let key = found.at.path.keys().last().copied().unwrap_or_default();
        format!(
            "`{key}` = \"{}\"{}",
            TIME.write(found.value),
            match found.at.layer {
                Layer::Default => " (the default)",
                _ => "",
            }
        )
    };
    let message = format!("{} is {is} {}", name(short), name(long));
    let at = if short.at.layer == Layer::Default { &long.at } else { &short.at };
    reading.wrong(at, message, "change one of the two");
}

/// Takes the prefix, which is the mount's name unless given.
fn prefix(name: &str, table: &mut Table, reading: &mut Reading<'_>) -> Found<String> {
    match table.text(&PREFIX, reading) {
        None => Found { value: name.to_owned(), at: table.at.key() },
        Some(found) => {
            if !found.value.is_empty() && !is_name(&found.value) {
                let help =
                    format!("{}, or \"\" for no prefix", found.at.write(&fixed(&found.value)));
                refuse_name(&found.value, &found.at, help, reading);
            }
            found
        }
    }
}

/// Whether a text has the grammar of names: `[a-z][a-z0-9-]{0,30}`.
///
/// No `_`, so that a name can stand before any separator, and within a URI's scheme.
fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= NAME_CHARS_MAX
        && name.chars().all(plain)
}

/// The nearest name of that grammar, in quotes.
fn fixed(name: &str) -> String {
    let lower = name.to_lowercase();
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let fixed: String = lower.chars().map(plain).collect();
    let start = fixed.trim_matches('-');
    let start = match start.starts_with(|c: char| c.is_ascii_lowercase()) {
        true => start.to_owned(),
        false => format!("m-{start}"),
    };
    let fixed: String = start.chars().take(NAME_CHARS_MAX).collect();
    format!("\"{}\"", fixed.trim_end_matches('-'))
}

fn refuse_name(name: &str, at: &At, help: String, reading: &mut Reading<'_>) {
    let grammar = "a lower-case letter, then at most 30 lower-case letters, digits and `-`";
    reading.wrong(at, format!("expected {grammar}, found {}", quoted(name)), help);
}

fn refuse_without_child(name: &str, at: &At, others: &[String], reading: &mut Reading<'_>) {
    let message = "this mount names no child";
    let near = nearest(name, others.iter().map(String::as_str).filter(|other| *other != name));
    let help = match near {
        // A variable that sets a key of a mount that is not there was meant for another.
        Some(near) if at.layer != Layer::File => {
            did_you_mean(&format!("the mount `{}`", shown(near)))
        }
        _ => "give it one of `in_process`, `command`, `url`".to_owned(),
    };
    reading.wrong(at, message, help);
}

/// Notes enabled mounts that stand at the same prefix.
pub(super) fn refuse_same_prefix(mounts: &[Mounted], reading: &mut Reading<'_>) {
    let mut seen: BTreeMap<&str, &Mounted> = BTreeMap::new();
    let mounts = mounts.iter().filter(|mount| mount.config.enabled);
    for mount in mounts.filter(|mount| !mount.config.prefix.is_empty()) {
        let Some(other) = seen.get(mount.config.prefix.as_str()) else {
            seen.insert(&mount.config.prefix, mount);
            continue;
        };
        let place = reading.brief(&other.prefix_at);
        let (prefix, name) = (shown(&mount.config.prefix), shown(&other.config.name));
        let message = format!("the mount `{name}` has the prefix `{prefix}` already ({place})");
        reading.wrong(&mount.prefix_at, message, "give each mount its own prefix");
    }
}
