//! Web pages that a child sent clients to: who is told when it says that one was visited.
//!
//! Only 2025-11-25 has words for that, so only its clients are told.

use std::collections::{HashMap, VecDeque};

use protocol::json::{self, Members};
use protocol::method::notice;
use protocol::{ErrorObject, Raw, error};

use crate::call::{Aside, Switch};

/// The member that names a visit.
const ELICITATION_ID: &str = "elicitationId";
/// Visits that are remembered; of more, the oldest is forgotten.
const VISITS_MAX: usize = 1000;
/// The longest name of a visit that is remembered, in bytes.
const NAME_BYTES_MAX: usize = 1024;

/// The visits that a child has not told the end of, by its own names for them.
#[derive(Default)]
pub(super) struct Visits {
    known: HashMap<String, Visit>,
    order: VecDeque<String>,
}

struct Visit {
    /// Who was sent there; nobody, where a child gave the same name to two.
    who: Aside,
    /// The call in which it was asked, for as long as that is open.
    call: Option<Switch>,
}

impl Visits {
    /// A client was asked to go to a page, in a call that goes on.
    pub(super) fn asked(&mut self, params: &Raw, who: &Aside, call: &Switch) {
        self.note(name(params), who, Some(call));
    }

    /// A call ended because its client has to go to some pages first.
    pub(super) fn required(&mut self, fault: &ErrorObject, who: &Aside) {
        let pages = fault.data.as_ref().filter(|_| {
            // Where else it may say so, it has no name.
            fault.code == error::URL_ELICITATION_REQUIRED_LEGACY
        });
        let members = pages.and_then(|data| Members::read(data).ok());
        let pages = members.as_ref().and_then(|members| members.get("elicitations"));
        for page in pages.and_then(json::elements).unwrap_or_default() {
            let members = Members::read(page).ok();
            let name =
                members.and_then(|page| page.get_string(ELICITATION_ID)?.into_owned().into());
            self.note(name, who, None);
        }
    }

    fn note(&mut self, name: Option<String>, who: &Aside, call: Option<&Switch>) {
        let Some(name) = name.filter(|name| name.len() <= NAME_BYTES_MAX && who.leads()) else {
            return;
        };
        if let Some(known) = self.known.get_mut(&name) {
            // Nobody hears of what may be another's.
            if !known.who.is(who) {
                known.who = Aside::default();
                known.call = None;
            }
            return;
        }
        if self.order.len() >= VISITS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.order.push_back(name.clone());
        self.known.insert(name, Visit { who: who.clone(), call: call.cloned() });
    }

    /// The child tells that a page was visited: to whom this is said, in the call if that is open.
    pub(super) fn over(&mut self, params: &Raw) {
        let visit = name(params).and_then(|name| {
            self.order.retain(|known| *known != name);
            self.known.remove(&name)
        });
        let Some(Visit { who, call }) = visit else {
            return tracing::debug!(target: "child", "the end of a visit that nobody was asked for");
        };
        let method = notice::ELICITATION_COMPLETE;
        let in_call =
            who.leads() && call.is_some_and(|call| call.now().tell(method, params.clone()));
        if !in_call {
            who.tell(method, params);
        }
    }
}

fn name(params: &Raw) -> Option<String> {
    Members::read(params).ok()?.get_string(ELICITATION_ID).map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::call::{Backchannel, Standing};

    #[derive(Default)]
    struct Client(Mutex<Vec<String>>);

    impl Standing for Client {
        fn tell_aside(&self, _method: &str, params: &Raw) {
            self.0.lock().unwrap().push(params.to_string());
        }
    }

    fn named(name: &str) -> Raw {
        json::ObjectWriter::new().string(ELICITATION_ID, name).finish()
    }

    #[test]
    fn c120_the_end_of_a_visit_is_told_once_to_the_client_that_was_sent_there() {
        let clients = [Arc::new(Client::default()), Arc::new(Client::default())];
        let [one, other] = clients.each_ref().map(|client| {
            let client: Arc<dyn Standing> = client.clone();
            Aside::to(Arc::downgrade(&client))
        });
        let (back, mut told) = Backchannel::open();
        let (_, call) = Backchannel::switched(back);
        let mut visits = Visits::default();
        visits.asked(&named("in a call"), &one, &call);
        visits.asked(&named("of nobody"), &Aside::default(), &call);
        for end in ["unknown", "of nobody", "in a call", "in a call"] {
            visits.over(&named(end));
        }
        assert_eq!(told.try_recv().unwrap().params, named("in a call"));
        assert!(told.try_recv().is_err(), "once");
        visits.asked(&named("after a call"), &other, &call);
        visits.asked(&named("of two"), &one, &call);
        visits.asked(&named("of two"), &other, &call);
        drop(told);
        for end in ["after a call", "of two"] {
            visits.over(&named(end));
        }
        let said = clients.each_ref().map(|client| client.0.lock().unwrap().join(" "));
        assert_eq!(said, [String::new(), named("after a call").to_string()]);
        for at in 0..2 * VISITS_MAX {
            visits.asked(&named(&at.to_string()), &one, &call);
        }
        assert_eq!((visits.known.len(), visits.order.len()), (VISITS_MAX, VISITS_MAX));
    }
}
