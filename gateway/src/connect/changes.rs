//! Which lists a child tells changes of, and the telling.

use std::sync::atomic::{AtomicU8, Ordering::SeqCst};

use protocol::capabilities::ServerCapabilities;
use protocol::method::notice;
use protocol::{Method, Raw, json};
use tokio::sync::mpsc;

use crate::call::{Event, List};

const LISTS: [(List, u8, &str, &str); 3] = [
    (List::Tools, 1, notice::TOOLS_CHANGED, "toolsListChanged"),
    (List::Prompts, 2, notice::PROMPTS_CHANGED, "promptsListChanged"),
    (List::Resources, 4, notice::RESOURCES_CHANGED, "resourcesListChanged"),
];

/// A set of lists, one bit each.
pub(super) type Lists = u8;

/// Which lists a child tells changes of, and the telling.
#[derive(Debug)]
pub(super) struct Changes {
    advertised: Lists,
    /// Told of at present, because the stream is open.
    live: AtomicU8,
    /// Read since the stream was last opened.
    read: AtomicU8,
    events: mpsc::Sender<Event>,
}

impl Changes {
    /// The tools alone.
    pub(super) const TOOLS: Lists = 1;

    pub(super) fn new(offers: &ServerCapabilities, events: mpsc::Sender<Event>) -> Self {
        let told = [offers.tools_changed, offers.prompts_changed, offers.resources_changed];
        let lists = LISTS.iter().zip(told).filter(|(_, told)| *told).map(|((_, bit, ..), _)| bit);
        Self {
            advertised: lists.fold(0, |all, bit| all | bit),
            live: AtomicU8::new(0),
            read: AtomicU8::new(0),
            events,
        }
    }

    pub(super) fn advertised(&self) -> Lists {
        self.advertised
    }

    /// The members of a listen's filter that ask for all that is advertised.
    pub(super) fn filter(&self) -> Raw {
        let asked = LISTS.iter().filter(|(_, bit, ..)| self.advertised & bit != 0);
        asked.fold(json::ObjectWriter::new(), |all, (.., key)| all.raw(key, "true")).finish()
    }

    /// The lists that an acknowledgement's params honour.
    pub(super) fn honoured(params: &Raw) -> Lists {
        let members = json::Members::read(params).ok();
        let filter = members.as_ref().and_then(|members| members.get("notifications"));
        let Some(filter) = filter.and_then(|text| json::Members::read(text).ok()) else { return 0 };
        let honoured = LISTS.iter().filter(|(.., key)| filter.get(key) == Some("true"));
        honoured.fold(0, |all, (_, bit, ..)| all | bit)
    }

    pub(super) fn tells(&self, list: List) -> bool {
        let live = self.live.load(SeqCst);
        LISTS.iter().any(|(known, bit, ..)| *known == list && live & bit != 0)
    }

    /// A list is about to be read.
    pub(super) fn reading(&self, method: &Method) {
        let bit = match method {
            Method::ToolsList => 1,
            Method::PromptsList => 2,
            Method::ResourcesList | Method::TemplatesList => 4,
            _ => return,
        };
        self.read.fetch_or(bit, SeqCst);
    }

    /// The stream is open. Lists that were read before it was may have changed unheard, and so may
    /// all when it is open `again`.
    pub(super) fn opened(&self, lists: Lists, again: bool) {
        let lists = lists & self.advertised;
        self.live.store(lists, SeqCst);
        let read = self.read.swap(0, SeqCst);
        self.tell(if again { lists } else { lists & read });
    }

    pub(super) fn closed(&self) {
        self.live.store(0, SeqCst);
    }

    /// Takes a notification; `false` when it is none of these.
    pub(super) fn notice(&self, method: &str) -> bool {
        let known = LISTS.iter().find(|(_, _, name, _)| *name == method);
        known.inspect(|(_, bit, ..)| self.tell(*bit)).is_some()
    }

    /// All lists may be others now.
    pub(super) fn all(&self) {
        self.tell(LISTS.iter().fold(0, |all, (_, bit, ..)| all | bit));
    }

    pub(super) fn tell(&self, lists: Lists) {
        for (list, bit, ..) in LISTS {
            // A full queue holds an event that makes its reader look again anyway.
            if lists & bit != 0 && self.events.try_send(Event::Changed(list)).is_err() {
                tracing::debug!(?list, "an event of a child found no place");
            }
        }
    }
}
