//! Answers of a mount that their callers have not taken yet: bytes, and the bound on them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::call::{Fault, Kind, Reply, Room};

/// Shorter answers are not counted: there are only so many calls.
const COUNTED_BYTES_MIN: usize = 4096;

/// What one mount's answers take of the gateway.
#[derive(Debug)]
pub(super) struct Answers {
    name: Arc<str>,
    bytes_max: usize,
    held: Arc<AtomicUsize>,
}

/// The bytes of one answer, until it is dropped.
struct Held {
    held: Arc<AtomicUsize>,
    bytes: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Answers {
    pub(super) fn new(name: &Arc<str>, bytes_max: usize) -> Self {
        Self { name: Arc::clone(name), bytes_max, held: Arc::default() }
    }

    /// Bytes that are held now.
    pub(super) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Whether another call may be made: its answer would have to be dropped.
    ///
    /// # Errors
    /// Says which bound is reached.
    pub(super) fn check(&self) -> Result<(), Fault> {
        if self.held() < self.bytes_max {
            return Ok(());
        }
        let text = format!("{}; try again later", self.full());
        Err(Fault::new(Kind::Limited { retry_after: None }, text))
    }

    /// Holds an answer until all that is made of it is gone.
    ///
    /// # Errors
    /// [`Kind::OutcomeUnknown`] when those before it take all the room: it is dropped, though the
    /// call was executed.
    pub(super) fn hold(&self, mut reply: Reply) -> Result<Reply, Fault> {
        let bytes = reply.result.len();
        if bytes < COUNTED_BYTES_MIN {
            return Ok(reply);
        }
        let before = self.held.fetch_add(bytes, Ordering::Relaxed);
        let held = Held { held: Arc::clone(&self.held), bytes };
        if before >= self.bytes_max {
            let text = format!(
                "the call was executed, but its answer of {bytes} bytes was dropped: {}",
                self.full()
            );
            return Err(Fault::new(Kind::OutcomeUnknown { mount: Arc::clone(&self.name) }, text));
        }
        reply.room = Room::held(held);
        Ok(reply)
    }

    fn full(&self) -> String {
        let (name, max) = (&self.name, self.bytes_max);
        format!(
            "answers of `{name}` that their callers have not taken yet hold {max} bytes or more, \
             which is its limit (answer_bytes_max)"
        )
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use protocol::Raw;

    use super::*;

    fn answer(bytes: usize) -> Reply {
        Reply::complete(Raw::of(&"x".repeat(bytes - 2)))
    }

    #[test]
    fn answers_are_held_until_what_was_made_of_them_is_gone() {
        let answers = Answers::new(&"m".into(), 10_000);
        let small = answers.hold(answer(100)).unwrap();
        assert_eq!(answers.held(), 0, "not worth counting");
        let first = answers.hold(answer(8_000)).unwrap();
        let last = answers.hold(answer(50_000)).expect("there was room when it came");
        assert_eq!(answers.held(), 58_000);
        assert!(matches!(answers.check().unwrap_err().kind, Kind::Limited { .. }));
        let fault = answers.hold(answer(8_000)).unwrap_err();
        assert!(matches!(fault.kind, Kind::OutcomeUnknown { .. }), "{fault:?}");
        assert_eq!(answers.held(), 58_000, "what was dropped is not held");
        drop((small, first));
        let body = last.room.keep(Bytes::from_static(b"body"));
        assert_eq!((body.as_ref(), answers.held()), (b"body".as_slice(), 50_000));
        drop(body);
        assert_eq!(answers.held(), 0);
        assert!(answers.check().is_ok());
    }
}
