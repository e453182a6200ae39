//! Every key of `routing.toml`: its name, type, default and bounds, each said once.
//!
//! The defaults layer, the reader, the suggestions, what may be printed of a value, and the tables
//! of `docs/routing.md` all come from here.

use super::path::{KeyPath, Step};

/// One key of a table.
#[derive(Debug)]
pub(super) struct Key {
    /// Its name in the file.
    pub(super) name: &'static str,
    /// What its value is.
    pub(super) kind: Kind,
    /// Its default as TOML writes it; empty when it has none.
    pub(super) default: &'static str,
    /// What it is for, in a few words, for the guide.
    pub(super) what: &'static str,
}

/// What the value of a key is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// A text that may be printed.
    Text,
    /// A text that may be printed unless it holds a password or a query.
    Url,
    /// A text that may be printed unless it is a whole command line.
    Program,
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// `true` or `false`.
    Switch,
    /// A whole number, with its bounds.
    Count(u64, u64),
    /// A size, with its bounds in bytes.
    Bytes(u64, u64),
    /// A duration, with its bounds in milliseconds.
    Time(u64, u64),
    /// A list of texts that may be printed.
    Texts,
    /// A text that is secret.
    Secret,
    /// A list of texts that are secret.
    SecretList,
    /// A table of any keys with secret texts.
    SecretTable,
    /// A table of any keys with texts that may be printed.
    TextTable,
    /// A table whose keys the child knows.
    Options,
    /// A table of known keys.
    Table(&'static [&'static Key]),
    /// A table of any keys with tables of known keys.
    Tables(&'static [&'static Key]),
}

/// What stands at a path.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// A table of these keys.
    Table(&'static [&'static Key]),
    /// A table of any keys.
    Open,
    /// The value of this key, or an element of it.
    Leaf(&'static Key),
    /// The value of an entry of an open table; whether it is secret.
    Entry {
        /// Whether its text may not be printed.
        secret: bool,
    },
    /// One of the keys by which a secret says where it is kept: `env`, `file`, `prefix`.
    Reference(&'static Key),
    /// A part of a child's options.
    Option,
    /// Nothing that is known.
    Unknown,
}

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const KIB: u64 = 1 << 10;
const GIB: u64 = 1 << 30;

const fn key(name: &'static str, kind: Kind, default: &'static str, what: &'static str) -> Key {
    Key { name, kind, default, what }
}

/// Defines the keys of one table, and the list of them in the order of the guide.
macro_rules! table {
    ($(#[$about:meta])* $table:ident: $($id:ident = $name:literal, $kind:expr, $default:literal,
        $what:literal;)*) => {
        $(pub(super) static $id: Key = key($name, $kind, $default, $what);)*
        $(#[$about])*
        pub(super) static $table: &[&Key] = &[$(&$id),*];
    };
}

table! {
    /// The root of the file.
    ROOT:
    GATEWAY_TABLE = "gateway", Kind::Table(GATEWAY), "", "what faces the clients";
    MOUNTS_TABLE = "mounts", Kind::Tables(MOUNT), "", "the children, each under its name";
}

table! {
    /// `[gateway]`
    GATEWAY:
    LISTEN = "listen", Kind::Text, "\"127.0.0.1:8808\"",
        "address and port of the endpoints `/mcp` and `/mcp/<prefix>`; `localhost:<port>` or \
        `unix:<path>` too";
    SOCKET_MODE = "socket_mode", Kind::Choice(&["600", "660", "666"]), "\"600\"",
        "who may use the Unix socket of `listen`: its owner, its group, everybody";
    SSE = "sse", Kind::Switch, "false",
        "whether `/sse` and `/messages` serve clients of 2024-11-05 (HTTP+SSE), too";
    ADMIN = "admin", Kind::Text, "\"127.0.0.1:8809\"",
        "address and port of `/live`, `/ready`, `/mounts`; `\"off\"` for none";
    SEPARATOR = "separator", Kind::Choice(&["_", "__", "-", "."]), "\"_\"",
        "stands between prefix and name";
    NAME_MAX = "name_max", Kind::Count(16, 256), "128",
        "characters of the longest name shown to clients; longer ones are shortened by a hash";
    KEY = "key", Kind::Secret, "",
        "at least 32 characters; seals session ids, so that a restart keeps sessions";
    HOSTS = "hosts", Kind::Texts, "[]",
        "`Host` values accepted besides loopback names and the address of `listen`; \
        `\"*\"` for all";
    ORIGINS = "origins", Kind::Texts, "[]",
        "`Origin` values accepted besides loopback ones; `\"*\"` for all";
    INSTRUCTIONS = "instructions", Kind::Text, "",
        "put first in the instructions that clients get; at most 64 KiB";
    STATE = "state", Kind::Text, "",
        "folder of what outlives the gateway: last good catalogs, and what legacy sessions keep; \
        `\"off\"` for none";
    WATCH = "watch", Kind::Switch, "true",
        "`gateway run` reloads when the file changes; SIGHUP and `POST /reload` always do";
    LIMITS_TABLE = "limits", Kind::Table(LIMITS), "", "a bound on everything";
}

table! {
    /// `[gateway.limits]`
    LIMITS:
    BODY_BYTES_MAX = "body_bytes_max", Kind::Bytes(KIB, GIB), "\"16MiB\"",
        "one request of a client";
    HEADER_READ_TIMEOUT = "header_read_timeout", Kind::Time(100, 5 * MINUTE), "\"10s\"",
        "for a client to send the head of a request";
    WRITE_TIMEOUT = "write_timeout", Kind::Time(100, HOUR), "\"30s\"",
        "in which a client takes no byte of what is sent to it, after which it is cut off";
    CONNECTIONS_MAX = "connections_max", Kind::Count(1, 1_000_000), "4096",
        "connections of clients at a time";
    GATEWAY_CALLS_IN_FLIGHT_MAX = "calls_in_flight_max", Kind::Count(1, 1_000_000), "10000",
        "calls at a time, of all clients together";
    SESSIONS_MAX = "sessions_max", Kind::Count(1, 10_000_000), "10000",
        "sessions of legacy clients with live state";
    SESSION_IDLE = "session_idle", Kind::Time(SECOND, 30 * DAY), "\"1h\"",
        "without a request, after which the live state of a session is forgotten";
    SESSION_AGE_MAX = "session_age_max", Kind::Time(MINUTE, 365 * DAY), "\"30d\"",
        "after which a session id is refused";
    SESSIONS_ENDED_MAX = "sessions_ended_max", Kind::Count(1, 10_000_000), "1000000",
        "ended session ids that are kept until they are too old; then sessions cannot be ended";
    PAGE_ENTRIES = "page_entries", Kind::Count(1, 100_000), "1000",
        "entries of a list in one page to a client";
    LISTENS_MAX = "listens_max", Kind::Count(1, 1_000_000), "10000",
        "open streams of notifications to clients; the subscriptions of a legacy session are one";
    QUESTION_WAIT = "question_wait", Kind::Time(100, DAY), "\"10m\"",
        "for a client to answer what a child asks it, and to come back with the answers";
    ROUNDS_MAX = "rounds_max", Kind::Count(1, 1000), "16",
        "times that a legacy client is asked in one call of a modern child";
    REPLAY_EVENTS_MAX = "replay_events_max", Kind::Count(0, 100_000), "1000",
        "events of a legacy session's streams, kept for a client whose connection broke";
    REPLAY_BYTES_MAX = "replay_bytes_max", Kind::Bytes(KIB, GIB), "\"1MiB\"",
        "bytes of them";
    STREAM_AFTER = "stream_after", Kind::Time(0, DAY), "\"2s\"",
        "without an answer; then a call of 2025-11-25 gets a stream that it can take up again";
    DRAIN = "drain", Kind::Time(0, 10 * MINUTE), "\"10s\"",
        "for calls in flight to end at shutdown";
    SETTLE = "settle", Kind::Time(0, 5 * MINUTE), "\"5s\"",
        "the first list waits for the first answers of the mounts";
    CATALOG_TTL = "catalog_ttl", Kind::Time(0, DAY), "\"60s\"",
        "the `ttlMs` of lists that clients are told";
    STARTS_MAX = "starts_max", Kind::Count(1, 1000), "8",
        "child processes that start at a time; the others wait for their turn";
}

table! {
    /// `[mounts.<name>]`
    MOUNT:
    IN_PROCESS = "in_process", Kind::Text, "", "the child compiled in under this name";
    COMMAND = "command", Kind::Program, "", "the program of a child process";
    ARGS = "args", Kind::SecretList, "[]", "its arguments";
    ENV = "env", Kind::SecretTable, "{}", "variables added to its environment";
    CWD = "cwd", Kind::Text, "",
        "its working directory, seen from the folder of the file; the gateway's own unless given";
    COPIES = "copies", Kind::Count(1, 64), "1",
        "processes of it that run: equal replicas, between which calls are balanced";
    START = "start", Kind::Choice(&["eager", "lazy"]), "\"eager\"",
        "child process: started at once, or by the first call that needs it";
    STOP_IDLE = "stop_idle", Kind::Time(SECOND, 30 * DAY), "",
        "child process: stopped after so long without use, started again by the next call; never \
        unless given";
    URL = "url", Kind::Url, "",
        "where a remote child is: `http:`, `https:`, `ws:`, `wss:`, or `unix:` with a path";
    REPLICAS = "replicas", Kind::SecretList, "[]",
        "in place of `url`: the endpoints of equal children, between which calls are balanced";
    HEADERS = "headers", Kind::SecretTable, "{}", "headers sent with every request to it";
    OPTIONS = "options", Kind::Options, "",
        "child compiled in: its own options, see `docs/children.md`; texts may be secret";
    CALLER = "caller", Kind::Choice(&["none", "meta"]), "\"none\"",
        "`meta` tells the child who calls: principal, claims, scopes in \
         `_meta[\"gateway/caller\"]`";
    TRANSPORT = "transport", Kind::Choice(&["auto", "http", "sse"]), "\"auto\"",
        "of a child at an `http:` URL: Streamable HTTP, HTTP+SSE (2024-11-05), or found out";
    PREFIX = "prefix", Kind::Text, "",
        "put before the child's names; `\"\"` for none; the mount's name unless given";
    ENABLED = "enabled", Kind::Switch, "true", "`false` leaves the mount out";
    ERA = "era", Kind::Choice(&["auto", "legacy", "modern"]), "\"auto\"",
        "the era of the child: found out, or pinned";
    TIMEOUT = "timeout", Kind::Time(1, DAY), "\"60s\"", "of a call without progress";
    TIMEOUT_MAX = "timeout_max", Kind::Time(1, 7 * DAY), "\"10m\"",
        "of a call in all; at least `timeout`";
    TIMEOUT_CONNECT = "timeout_connect", Kind::Time(1, 10 * MINUTE), "\"10s\"",
        "remote child: connection, probe and handshake";
    TIMEOUT_START = "timeout_start", Kind::Time(1, HOUR), "\"30s\"",
        "child process: from its start to the end of the handshake";
    PROBE_WAIT = "probe_wait", Kind::Time(1, 5 * MINUTE), "\"3s\"",
        "process, socket, WebSocket: silence after which it counts as legacy; shorter than the \
        time to start or connect";
    CALLS_IN_FLIGHT_MAX = "calls_in_flight_max", Kind::Count(1, 100_000), "256",
        "calls at a time to this child";
    CALLS_QUEUED_MAX = "calls_queued_max", Kind::Count(0, 100_000), "256",
        "calls that wait while so many are under way; more are refused";
    QUEUE_WAIT = "queue_wait", Kind::Time(0, HOUR), "\"5s\"", "the longest that they wait";
    BYTES_IN_FLIGHT_MAX = "bytes_in_flight_max", Kind::Bytes(KIB, 64 * GIB), "\"256MiB\"",
        "of the params of all calls to this child at a time";
    ANSWER_BYTES_MAX = "answer_bytes_max", Kind::Bytes(KIB, 64 * GIB), "\"256MiB\"",
        "of its answers that those who called have not taken yet; more calls are refused until \
         then";
    RETRIES = "retries", Kind::Count(0, 20), "2",
        "a call that did nothing for certain, or does no harm twice, is sent again so often";
    RETRIES_PERCENT = "retries_percent", Kind::Count(0, 100), "20",
        "of the calls may be sent again";
    RETRIES_FLOOR = "retries_floor", Kind::Count(0, 10_000), "10",
        "calls a minute may be sent again in any case";
    TRUST_ANNOTATIONS = "trust_annotations", Kind::Switch, "false",
        "whether tools with `readOnlyHint` or `idempotentHint` do no harm twice";
    PARKED_MAX = "parked_max", Kind::Count(0, 100_000), "64",
        "calls at a time that wait at this child while their clients are asked";
    SHARE = "share", Kind::Choice(&["all", "caller", "session"]), "\"all\"",
        "who shares a connection to the child: everybody, the calls of a caller, those of a \
        session";
    LINKS_MAX = "links_max", Kind::Count(1, 10_000), "16",
        "connections beside the first where not everybody shares one";
    LINK_IDLE = "link_idle", Kind::Time(100, 7 * DAY), "\"10m\"",
        "without a call, after which one of these is closed";
    INTERACTIVE = "interactive", Kind::Count(0, 1), "0",
        "`1`: one call at a time on a connection, so that a question is known to belong to it; \
         others wait meanwhile, also while a client is asked (`question_wait`)";
    GIVEN_UP_WAIT = "given_up_wait", Kind::Time(0, HOUR), "\"2s\"",
        "with `interactive = 1`: for a call that was given up to be over at the child, before the \
         next begins";
    ROOTS = "roots", Kind::Texts, "[]",
        "`file:` URIs that a legacy child is told of when no client can be asked for its roots";
    RESULT_BYTES_MAX = "result_bytes_max", Kind::Bytes(KIB, GIB), "\"64MiB\"",
        "one message of the child";
    PAGES_MAX = "pages_max", Kind::Count(1, 100_000), "1000", "pages of one list of the child";
    ENTRIES_MAX = "entries_max", Kind::Count(1, 1_000_000), "50000",
        "entries of one list of the child";
    RESOURCES = "resources", Kind::Choice(&["rewrite", "keep"]), "\"rewrite\"",
        "whether the prefix is put into resource URIs, or these are left as they are";
    HEALTH_TABLE = "health", Kind::Table(HEALTH), "",
        "when it counts as sick, and how it is looked after";
    TOOLS = "tools", Kind::Table(SHAPE), "", "what is seen of the tools";
    PROMPTS = "prompts", Kind::Table(SHAPE), "", "what is seen of the prompts";
}

table! {
    /// `[mounts.<name>.health]`
    HEALTH:
    PROBE_EVERY = "probe_every", Kind::Time(10, DAY), "\"30s\"",
        "remote child: asked for a sign of life so often";
    PROBE_TIMEOUT = "probe_timeout", Kind::Time(1, HOUR), "\"10s\"", "for a sign of life";
    FAILURES_MAX = "failures_max", Kind::Count(1, 1000), "5",
        "failures in a row, of calls or signs of life, that shut its gate";
    FAILURES_PERCENT = "failures_percent", Kind::Count(1, 100), "50",
        "failed calls of a window that shut its gate";
    WINDOW = "window", Kind::Time(100, HOUR), "\"30s\"", "how far back these calls are counted";
    WINDOW_CALLS = "window_calls", Kind::Count(1, 1_000_000), "20",
        "calls in a window from which on their failures say something";
    PAUSE = "pause", Kind::Time(1, HOUR), "\"500ms\"",
        "before a sick child is tried again, twice as long each time";
    PAUSE_MAX = "pause_max", Kind::Time(1, DAY), "",
        "the longest of these pauses; `\"1m\"` for a process and `\"15m\"` for a remote child \
        unless given";
    UNAUTHORIZED_EVERY = "unauthorized_every", Kind::Time(10, DAY), "\"15m\"",
        "a child that wants another credential is tried again so often";
    DIALS_PER_HOUR = "dials_per_hour", Kind::Count(1, 100_000), "30",
        "remote child: the most attempts to reach it while it is sick";
}

table! {
    /// `[mounts.<name>.tools]` and `[mounts.<name>.prompts]`
    SHAPE:
    HIDE = "hide", Kind::Texts, "[]",
        "patterns of the child's names that nobody sees or calls: `*` any text, `?` any character";
    RENAME = "rename", Kind::TextTable, "{}", "other names: `old = \"new\"`";
}

table! {
    /// Where a secret is kept: `{ env = "NAME" }` or `{ file = "path" }`.
    REFERENCE:
    REFERENCE_ENV = "env", Kind::Text, "", "the environment variable that holds it";
    REFERENCE_FILE = "file", Kind::Text, "",
        "the file that holds it, seen from the folder of `routing.toml`; one line end is cut off";
    REFERENCE_PREFIX = "prefix", Kind::Text, "", "put before it, such as `Bearer `";
}

/// What the grammar of the file knows at a path.
pub(super) fn place(path: &KeyPath) -> Place {
    let mut here = Place::Table(ROOT);
    for step in path.steps() {
        here = match (here, step) {
            (Place::Table(keys), Step::Key(name)) => match find(keys, name) {
                Some(key) => of_key(key),
                None => Place::Unknown,
            },
            (Place::Leaf(key), Step::Key(name)) => below(key, name),
            (Place::Option, _) => Place::Option,
            (Place::Entry { secret: true }, Step::Key(name)) => match find(REFERENCE, name) {
                Some(key) => Place::Reference(key),
                None => Place::Unknown,
            },
            (Place::Leaf(key), Step::Index(_)) if is_list(key) => Place::Leaf(key),
            _ => Place::Unknown,
        };
    }
    match here {
        Place::Leaf(Key {
            kind: Kind::SecretTable | Kind::TextTable | Kind::Options | Kind::Tables(_),
            ..
        }) => Place::Open,
        here => here,
    }
}

/// The key of this name, if the table has it.
pub(super) fn find(keys: &'static [&'static Key], name: &str) -> Option<&'static Key> {
    keys.iter().find(|key| key.name == name).copied()
}

fn of_key(key: &'static Key) -> Place {
    match key.kind {
        Kind::Table(keys) => Place::Table(keys),
        _ => Place::Leaf(key),
    }
}

/// What stands in the table that is the value of this key.
fn below(key: &'static Key, name: &str) -> Place {
    match key.kind {
        Kind::SecretTable => Place::Entry { secret: true },
        Kind::TextTable => Place::Entry { secret: false },
        Kind::Options => Place::Option,
        Kind::Tables(keys) => Place::Table(keys),
        Kind::Secret => match find(REFERENCE, name) {
            Some(key) => Place::Reference(key),
            None => Place::Unknown,
        },
        _ => Place::Unknown,
    }
}

fn is_list(key: &Key) -> bool {
    matches!(key.kind, Kind::Texts | Kind::SecretList)
}
