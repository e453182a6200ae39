//! One question of a child. However it is lost, the child gets an answer.

use std::fmt;

use protocol::json::Members;
use protocol::question::{Question, for_child};
use protocol::{ErrorObject, Raw, error, task};

use super::voice::Delivery;

/// What a child gets for an answer.
type Answer = Result<Raw, ErrorObject>;

/// The code with which clients say that a person refused.
const REFUSED: i64 = -1;

/// A question of a child that waits for its answer.
pub(in crate::connect) struct Asked {
    id: Raw,
    question: Question,
    params: Raw,
    /// The task that it belongs to, as the child says.
    task: Option<String>,
    answer: Option<Box<dyn FnOnce(Answer, Delivery) + Send>>,
    delivery: Delivery,
}

impl Asked {
    /// The question that the child called `id`; `answer` sends it what comes, and says if that does
    /// not get there.
    pub(in crate::connect) fn new(
        id: Raw,
        question: Question,
        params: &Raw,
        answer: impl FnOnce(Answer, Delivery) + Send + 'static,
    ) -> Self {
        let task = related(params);
        let params = for_child(question, params);
        let (answer, delivery) = (Some(Box::new(answer) as Box<_>), Delivery::aside(question));
        Self { id, question, params, task, answer, delivery }
    }

    /// It is asked in a call, which hears of an answer that does not reach the child.
    pub(super) fn within(&mut self, delivery: Delivery) {
        self.delivery = delivery;
    }

    pub(super) fn question(&self) -> Question {
        self.question
    }

    pub(super) fn params(&self) -> &Raw {
        &self.params
    }

    pub(super) fn task(&self) -> Option<&str> {
        self.task.as_deref()
    }

    pub(super) fn is(&self, id: &str) -> bool {
        self.id.as_str() == id
    }

    /// Sends the answer to the child.
    pub(super) fn answer(mut self, answer: Answer) {
        if let Some(send) = self.answer.take() {
            send(answer, self.delivery.clone());
        }
    }

    /// Tells the child why there is no answer.
    pub(super) fn refuse(self, code: i64, text: impl Into<String>) {
        self.answer(Err(ErrorObject::new(code, text)));
    }

    /// The child took the question back: it gets no answer.
    pub(super) fn forget(mut self) {
        self.answer = None;
    }
}

/// The task in the metadata of a question.
fn related(params: &Raw) -> Option<String> {
    let members = Members::read(params).ok()?;
    let meta = Members::read(members.get("_meta")?).ok()?;
    task::id(&Members::read(meta.get(task::RELATED)?).ok()?)
}

impl Drop for Asked {
    fn drop(&mut self) {
        let Some(send) = self.answer.take() else { return };
        let answer = match self.question {
            Question::Elicitation => Ok(Raw::from_static(r#"{"action":"cancel"}"#)),
            Question::Sampling => Err(ErrorObject::new(REFUSED, "no answer came from the client")),
            Question::Roots => {
                Err(ErrorObject::new(error::INTERNAL_ERROR, "no answer came from the client"))
            }
        };
        send(answer, self.delivery.clone());
    }
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asked").field("id", &self.id).field("question", &self.question).finish()
    }
}
