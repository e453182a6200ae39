//! A call of a legacy client, asked again with answers for as long as its child asks (digest 2.5).

use std::time::Duration;

use protocol::question::{Abilities, Input};
use tokio::time::sleep;

use super::asking::Asker;
use super::states::{check, read};
use crate::call::{BoxServe, Call, DynServe, Fault, Kind, Reply, ReplyKind};

/// The pause before a call is asked again that only wants to be asked again; it doubles.
const AGAIN_WAIT: Duration = Duration::from_millis(50);

/// Serves a call to its end. The client is asked whatever the child asks, at most `rounds_max`
/// times.
pub(super) async fn serve(
    serve: &BoxServe,
    mut call: Call,
    asker: &Asker,
    rounds_max: usize,
) -> Result<Reply, Fault> {
    let able = Abilities::read(&call.caller.capabilities);
    // What stands there is a legacy client's own business and means nothing.
    call.params = Input::default().put(&call.params).map_err(|fault| Fault::invalid(fault.0))?;
    let mut pause = AGAIN_WAIT;
    for _round in 0..=rounds_max {
        let reply = serve.serve_boxed(call.clone()).await?;
        if reply.kind != ReplyKind::InputRequired {
            return Ok(reply);
        }
        let asks = read(&reply)?;
        check(&asks, able)?;
        let mut input = Input { state: asks.state, ..Input::default() };
        if asks.requests.is_empty() {
            sleep(pause).await;
            pause *= 2;
        } else {
            let mut refused = Vec::new();
            for (key, answer) in asker.ask(&asks.requests).await? {
                match answer {
                    Ok(answer) => input.responses.push((key, answer)),
                    Err(error) => refused.push((key, error)),
                }
            }
            input.answers = true;
            call.refused = refused.into();
        }
        call.params = input.put(&call.params).map_err(|fault| Fault::invalid(fault.0))?;
    }
    let text = format!(
        "the server asked {rounds_max} times in one call (rounds_max) and has no result yet: it \
         was given up, and may have had effects"
    );
    Err(Fault::new(Kind::Unanswered, text))
}
