//! The kind of a mount's child, by the key that names it, and the keys of other kinds.

use super::keys::{
    ARGS, COMMAND, COPIES, CWD, ENV, ERA, HEADERS, IN_PROCESS, Key, OPTIONS, PROBE_WAIT, REPLICAS,
    START, STOP_IDLE, TIMEOUT_CONNECT, TIMEOUT_START, URL,
};
use super::reading::Reading;
use super::table::Table;

/// The kinds of children, by the key that makes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChildKind {
    InProcess,
    Process,
    Remote,
}

impl ChildKind {
    /// The keys that make a kind.
    const KEYS: [(&Key, Self); 4] = [
        (&IN_PROCESS, Self::InProcess),
        (&COMMAND, Self::Process),
        (&URL, Self::Remote),
        (&REPLICAS, Self::Remote),
    ];

    fn key(self) -> &'static Key {
        match self {
            Self::InProcess => &IN_PROCESS,
            Self::Process => &COMMAND,
            Self::Remote => &URL,
        }
    }
}

/// Keys that mean something for one kind of child alone, and whether they are wrong elsewhere or
/// only do nothing.
static OF_ONE_KIND: [(&Key, ChildKind, bool); 10] = [
    (&OPTIONS, ChildKind::InProcess, true),
    (&COPIES, ChildKind::Process, true),
    (&ARGS, ChildKind::Process, true),
    (&ENV, ChildKind::Process, true),
    (&CWD, ChildKind::Process, true),
    (&START, ChildKind::Process, true),
    (&STOP_IDLE, ChildKind::Process, true),
    (&HEADERS, ChildKind::Remote, true),
    (&TIMEOUT_START, ChildKind::Process, false),
    (&TIMEOUT_CONNECT, ChildKind::Remote, false),
];

/// The kind of a mount's child, if it says exactly one.
pub(super) fn kind(table: &Table, reading: &mut Reading<'_>) -> Result<ChildKind, NoKind> {
    let mut named: Vec<(&Key, ChildKind)> =
        ChildKind::KEYS.into_iter().filter(|(key, _)| table.has(key, reading)).collect();
    named.sort_by_cached_key(|(key, _)| reading.order(&table.at(key, reading)));
    let ((key, kind), others) = match named.split_first() {
        None => return Err(NoKind::None),
        Some((first, others)) => (*first, others),
    };
    for (other, _) in others {
        let first = table.at(key, reading);
        let place = reading.brief(&first);
        let message =
            format!("a mount has one child, and this one has `{}` already ({place})", key.name);
        let at = table.at(other, reading);
        reading.wrong(&at, message, "make two mounts of them, or remove one of the two keys");
    }
    if others.is_empty() { Ok(kind) } else { Err(NoKind::Several) }
}

/// Why a mount has no kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoKind {
    /// It names no child; nothing was said of it yet.
    None,
    /// It names several.
    Several,
}

/// Notes keys that belong to another kind of child.
pub(super) fn refuse_foreign(table: &mut Table, kind: ChildKind, reading: &mut Reading<'_>) {
    let own = kind.key().name;
    for (key, owner, is_wrong) in OF_ONE_KIND {
        if owner == kind || !table.has(key, reading) {
            continue;
        }
        let at = table.at(key, reading);
        let owner = owner.key().name;
        let message = format!("this belongs to a child with `{owner}`; this one has `{own}`");
        if is_wrong {
            reading.wrong(&at, message, "remove it");
            table.take(key, reading);
        } else {
            reading.odd(&at, message, "it has no effect here: remove it");
        }
    }
    if kind == ChildKind::InProcess {
        odd_without_effect(table, &ERA, "a compiled-in child has no era", reading);
        let message = "a compiled-in child is not probed";
        odd_without_effect(table, &PROBE_WAIT, message, reading);
    }
}

pub(super) fn odd_without_effect(
    table: &Table,
    key: &Key,
    message: &str,
    reading: &mut Reading<'_>,
) {
    if table.has(key, reading) {
        let at = table.at(key, reading);
        reading.odd(&at, message, "it has no effect here: remove it");
    }
}
