//! The way to a mount's child: compiled in, a process, or a remote server.

use std::collections::BTreeMap;
use std::path::PathBuf;

use http::{HeaderName, HeaderValue};
use protocol::Options;

use super::expand::{self, Expanded};
use super::keys::{
    ARGS, COMMAND, COPIES, CWD, ENV, HEADERS, IN_PROCESS, MOUNT, OPTIONS, PROBE_WAIT, REPLICAS,
    URL, find,
};
use super::kind::{ChildKind, odd_without_effect, refuse_foreign};
use super::options;
use super::reading::{At, Found, Layer, Reading};
use super::secret::Secret;
use super::shown::quoted;
use super::suggest::nearest;
use super::table::{Table, did_you_mean};
use super::way::{Way, unix_path, way_of, without_secrets};

/// The most equal children of one mount.
const REPLICAS_MAX: usize = 64;

/// The way to a child.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LinkConfig {
    /// A child compiled into the gateway.
    InProcess {
        /// The name under which it is compiled in.
        child: String,
        /// Its options, checked by the child.
        options: Options,
    },
    /// A child process.
    Process {
        /// The program, found as the shell finds it.
        command: String,
        /// Its arguments, at most 1000.
        args: Vec<Secret>,
        /// Variables added to its environment, in the order of their names, at most 1000.
        env: Vec<(String, Secret)>,
        /// Its working directory; that of the gateway without one.
        cwd: Option<PathBuf>,
    },
    /// A remote child.
    Http {
        /// Its endpoint, `http:` or `https:`, which may hold a secret.
        url: Secret,
        /// The endpoint for logs: variables are left as `${NAME}`; user, password and query are
        /// left out.
        shown: String,
        /// Headers for every request to it, in the order of their names, at most 1000. Names are
        /// valid, and none is the protocol's or the connection's own.
        headers: Vec<(String, Secret)>,
    },
    /// A remote child over WebSocket.
    WebSocket {
        /// Its endpoint, `ws:` or `wss:`, which may hold a secret.
        url: Secret,
        /// The endpoint for logs, as for HTTP.
        shown: String,
        /// Headers of the request that opens the connection, as for HTTP.
        headers: Vec<(String, Secret)>,
    },
    /// A child behind a Unix socket, on which each message is a line.
    Unix {
        /// Where the socket is.
        path: PathBuf,
    },
}

impl LinkConfig {
    /// Whether the child runs without the gateway: `timeout_connect` counts, not `timeout_start`.
    pub fn is_remote(&self) -> bool {
        matches!(self, Self::Http { .. } | Self::WebSocket { .. } | Self::Unix { .. })
    }
}

/// Takes the ways to the equal children of a mount out of its table: one or several, or none after
/// a problem.
pub(super) fn read(
    table: &mut Table,
    kind: ChildKind,
    reading: &mut Reading<'_>,
) -> Vec<LinkConfig> {
    refuse_foreign(table, kind, reading);
    match kind {
        ChildKind::InProcess => in_process(table, reading).into_iter().collect(),
        ChildKind::Process => {
            let copies = table.count(&COPIES, reading);
            process(table, reading).map_or_else(Vec::new, |link| vec![link; copies])
        }
        ChildKind::Remote => remote(table, reading),
    }
}

/// Takes out all keys about the child, so that only their table is wrong with them.
pub(super) fn discard(table: &mut Table, reading: &Reading<'_>) {
    for key in
        [&IN_PROCESS, &OPTIONS, &COMMAND, &COPIES, &ARGS, &ENV, &CWD, &URL, &REPLICAS, &HEADERS]
    {
        table.take(key, reading);
    }
}

fn in_process(table: &mut Table, reading: &mut Reading<'_>) -> Option<LinkConfig> {
    let found = table.text(&IN_PROCESS, reading)?;
    let children = reading.children;
    if let Some(make) = children.get(found.value.as_str()) {
        let options = options::read(table, make.as_ref(), reading)?;
        return Some(LinkConfig::InProcess { child: found.value, options });
    }
    table.take(&OPTIONS, reading); // Whose they are is not known.
    let names: Vec<&str> = children.keys().copied().collect();
    let near = nearest(&found.value, names.iter().copied());
    let help = match (near, names.as_slice()) {
        (Some(near), _) => did_you_mean(&format!("\"{near}\"")),
        (None, []) => "none is compiled into this program".to_owned(),
        (None, names) => format!("compiled in are: {}", names.join(", ")),
    };
    let message = format!("no child {} is compiled in", quoted(&found.value));
    reading.wrong(&found.at, message, help);
    None
}

fn process(table: &mut Table, reading: &mut Reading<'_>) -> Option<LinkConfig> {
    let command = table.text(&COMMAND, reading);
    let args = table.texts(&ARGS, reading);
    let args = args.into_iter().filter_map(|found| {
        let arg = expand::expanded(&found, reading)?.secret;
        without_nul(&found.at, &arg, reading).then_some(arg)
    });
    let args: Vec<Secret> = args.collect();
    let mut env = Vec::new();
    for (name, found) in table.entries(&ENV, reading) {
        warn_of_stray(&name, &found.at, "a variable", reading);
        let at = found.at.clone();
        if name.is_empty() || name.contains(['=', '\0']) {
            let message = "the name of a variable is not empty and has no `=` in it";
            reading.wrong(&at.key(), message, "");
        }
        if let Some(value) = expand::secret(found, reading)
            && without_nul(&at, &value, reading)
        {
            env.push((name, value));
        }
    }
    env.sort_by(|(one, _): &(String, _), (other, _)| one.cmp(other));
    let cwd = table.text(&CWD, reading);
    let cwd = match cwd {
        Some(found) if plain(&found, reading) => Some(reading.folder.join(found.value)),
        _ => None,
    };
    let command = command.filter(|found| program(found, reading))?.value;
    Some(LinkConfig::Process { command, args, env, cwd })
}

/// Whether a program's name is one, rather than a whole command line.
fn program(found: &Found<String>, reading: &mut Reading<'_>) -> bool {
    if !plain(found, reading) {
        return false;
    }
    if !is_command_line(&found.value) {
        return true;
    }
    let message = "expected a program alone, found a whole command line";
    let program = found.value.split_whitespace().next().unwrap_or_default();
    // What follows is not repeated, nor is a variable: either may be a token.
    let help = match program.contains('=') {
        true => "put variables into `env` and arguments into `args`".to_owned(),
        false => format!("{} and put the rest into `args`", found.at.write(&quoted(program))),
    };
    reading.wrong(&found.at, message, help);
    false
}

/// Whether a text is a program and its arguments: a path may hold spaces, a bare name does not.
pub(super) fn is_command_line(text: &str) -> bool {
    let text = text.trim_start();
    let end = text.find(char::is_whitespace);
    end.is_some_and(|end| !text.get(..end).unwrap_or_default().contains(['/', '\\']))
}

/// Whether a text that is taken as it is holds nothing that people expect to be replaced.
fn plain(found: &Found<String>, reading: &mut Reading<'_>) -> bool {
    let text = &found.value;
    let message = if text.is_empty() || text.contains('\0') {
        "expected a text that is not empty"
    } else if text.contains("${") {
        "variables are not replaced here, only in `args`, `env`, `url`, `headers` and `key`"
    } else if text.starts_with("~/") {
        "`~` is not replaced"
    } else {
        return true;
    };
    reading.wrong(&found.at, message, "write it in full");
    false
}

fn without_nul(at: &At, secret: &Secret, reading: &mut Reading<'_>) -> bool {
    let is_good = !secret.expose().contains('\0');
    if !is_good {
        reading.wrong(at, "a NUL character cannot be handed to a process", "remove it");
    }
    is_good
}

/// Warns of a key of the mount that stands below the header of another table.
fn warn_of_stray(name: &str, at: &At, what: &str, reading: &mut Reading<'_>) {
    if at.layer == Layer::File && find(MOUNT, name).is_some_and(|key| key.name != "env") {
        let message = format!("this is {what} called `{name}`, not the mount's `{name}`");
        let help = "if the mount is meant, move the line above the header of this table";
        reading.odd(&at.key(), message, help);
    }
}

fn remote(table: &mut Table, reading: &mut Reading<'_>) -> Vec<LinkConfig> {
    let is_several = table.has(&REPLICAS, reading);
    let at = table.at(&REPLICAS, reading);
    let url = table.text(&URL, reading);
    let urls: Vec<_> = url.into_iter().chain(table.texts(&REPLICAS, reading)).collect();
    if is_several && urls.is_empty() {
        reading.wrong(&at, "expected one URL or several, found none", "write [\"https://…\"]");
    }
    if urls.len() > REPLICAS_MAX {
        let message = format!("expected at most {REPLICAS_MAX} replicas, found {}", urls.len());
        reading.wrong(&at, message, "");
    }
    let headers = headers(table, reading);
    let urls = urls.into_iter().take(REPLICAS_MAX);
    let links: Vec<_> = urls.filter_map(|url| endpoint(url, &headers, reading)).collect();
    let over_http = links.iter().all(|link| matches!(link, LinkConfig::Http { .. }));
    if !links.is_empty() && over_http {
        let message = "a child over HTTP answers the probe or fails";
        odd_without_effect(table, &PROBE_WAIT, message, reading);
    }
    links
}

fn endpoint(
    found: Found<String>,
    headers: &[(String, Secret)],
    reading: &mut Reading<'_>,
) -> Option<LinkConfig> {
    let Expanded { secret, template } = expand::expanded(&found, reading)?;
    let shown = without_secrets(&template);
    let mut way = Way::Http;
    if !reading.is_lenient || found.value == template && !template.contains("${") {
        way = way_of(&found.at, &secret, &shown, reading)?;
    }
    Some(match way {
        Way::Http => LinkConfig::Http { url: secret, shown, headers: headers.to_vec() },
        Way::WebSocket => LinkConfig::WebSocket { url: secret, shown, headers: headers.to_vec() },
        Way::Unix => {
            if !headers.is_empty() {
                let message = "a Unix socket carries lines, which take no `headers`";
                reading.wrong(&found.at, message, "remove them");
            }
            let path = unix_path(secret.expose()).unwrap_or_default();
            LinkConfig::Unix { path: reading.folder.join(path) }
        }
    })
}

/// Headers that the connection or the protocol sets itself.
const OWN_HEADERS: &[&str] = &[
    "accept",
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "last-event-id",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "sec-websocket-accept",
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-protocol",
    "sec-websocket-version",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

fn headers(table: &mut Table, reading: &mut Reading<'_>) -> Vec<(String, Secret)> {
    let mut headers = Vec::new();
    let mut seen: BTreeMap<String, At> = BTreeMap::new();
    for (name, found) in table.entries(&HEADERS, reading) {
        warn_of_stray(&name, &found.at, "a header", reading);
        let at = found.at.clone();
        let value = expand::secret(found, reading);
        let lower = name.to_ascii_lowercase();
        if HeaderName::from_bytes(name.as_bytes()).is_err() {
            let message = "this is not the name of a header";
            reading.wrong(&at.key(), message, "write letters, digits and `-`");
        } else if OWN_HEADERS.contains(&lower.as_str()) || lower.starts_with("mcp-") {
            let message = "the gateway sets this header itself";
            reading.wrong(&at.key(), message, "remove it");
        } else if let Some(other) = seen.get(&lower) {
            let message = format!("the same header stands here already ({})", reading.brief(other));
            reading.wrong(&at.key(), message, "upper and lower case are the same: keep one");
        } else if let Some(value) = value.filter(|value| check_value(&at, value, reading)) {
            headers.push((name, value));
        }
        seen.entry(lower).or_insert(at);
    }
    headers.sort_by(|(one, _): &(String, _), (other, _)| one.cmp(other));
    headers
}

fn check_value(at: &At, value: &Secret, reading: &mut Reading<'_>) -> bool {
    let is_good = HeaderValue::from_str(value.expose()).is_ok();
    if !is_good {
        let message = "the value holds a character that no header can carry";
        let help = match value.expose().ends_with(['\n', '\r']) {
            true => "it ends with a line end: cut that off",
            false => "line ends and other control characters cannot be sent",
        };
        reading.wrong(at, message, help);
    }
    is_good
}
