//! Children of 2024-11-05 (HTTP+SSE): one stream down, and a place to post that it names first.

use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use protocol::question::Abilities;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::answer::{Answer, Broken, Events};
use super::client::HttpClient;
use super::deliver::deliver;
use super::faults::unreachable;
use super::place::resolve;
use super::session::{HANDSHAKE_WAIT, as_unreachable};
use crate::call::{Call, Caller, Event, Fault, Future};
use crate::connect::EraPin;
use crate::connect::wire::{Cable, LastWords, Outgoing, Wire};
use crate::connect::wired::{Carrier, Meeting, NoCarrier, Open, Opened, WiredLink};

/// Posts under way at once; further messages wait.
const POSTS_MAX: usize = 64;
/// The longest wait for the answer to a post, which says only that the message was taken.
const POST_WAIT: Duration = Duration::from_secs(60);

/// Opens the two ways to a child and shakes hands on them: that transport knows no other beginning.
///
/// # Errors
/// [`crate::call::Kind::Unreachable`] with what came instead.
pub(super) async fn open(
    client: &HttpClient,
    words: Arc<LastWords>,
    (able, events): (Abilities, mpsc::Sender<Event>),
) -> Result<WiredLink, Fault> {
    let way = Way { client: client.clone(), words };
    let asking = client.settings().asking.clone();
    Meeting::new(EraPin::Legacy, Duration::ZERO, asking).link(&way, able, events).await
}

struct Way {
    client: HttpClient,
    words: Arc<LastWords>,
}

impl Open for Way {
    fn open(&self) -> Future<'_, Result<Opened, Fault>> {
        Box::pin(async {
            let mount = self.client.mount();
            let finding = timeout(HANDSHAKE_WAIT, self.find());
            let late = |_| unreachable(mount, "its stream does not say where to post");
            let (stream, place) = finding.await.map_err(late)??;
            let (mut cable, queue) = Cable::laid(mount.clone(), self.words.clone());
            let wire = cable.wire.clone();
            cable.carry(async move {
                let why = read(&wire, stream).await;
                wire.end(&why);
            });
            let posting = Posting { client: self.client.clone(), place, wire: cable.wire.clone() };
            let stop = cable.stopped();
            cable.carry(async move { posting.run(queue, stop).await });
            let carrier: Box<dyn Carrier> = Box::new(NoCarrier);
            Ok((cable, carrier))
        })
    }
}

impl Way {
    /// Opens the stream and reads where to post.
    async fn find(&self) -> Result<(Events, Uri), Fault> {
        let (client, mount) = (&self.client, self.client.mount());
        let ping = Call::own(protocol::Method::Ping, protocol::Raw::default(), Caller::gateway());
        let broken = |fault: Broken| as_unreachable(client, fault.fault(mount, &ping.method));
        let mut events = match client.get(client.headers()).await.map_err(broken)?.answer {
            Answer::Events(events) => events,
            Answer::Refused(refusal) => {
                return Err(as_unreachable(client, refusal.fault(mount, &ping)));
            }
            Answer::Json(_) | Answer::Empty => {
                return Err(unreachable(mount, "expected an event stream, found none"));
            }
        };
        let first = events.next().await.map_err(broken)?;
        let first = first.filter(|event| event.name.as_deref() == Some("endpoint"));
        let Some(first) = first else {
            return Err(unreachable(mount, "its stream does not begin with an `endpoint` event"));
        };
        let text = String::from_utf8_lossy(&first.data);
        let place = resolve(&client.settings().url, text.trim());
        Ok((events, place.map_err(|why| unreachable(mount, why))?))
    }
}

/// Hands every message to `wire`; returns why the stream ended.
async fn read(wire: &Wire, mut stream: Events) -> String {
    loop {
        match stream.next().await {
            Ok(Some(event)) => {
                let named = event.name.as_deref().unwrap_or("message");
                if named == "message" && !event.data.trim_ascii().is_empty() {
                    let text = event.data.slice_ref(event.data.trim_ascii());
                    // The stream keeps the pace by itself.
                    let _awaited = wire.receive(&text);
                }
            }
            Ok(None) => return "it closed its stream".to_owned(),
            Err(Broken::NoAnswer(text)) => return format!("it sent {text}"),
            Err(Broken::Unsent { .. } | Broken::Cut { .. }) => {
                return "its stream was cut".to_owned();
            }
        }
    }
}

/// What is needed to post.
#[derive(Clone)]
struct Posting {
    client: HttpClient,
    place: Uri,
    wire: Arc<Wire>,
}

impl Posting {
    /// Posts what is queued: requests beside each other, so that none waits for a child that
    /// answers late; what is no request keeps its place before what follows.
    async fn run(self, mut queue: mpsc::Receiver<Outgoing>, stop: CancellationToken) {
        let mut posts = JoinSet::new();
        loop {
            let message = tokio::select! {
                biased;
                message = queue.recv() => message,
                () = stop.cancelled(), if !queue.is_closed() => {
                    queue.close();
                    continue;
                }
            };
            let Some(message) = message else { break };
            if !self.wire.takes_off(&message) {
                continue;
            }
            if !message.is_request() {
                self.post(message).await;
                continue;
            }
            while posts.len() >= POSTS_MAX {
                posts.join_next().await;
            }
            while posts.try_join_next().is_some() {}
            let posting = self.clone();
            posts.spawn(async move { posting.post(message).await });
        }
        while posts.join_next().await.is_some() {}
    }

    async fn post(&self, message: Outgoing) {
        if message.delivery.is_some() {
            let post = || self.client.post_to(&self.place, message.bytes.clone());
            return match timeout(POST_WAIT, deliver(post, message.delivery.as_ref())).await {
                Ok(()) => {}
                Err(_) => self.wire.odd("it does not say that it took an answer"),
            };
        }
        let posted = self.client.post_to(&self.place, message.bytes.clone());
        let (sent, why) = match timeout(POST_WAIT, posted).await {
            Ok(Ok(answered)) => match answered.answer {
                Answer::Refused(refusal) => {
                    let status = refusal.status;
                    (
                        status.is_server_error(),
                        format!("it refused a message (HTTP {})", status.as_u16()),
                    )
                }
                // Whatever a success says besides is of no interest.
                _ => return,
            },
            Ok(Err(Broken::NoAnswer(_))) => return,
            Ok(Err(Broken::Unsent { why, .. })) => (false, why.to_owned()),
            Ok(Err(Broken::Cut { .. })) => (true, "the connection was lost".to_owned()),
            Err(_) => (true, format!("it did not take a message in {} s", POST_WAIT.as_secs())),
        };
        self.wire.not_taken(&message, sent, &why);
    }
}
