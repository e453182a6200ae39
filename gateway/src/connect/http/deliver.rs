//! Posts an answer to the child that asked, and says in its call when it does not get there.

use http::StatusCode;

use super::answer::{Answer, Answered, Broken};
use crate::connect::asking::Delivery;

/// Why a post was not taken.
enum Untaken {
    /// The child says so.
    Refused(StatusCode),
    /// No byte of it left.
    Unsent(&'static str),
    /// The connection was lost after it was written.
    Cut,
}

/// Posts an answer, once more where the first post broke: it is no call, and a child that has it
/// already has no question of that name any more.
///
/// What certainly is not taken ends the call that waits for it. After a post that was cut, the
/// second may be refused for the very reason that the first arrived: the call then goes on, and
/// ends with its stream where that is wrong. Twice cut is as good as not taken: the call may have
/// gone on at the child, which is why its fault says "look before you call again". A child that
/// says nothing at all may have it too, so that the times of the call stand for that.
pub(super) async fn deliver<Posting>(post: impl Fn() -> Posting, delivery: Option<&Delivery>)
where
    Posting: Future<Output = Result<Answered, Broken>>,
{
    let first = taken(post().await);
    let outcome = match &first {
        Err(Untaken::Unsent(_) | Untaken::Cut) => taken(post().await),
        _ => return failed(delivery, first),
    };
    match (&first, &outcome) {
        // A session that is gone took nothing with it.
        (Err(Untaken::Cut), Err(Untaken::Refused(status))) if *status != StatusCode::NOT_FOUND => {
            tracing::debug!(%status, "an answer perhaps reached the child that asked");
        }
        _ => failed(delivery, outcome),
    }
}

fn taken(posted: Result<Answered, Broken>) -> Result<(), Untaken> {
    match posted {
        Ok(Answered { answer: Answer::Refused(refusal), .. }) => {
            Err(Untaken::Refused(refusal.status))
        }
        // Whatever a success says besides is of no interest.
        Ok(_) | Err(Broken::NoAnswer(_)) => Ok(()),
        Err(Broken::Unsent { why, .. }) => Err(Untaken::Unsent(why)),
        Err(Broken::Cut { .. }) => Err(Untaken::Cut),
    }
}

fn failed(delivery: Option<&Delivery>, outcome: Result<(), Untaken>) {
    let why = match outcome {
        Ok(()) => return,
        Err(Untaken::Refused(status)) => format!("it refuses it (HTTP {})", status.as_u16()),
        Err(Untaken::Unsent(why)) => why.to_owned(),
        Err(Untaken::Cut) => "the connection was lost twice".to_owned(),
    };
    match delivery {
        Some(delivery) => delivery.failed(&why),
        None => tracing::debug!(why, "an answer did not reach the child that asked"),
    }
}
