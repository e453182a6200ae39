//! A client comes back for the rest of a stream that broke (digest 1.10, check 92).

use std::sync::Arc;

use bytes::Bytes;
use protocol::json::ObjectWriter;
use protocol::{ErrorObject, Raw, Version, envelope, error, meta, method::notice};

use super::exchange::{Exchange, Step};
use super::front::{Front, Held, Opened};
use super::replay::{Event, Rest};
use super::streams::Stream;

/// Whether a client takes a first event without a message, and may be sent away to come back.
pub(super) fn is_primed(held: &Held) -> bool {
    held.session.version >= Version::V2025_11_25
}

impl Front {
    /// The rest of the stream that has this event.
    ///
    /// # Errors
    /// HTTP status and body for an event that this session was never given.
    pub(super) fn resume(
        self: &Arc<Self>,
        held: &Held,
        last_event: &str,
    ) -> Result<Opened, (u16, Bytes)> {
        let bad = |text: &str| {
            let error = ErrorObject::new(error::INVALID_REQUEST, text);
            Err((400, envelope::error(None, &error)))
        };
        let replays = &held.live.replays;
        let Some(place) = replays.place(last_event) else {
            return bad("Last-Event-ID: this session was never given such an event");
        };
        if place.standing {
            let missed = held.live.take_missed() | replays.standing_is_lost_after(place);
            self.subscribe_again(held);
            self.listen_to_lists(held, missed);
            return Ok(Opened::Standing(Stream::take_over(held, Some(place))));
        }
        Ok(Opened::Answer(match replays.rest(place) {
            Rest::Unknown => {
                return bad("Last-Event-ID: nothing is known of that stream any more; what it \
                            answered may have had effects");
            }
            Rest::Lost(request) => Exchange::again(vec![answer_is_lost(&request)], None),
            Rest::Kept { mut said, lost, more } => {
                if lost {
                    said.insert(0, some_are_lost());
                }
                Exchange::again(said, more)
            }
        }))
    }
}

/// Ends a request whose answer is not kept any more, so that its client does not wait for it.
fn answer_is_lost(request: &Raw) -> Step {
    let text = "the answer was given, could not be delivered, and is not kept any more \
                (replay_events_max, replay_bytes_max): the request may have had effects";
    let code = ObjectWriter::new().string("code", "OUTCOME_UNKNOWN").finish();
    let data = ObjectWriter::new().raw("gateway", &code).finish();
    let error = ErrorObject::new(error::INTERNAL_ERROR, text).with_data(data);
    let body = Some(envelope::error(Some(request.as_str()), &error));
    Step::Event(Event { id: None, body })
}

/// Says that the stream goes on later than where the client left it.
fn some_are_lost() -> Step {
    let text = "messages of this stream were lost with the connection and are not kept any more";
    let params = ObjectWriter::new().string("level", meta::LEVELS[WARNING]);
    let params = params.string("logger", "gateway").string("data", text).finish();
    Step::Event(Event { id: None, body: Some(envelope::notification(notice::MESSAGE, &params)) })
}

/// The place of `warning` among the levels.
const WARNING: usize = 3;
