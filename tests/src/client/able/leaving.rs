//! Clients that leave in the middle of a call: for good, or to take it up again.

use super::{Able, Talked, Way, heard, part, pause, plain};
use crate::client::ask::{Ask, legacy, posted};
use crate::start::soon;

impl Able {
    /// Calls, and gives the call up: a modern client over HTTP leaves after so many turns; one on a
    /// two-way channel cancels after so many; a legacy one over HTTP cancels what it is asked in.
    /// What it heard before.
    pub async fn give_up(&mut self, method: &str, params: &str, turns: usize) -> Vec<String> {
        let ask = self.request(method, params);
        let cancelled = format!(r#"{{"requestId":{},"reason":"enough"}}"#, self.next_id);
        let cancelled = legacy("notifications/cancelled", &cancelled).without_id();
        match &mut self.way {
            Way::ModernHttp(http) => {
                tokio::select! {
                    biased;
                    answer = http.send(&ask) => drop(answer),
                    () = pause(turns) => {}
                }
                Vec::new()
            }
            Way::LegacyHttp(session, http) => {
                let mut answer = http.send(&ask).await;
                let first = answer.message().await.expect("a question or an answer");
                pause(turns).await;
                let status = http.send(&session.of(cancelled)).await.status;
                assert_eq!(status, 202, "a cancellation");
                vec![plain(&first)]
            }
            Way::ModernStdio(stdio) | Way::LegacyStdio(stdio) => {
                stdio.say(&ask).await;
                pause(turns).await;
                stdio.say(&cancelled).await;
                Vec::new()
            }
        }
    }

    /// Calls over legacy HTTP, leaves when it is asked, answers, and takes the stream up again.
    ///
    /// # Panics
    /// When it is another client.
    pub async fn talk_apart(
        &mut self,
        method: &str,
        params: &str,
        mut say: impl FnMut(&str, &str) -> String,
    ) -> Talked {
        let ask = self.request(method, params);
        let yields = self.yields;
        let Way::LegacyHttp(session, http) = &self.way else { panic!("{}", self.kind()) };
        let mut talked = Talked { rounds: 1, ..Talked::default() };
        let mut answer = http.send(&ask).await;
        loop {
            let message = answer.message().await.expect("a question or an answer");
            let message = plain(&message);
            if part(&message, "method").is_none() {
                talked.answer = message;
                return talked;
            }
            let event = answer.last_event.clone().expect("an event that has an id");
            drop(answer);
            pause(yields).await;
            if let Some(response) = heard(&message, &mut talked, &mut say) {
                let status = http.send(&session.of(posted(response))).await.status;
                assert_eq!(status, 202, "an answer to a question");
            }
            pause(yields).await;
            let resume = session.of(Ask::bare("GET")).header("last-event-id", event);
            answer = soon("the stream again", http.send(&resume)).await;
            assert_eq!(answer.status, 200, "the stream is taken up again");
        }
    }
}
