//! From messages of either era to calls, and from replies and faults back: era, session, answer.

mod head;
mod seal;
mod answer;
mod downgrade;
mod visit;
mod replay;
mod exchange;
mod live;
mod ledger;
mod journal;
mod sessions;
mod states;
mod task_ids;
mod asking;
mod rounds;
mod front;
mod modern;
mod legacy;
mod streams;
mod subscribing;
mod resume;
mod duplex;

pub use duplex::Duplex;
pub use exchange::{Exchange, Step};
pub use front::{Front, Opened, Outcome, Settings};
pub use head::{Arrival, Head};
pub use replay::Event;
pub use seal::Seal;
pub use streams::Stream;
