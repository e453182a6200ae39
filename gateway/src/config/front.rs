//! `[gateway]`: what faces the clients.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use figment::value::Value;
use http::Uri;
use http::uri::Authority;

use super::expand;
use super::keys::{
    ADMIN, HOSTS, INSTRUCTIONS, KEY, Key, LIMITS_TABLE, LISTEN, NAME_MAX, ORIGINS, SEPARATOR,
    SOCKET_MODE, SSE, STATE, WATCH,
};
use super::limits::{self, Limits};
use super::reading::{At, Found, Layer, Reading};
use super::secret::Secret;
use super::shown::quoted;
use super::suggest::nearest;
use super::table::{Table, described, did_you_mean};
use super::way::unix_path;

/// Fewest characters of the key: less can be guessed.
const KEY_CHARS_MIN: usize = 32;

/// Most bytes of the instructions; clients put them into a model's context.
const INSTRUCTIONS_BYTES_MAX: usize = 64 << 10;

/// What faces the clients: addresses, names, sessions and limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayConfig {
    /// Where the endpoints are. Default `127.0.0.1:8808`.
    pub listen: Listen,
    /// Permission bits of the Unix socket of `listen`. Default `0o600`.
    pub socket_mode: u32,
    /// Whether clients of 2024-11-05 are served over HTTP+SSE, too. Default false.
    pub sse: bool,
    /// Address and port of the administration; `None` when it is `"off"`. Default
    /// `127.0.0.1:8809`.
    pub admin: Option<SocketAddr>,
    /// Stands between prefix and name: `_` (default), `__`, `-` or `.`.
    pub separator: String,
    /// Characters of the longest name shown to clients. Default 128, from 16 to 256.
    pub name_max: usize,
    /// Seals session ids; at least 32 characters. Without it the gateway makes one up at its
    /// start.
    pub key: Option<Secret>,
    /// `Host` values, in lower case, accepted besides loopback names and the address of `listen`.
    /// `*` stands for all. Default none.
    pub hosts: Vec<String>,
    /// `Origin` values, in lower case, accepted besides loopback ones. `*` stands for all. Default
    /// none.
    pub origins: Vec<String>,
    /// Put first in the instructions that clients get; at most 64 KiB. Default none.
    pub instructions: Option<String>,
    /// Where the last good catalogs are kept.
    pub state: State,
    /// Whether `gateway run` reloads when the file changes. Default true.
    pub watch: bool,
    /// A bound on everything.
    pub limits: Limits,
}

/// Where a gateway keeps what outlives it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Nobody said: `gateway run` takes a folder of the user's own, all else keeps nothing.
    #[default]
    Unsaid,
    /// Nowhere.
    Off,
    /// In this folder.
    Folder(PathBuf),
}

/// Where the endpoints are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// An address and a port.
    Tcp(SocketAddr),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

/// Takes the gateway out of its table.
pub(super) fn read(mut table: Table, reading: &mut Reading<'_>) -> GatewayConfig {
    let (listen, admin) = addresses(&mut table, reading);
    let socket_mode = table.choice(&SOCKET_MODE, reading).map(|found| found.value);
    let socket_mode = socket_mode.and_then(|mode| u32::from_str_radix(mode, 8).ok());
    let sse = table.switch(&SSE, reading);
    let separator = table.choice(&SEPARATOR, reading);
    let name_max = table.count(&NAME_MAX, reading);
    let key = key(&mut table, reading);
    let hosts = table.texts(&HOSTS, reading);
    let hosts = hosts.into_iter().filter_map(|found| host(&found, reading)).collect::<Vec<_>>();
    if let Some(listen) = &listen
        && matches!(listen.value, Listen::Tcp(at) if at.ip().is_unspecified())
        && hosts.is_empty()
    {
        let message = "other machines can connect, but no `hosts` are allowed";
        let help = "list the names by which clients reach it: hosts = [\"gateway.example.com\"]";
        reading.odd(&listen.at, message, help);
    }
    let origins = table.texts(&ORIGINS, reading);
    let origins = origins.into_iter().filter_map(|found| origin(&found, reading)).collect();
    let instructions = instructions(&mut table, reading);
    let watch = table.switch(&WATCH, reading);
    let state = match table.text(&STATE, reading).map(|found| found.value) {
        None => State::Unsaid,
        Some(text) if text == "off" => State::Off,
        Some(text) => State::Folder(reading.folder.join(text)),
    };
    let limits = table.table(&LIMITS_TABLE, reading).unwrap_or_else(|| {
        // Only after a problem: the defaults hold this table always.
        let empty = Found { value: Value::from(figment::value::Dict::new()), at: table.at.clone() };
        Table::open(empty, super::keys::LIMITS, reading)
    });
    let limits = limits::read(limits, reading);
    table.close(reading);
    GatewayConfig {
        listen: listen.map_or(NOWHERE, |listen| listen.value),
        socket_mode: socket_mode.unwrap_or(SOCKET_MODE_OWNER),
        sse,
        admin,
        separator: separator.map_or("", |separator| separator.value).to_owned(),
        name_max,
        key,
        hosts,
        origins,
        instructions,
        state,
        watch,
        limits,
    }
}

/// Stands for an address that could not be read, until the problem is told.
const NOWHERE: Listen = Listen::Tcp(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0));

/// Stands for a mode that could not be read.
const SOCKET_MODE_OWNER: u32 = 0o600;

fn addresses(
    table: &mut Table,
    reading: &mut Reading<'_>,
) -> (Option<Found<Listen>>, Option<SocketAddr>) {
    let listen = address_text(table, &LISTEN, reading);
    let listen = listen.and_then(|found| listen_of(found, reading));
    let admin = address_text(table, &ADMIN, reading).filter(|found| found.value != "off");
    let Some(admin) = admin else { return (listen, None) };
    let admin = address(&ADMIN, admin, reading);
    if let (Some(listen), Some(admin)) = (&listen, &admin)
        && listen.value == Listen::Tcp(admin.value)
        && admin.value.port() != 0
    {
        // The one that somebody wrote is the one to change.
        let (at, other) = match admin.at.layer {
            Layer::Default => (&listen.at, &admin.at),
            _ => (&admin.at, &listen.at),
        };
        let message = format!("the same address as `{}`", other.path);
        reading.wrong(at, message, "give the two different ports");
    }
    if let Some(admin) = &admin
        && !admin.value.ip().is_loopback()
    {
        let message = "other machines can reach the administration, which asks nobody who they are";
        reading.odd(&admin.at, message, "listen on 127.0.0.1, or write \"off\"");
    }
    (listen, admin.map(|admin| admin.value))
}

/// Reads where the endpoints are; the path of a socket is seen from the folder of the file.
fn listen_of(found: Found<String>, reading: &mut Reading<'_>) -> Option<Found<Listen>> {
    if !found.value.starts_with("unix:") {
        let found = address(&LISTEN, found, reading)?;
        let address = found.value;
        return Some(found.with(Listen::Tcp(address)));
    }
    let Some(path) = unix_path(&found.value) else {
        let message = format!("{} is not the path of a socket", quoted(&found.value));
        reading.wrong(&found.at, message, "write unix:/path/of/the.sock");
        return None;
    };
    let path = reading.folder.join(path);
    Some(found.with(Listen::Unix(path)))
}

/// Takes the text of an address; a bare port is understood well enough to say what to write.
fn address_text(table: &mut Table, key: &Key, reading: &mut Reading<'_>) -> Option<Found<String>> {
    let found = table.take(key, reading)?;
    match &found.value {
        Value::String(_, text) => {
            let text = text.clone();
            Some(found.with(text))
        }
        Value::Num(..) if found.value.to_i128().is_some() => {
            let port = found.value.to_i128().unwrap_or_default();
            let message = format!("expected an address with a port, found {port}");
            let help = match u16::try_from(port) {
                Ok(port) => found.at.write(&format!("\"127.0.0.1:{port}\"")),
                Err(_) => String::new(),
            };
            reading.wrong(&found.at, message, help);
            None
        }
        other => {
            let came = described(other);
            let message = format!("expected an address such as \"127.0.0.1:8808\", found {came}");
            let is_off = key.name == ADMIN.name && matches!(other, Value::Bool(_, false));
            let help = if is_off { found.at.write("\"off\"") } else { String::new() };
            reading.wrong(&found.at, message, help);
            None
        }
    }
}

/// Reads an address; no name but `localhost` is looked up.
fn address(
    key: &Key,
    found: Found<String>,
    reading: &mut Reading<'_>,
) -> Option<Found<SocketAddr>> {
    let text = found.value.trim();
    let local = text.strip_prefix("localhost:").and_then(|port| port.parse::<u16>().ok());
    if let Some(port) = local {
        return Some(found.with(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)));
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(found.with(address));
    }
    let is_admin = key.name == ADMIN.name;
    let off = if is_admin { ", or \"off\"" } else { "" };
    let came = quoted(&found.value);
    let message = format!("expected an address such as {}{off}, found {came}", key.default);
    let help = match is_admin && nearest(text, ["off"]).is_some() {
        true => did_you_mean("\"off\""),
        false => address_meant(text, key, &found.at),
    };
    reading.wrong(&found.at, message, help);
    None
}

/// What to write instead of a text that is nearly an address.
fn address_meant(text: &str, key: &Key, at: &At) -> String {
    let usual = key.default.trim_matches('"').parse().map_or(0, |usual: SocketAddr| usual.port());
    let plain = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let plain = plain.map(|rest| rest.trim_end_matches('/'));
    if let Some(rest) = plain.filter(|rest| rest.parse::<SocketAddr>().is_ok()) {
        at.write(&format!("\"{rest}\""))
    } else if let Ok(ip) = text.parse::<IpAddr>() {
        at.write(&format!("\"{}\"", SocketAddr::new(ip, usual)))
    } else if let Ok(port) = text.strip_prefix(':').unwrap_or(text).parse::<u16>() {
        let one = at.write(&format!("\"127.0.0.1:{port}\""));
        format!("{one} for this machine alone, \"0.0.0.0:{port}\" for every network")
    } else if text.rsplit_once(':').is_some_and(|(_, port)| is_too_high(port)) {
        format!("a port is at most {}", u16::MAX)
    } else {
        "names are not looked up, `localhost` excepted: write an IP address and a port".to_owned()
    }
}

/// Whether this is a number, and one that no port has.
pub(super) fn is_too_high(port: &str) -> bool {
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    digits && !port.is_empty() && port.parse::<u16>().is_err()
}

fn key(table: &mut Table, reading: &mut Reading<'_>) -> Option<Secret> {
    let found = table.take(&KEY, reading)?;
    let at = found.at.clone();
    let key = expand::secret(found, reading)?;
    let chars = key.expose().chars().count();
    if chars < KEY_CHARS_MIN {
        let message = format!("expected at least {KEY_CHARS_MIN} characters, found {chars}");
        reading.wrong(&at, message, "make one, for example with `openssl rand -hex 32`");
    }
    Some(key)
}

fn instructions(table: &mut Table, reading: &mut Reading<'_>) -> Option<String> {
    let found = table.text(&INSTRUCTIONS, reading)?;
    if found.value.len() > INSTRUCTIONS_BYTES_MAX {
        let bytes = found.value.len();
        let message = format!("expected at most {INSTRUCTIONS_BYTES_MAX} bytes, found {bytes}");
        reading.wrong(&found.at, message, "");
    }
    Some(found.value).filter(|text| !text.is_empty())
}

/// Reads a `Host` value: a name or an address, with or without a port.
fn host(found: &Found<String>, reading: &mut Reading<'_>) -> Option<String> {
    let text = found.value.as_str();
    if text == "*" {
        let message = "any web page can reach the gateway under a name of its own";
        reading.odd(&found.at, message, "list the names, unless a proxy before it checks them");
        return Some(found.value.clone());
    }
    let is_plain = |text: &str| !text.contains(['@', '*']);
    let host = text.parse::<Authority>().ok();
    if let Some(host) = host.filter(|host| is_plain(text) && !host.host().is_empty()) {
        return Some(host.as_str().to_lowercase());
    }
    let message = format!("expected a host such as \"example.com\", found {}", quoted(text));
    let url = text.parse::<Uri>().ok();
    let help = match url.as_ref().and_then(Uri::authority).map(Authority::as_str) {
        _ if text.contains('*') => NO_PATTERN.to_owned(),
        Some(host) if is_plain(host) => found.at.write(&quoted(host)),
        _ => String::new(),
    };
    reading.wrong(&found.at, message, help);
    None
}

/// Reads an `Origin` value: scheme, host and port, nothing behind.
fn origin(found: &Found<String>, reading: &mut Reading<'_>) -> Option<String> {
    let text = found.value.as_str();
    if text == "*" || text == "null" {
        let message = "any web page can call the gateway";
        reading.odd(&found.at, message, "list the origins one by one");
        return Some(found.value.clone());
    }
    let url = text.parse::<Uri>().ok();
    let parts = url.as_ref().and_then(|url| Some((url.scheme_str()?, url.authority()?.as_str())));
    let parts = parts.filter(|(_, host)| !host.contains(['@', '*']));
    let plain = parts.map(|(scheme, host)| format!("{scheme}://{host}").to_lowercase());
    if let Some(plain) = plain.clone().filter(|plain| plain.eq_ignore_ascii_case(text)) {
        return Some(plain);
    }
    let came = quoted(text);
    let message = format!("expected an origin such as \"https://app.example.com\", found {came}");
    let help = match plain {
        _ if text.contains('*') => NO_PATTERN.to_owned(),
        Some(plain) => found.at.write(&quoted(&plain)),
        None => String::new(),
    };
    reading.wrong(&found.at, message, help);
    None
}

/// Said where a pattern stands in place of a name.
const NO_PATTERN: &str = "names are no patterns: list them one by one, or write \"*\" for all";
