//! A scripted child compiled in: the modern era without bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use protocol::envelope::{Body, Message};
use protocol::{ChildRequest, ErrorObject, InProcess, Raw, Sending, error};

use super::director::Director;
use super::script::Script;
use super::seen::{Seen, What, Witness};
use super::sessions::in_request;
use super::stage::{Asked, Emit, Stage};

/// A scripted child in this process.
pub struct InProcessChild {
    stage: Arc<Stage>,
}

impl InProcessChild {
    /// A child that plays this script, and who directs it.
    pub fn new(script: Script) -> (Arc<Self>, Director) {
        let witness = Witness::new(None);
        let stage = Stage::new(script, witness.clone());
        let ordered = Arc::clone(&stage);
        let director = Director::new(witness, move |order| ordered.order(order));
        (Arc::new(Self { stage }), director)
    }
}

impl InProcess for InProcessChild {
    fn request(&self, request: ChildRequest) -> Sending<'static, Result<Raw, ErrorObject>> {
        let stage = Arc::clone(&self.stage);
        Box::pin(async move {
            let params = request.params.as_str().to_owned();
            let (id, declared) = ("0".to_owned(), in_request(&params));
            let asked = Asked { id, method: request.method.clone(), params, declared };
            stage.witness.saw(Seen {
                what: What::Request,
                method: request.method.clone(),
                id: String::new(),
                params: asked.params.clone(),
                headers: BTreeMap::new(),
            });
            let mut emits = stage.play(asked);
            while let Some(emit) = emits.recv().await {
                let text = match emit {
                    Emit::Message(text) | Emit::Pieces(text, _) => text,
                    Emit::Half(_) => continue,
                    Emit::Refuse(status, body) => {
                        let text = format!("status {status}: {body}");
                        return Err(ErrorObject::new(error::INTERNAL_ERROR, text));
                    }
                    Emit::Cut | Emit::Exit(_) => panic!("the script says that it breaks here"),
                };
                match Body::read(Bytes::from(text)) {
                    Ok(Body::One(Message::Response { outcome, .. })) => return outcome,
                    Ok(Body::One(Message::Notification { method, params })) => {
                        request.back.notify(&method, params).await;
                    }
                    _ => {}
                }
            }
            Err(ErrorObject::new(error::INTERNAL_ERROR, "the script ended without an answer"))
        })
    }
}
