//! `[mounts.<name>.health]`: when a child counts as sick, and how it is looked after.

use std::time::Duration;

use figment::value::Dict;

use super::keys::{
    DIALS_PER_HOUR, FAILURES_MAX, FAILURES_PERCENT, HEALTH, HEALTH_TABLE, Key, PAUSE, PAUSE_MAX,
    PROBE_EVERY, PROBE_TIMEOUT, UNAUTHORIZED_EVERY, WINDOW, WINDOW_CALLS,
};
use super::quantity;
use super::reading::{Found, Reading};
use super::table::Table;

/// A process costs only this machine: it may be tried every minute.
const PROCESS_PAUSE_MAX: Duration = Duration::from_secs(60);
/// A dead vendor is asked a few times an hour.
const REMOTE_PAUSE_MAX: Duration = Duration::from_secs(15 * 60);

/// When a child counts as sick, and how it is looked after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// A remote child is asked for a sign of life so often. Default 30 s, from 10 ms to 1 d.
    pub probe_every: Duration,
    /// For a sign of life. Default 10 s, from 1 ms to 1 h.
    pub probe_timeout: Duration,
    /// Failures in a row, of calls or signs of life, that shut the gate. Default 5, from 1 to
    /// 1000.
    pub failures_max: usize,
    /// Failed calls of a window, in percent, that shut the gate. Default 50, from 1 to 100.
    pub failures_percent: usize,
    /// How far back these calls are counted. Default 30 s, from 100 ms to 1 h.
    pub window: Duration,
    /// Calls in a window from which on the percentage says something. Default 20, from 1 to
    /// 1 000 000.
    pub window_calls: usize,
    /// Before a sick child is tried again, twice as long each time. Default 500 ms, from 1 ms to
    /// 1 h.
    pub pause: Duration,
    /// The longest of these pauses. Default 1 min for a process, 15 min for a remote child, from
    /// 1 ms to 1 d.
    pub pause_max: Duration,
    /// A child that wants another credential is tried again so often. Default 15 min, from 10 ms
    /// to 1 d.
    pub unauthorized_every: Duration,
    /// The most attempts in an hour to reach a remote child that is sick. Default 30, from 1 to
    /// 100 000.
    pub dials_per_hour: usize,
}

/// Takes the table out of that of its mount.
pub(super) fn read(mount: &mut Table, remote: bool, reading: &mut Reading<'_>) -> Health {
    let at = mount.at(&HEALTH_TABLE, reading);
    let mut table = mount.table(&HEALTH_TABLE, reading).unwrap_or_else(|| {
        // Only after a problem: the defaults hold this table always.
        Table::open(Found { value: Dict::new().into(), at }, HEALTH, reading)
    });
    let pause_max = table.time(&PAUSE_MAX, reading);
    let pause_max = pause_max.map(|found| quantity::duration(found.value));
    let health = Health {
        probe_every: time(&mut table, &PROBE_EVERY, reading),
        probe_timeout: time(&mut table, &PROBE_TIMEOUT, reading),
        failures_max: table.count(&FAILURES_MAX, reading),
        failures_percent: table.count(&FAILURES_PERCENT, reading),
        window: time(&mut table, &WINDOW, reading),
        window_calls: table.count(&WINDOW_CALLS, reading),
        pause: time(&mut table, &PAUSE, reading),
        pause_max: pause_max.unwrap_or(if remote { REMOTE_PAUSE_MAX } else { PROCESS_PAUSE_MAX }),
        unauthorized_every: time(&mut table, &UNAUTHORIZED_EVERY, reading),
        dials_per_hour: table.count(&DIALS_PER_HOUR, reading),
    };
    table.close(reading);
    health
}

fn time(table: &mut Table, key: &Key, reading: &mut Reading<'_>) -> Duration {
    let found = table.time(key, reading);
    quantity::duration(found.map_or(0, |found| found.value))
}
