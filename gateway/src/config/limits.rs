//! `[gateway.limits]`: a bound on everything that faces the clients.

use std::time::Duration;

use super::keys::{
    BODY_BYTES_MAX, CATALOG_TTL, CONNECTIONS_MAX, DRAIN, GATEWAY_CALLS_IN_FLIGHT_MAX,
    HEADER_READ_TIMEOUT, Key, LISTENS_MAX, PAGE_ENTRIES, QUESTION_WAIT, REPLAY_BYTES_MAX,
    REPLAY_EVENTS_MAX, ROUNDS_MAX, SESSION_AGE_MAX, SESSION_IDLE, SESSIONS_ENDED_MAX, SESSIONS_MAX,
    SETTLE, STARTS_MAX, STREAM_AFTER, WRITE_TIMEOUT,
};
use super::quantity;
use super::reading::Reading;
use super::table::Table;

/// Bounds of what faces the clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one request of a client. Default 16 MiB, from 1 KiB to 1 GiB.
    pub body_bytes_max: usize,
    /// Time for a client to send the head of a request. Default 10 s, from 100 ms to 5 min.
    pub header_read_timeout: Duration,
    /// Time in which a client takes no byte of what is sent to it, after which its connection is
    /// closed. Default 30 s, from 100 ms to 1 h.
    pub write_timeout: Duration,
    /// Connections of clients at a time. Default 4096, from 1 to 1 000 000.
    pub connections_max: usize,
    /// Calls at a time, of all clients together. Default 10 000, from 1 to 1 000 000.
    pub calls_in_flight_max: usize,
    /// Sessions of legacy clients with live state. Default 10 000, from 1 to 10 000 000.
    pub sessions_max: usize,
    /// Time without a request after which the live state of a session is forgotten; the session
    /// itself lives on in its id. Default 1 h, from 1 s to 30 d.
    pub session_idle: Duration,
    /// Age at which a session id is refused. Default 30 d, from 1 min to 365 d.
    pub session_age_max: Duration,
    /// Ended session ids that are kept until they are too old; one more cannot be ended. Default
    /// 1 000 000, from 1 to 10 000 000.
    pub sessions_ended_max: usize,
    /// Entries of a list in one page to a client. Default 1000, from 1 to 100 000.
    pub page_entries: usize,
    /// Open streams of notifications to clients; the subscriptions of a legacy session are one,
    /// at most 1000. Default 10 000, from 1 to 1 000 000.
    pub listens_max: usize,
    /// How long a client may take to answer what a child asks it, and to come back with the
    /// answers. Default 10 min, from 100 ms to 1 d.
    pub question_wait: Duration,
    /// Times that a legacy client is asked in one call of a modern child. Default 16, from 1 to
    /// 1000.
    pub rounds_max: usize,
    /// Events of the streams of one legacy session that are kept for a client whose connection
    /// broke. Default 1000, from 0 to 100 000.
    pub replay_events_max: usize,
    /// Bytes of them. Default 1 MiB, from 0 to 1 GiB.
    pub replay_bytes_max: usize,
    /// Time without an answer after which a call of 2025-11-25 gets a stream that it can take up
    /// again. Default 2 s, from 0 to 1 d.
    pub stream_after: Duration,
    /// Time for calls in flight to end at shutdown. Default 10 s, from 0 to 10 min.
    pub drain: Duration,
    /// How long the first list waits for the first answers of the mounts. Default 5 s, from 0 to
    /// 5 min.
    pub settle: Duration,
    /// The `ttlMs` of lists that clients are told. Default 60 s, from 0 to 1 d.
    pub catalog_ttl: Duration,
    /// Child processes that start at a time. Default 8, from 1 to 1000.
    pub starts_max: usize,
}

/// Takes the limits out of their table.
pub(super) fn read(mut table: Table, reading: &mut Reading<'_>) -> Limits {
    let limits = Limits {
        body_bytes_max: table.bytes(&BODY_BYTES_MAX, reading),
        header_read_timeout: time(&mut table, &HEADER_READ_TIMEOUT, reading),
        write_timeout: time(&mut table, &WRITE_TIMEOUT, reading),
        connections_max: table.count(&CONNECTIONS_MAX, reading),
        calls_in_flight_max: table.count(&GATEWAY_CALLS_IN_FLIGHT_MAX, reading),
        sessions_max: table.count(&SESSIONS_MAX, reading),
        session_idle: time(&mut table, &SESSION_IDLE, reading),
        session_age_max: time(&mut table, &SESSION_AGE_MAX, reading),
        sessions_ended_max: table.count(&SESSIONS_ENDED_MAX, reading),
        page_entries: table.count(&PAGE_ENTRIES, reading),
        listens_max: table.count(&LISTENS_MAX, reading),
        question_wait: time(&mut table, &QUESTION_WAIT, reading),
        rounds_max: table.count(&ROUNDS_MAX, reading),
        replay_events_max: table.count(&REPLAY_EVENTS_MAX, reading),
        replay_bytes_max: table.bytes(&REPLAY_BYTES_MAX, reading),
        stream_after: time(&mut table, &STREAM_AFTER, reading),
        drain: time(&mut table, &DRAIN, reading),
        settle: time(&mut table, &SETTLE, reading),
        catalog_ttl: time(&mut table, &CATALOG_TTL, reading),
        starts_max: table.count(&STARTS_MAX, reading),
    };
    table.close(reading);
    limits
}

/// Takes a duration that nothing else depends on.
fn time(table: &mut Table, key: &Key, reading: &mut Reading<'_>) -> Duration {
    let found = table.time(key, reading);
    quantity::duration(found.map_or(0, |found| found.value))
}
