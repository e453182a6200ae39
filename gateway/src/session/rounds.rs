//! A call of a legacy client, asked again with answers for as long as its child asks (digest 2.5).

use std::time::Duration;

use protocol::question::{Abilities, Input};
use tokio::time::{Instant, sleep};

use super::asking::Asker;
use super::states::{check, read};
use crate::call::{BoxServe, Call, DynServe, Fault, Kind, Reply, ReplyKind};

/// The pause before a call is asked again that only wants to be asked again; it doubles.
const AGAIN_WAIT: Duration = Duration::from_millis(50);
/// The longest such pause.
const AGAIN_WAIT_MAX: Duration = Duration::from_secs(2);

/// Serves a call to its end. The client is asked whatever the child asks: at most `rounds_max`
/// times where the call is sent anew each time, and as often as its park allows where it waits
/// open at its child.
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
    // A call that only wants to be asked again is waited for as long as a client is.
    let mut until = Instant::now() + asker.wait();
    let mut rounds = 0;
    let mut open = asker.asks();
    loop {
        let reply = serve.serve_boxed(call.clone()).await?;
        if reply.kind != ReplyKind::InputRequired {
            return Ok(reply);
        }
        let asks = read(&reply)?;
        rounds += usize::from(!reply.parked && !asks.requests.is_empty());
        if rounds > rounds_max {
            let asked = format!("asked {rounds_max} times in one call (rounds_max) and asks on");
            return Err(given_up(&asked));
        }
        check(&asks, able)?;
        let mut input = Input { state: asks.state, ..Input::default() };
        if asks.requests.is_empty() {
            if Instant::now() + pause > until {
                let wait = asker.wait().as_secs();
                return Err(given_up(&format!("only said \"again\" for {wait} s (question_wait)")));
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = asker.ending() => {
                    return Err(given_up("has no result yet, and the gateway is shutting down"));
                }
            }
            pause = (pause * 2).min(AGAIN_WAIT_MAX);
        } else {
            let mut refused = Vec::new();
            open.put(asks.requests);
            // A call that waits at its child takes each answer as it comes, as the child would
            // without a gateway between; one that is sent anew takes them all.
            let answers = if reply.parked { open.some().await? } else { open.all().await? };
            for (key, answer) in answers {
                match answer {
                    Ok(answer) => input.responses.push((key, answer)),
                    Err(error) => refused.push((key, error)),
                }
            }
            input.answers = true;
            pause = AGAIN_WAIT;
            until = Instant::now() + asker.wait();
            call.refused = refused.into();
        }
        call.params = input.put(&call.params).map_err(|fault| Fault::invalid(fault.0))?;
    }
}

fn given_up(why: &str) -> Fault {
    let text = format!("the server {why}: the call was given up, and may have had effects");
    Fault::new(Kind::Unanswered, text)
}
