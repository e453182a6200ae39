//! The child `data` on real PostgreSQL and Redis, through the gateway, with a client in each era.

mod client;
mod postgres;
mod redis;
mod tls;

use serde_json::{Value, json};

use crate::client::Target;
use crate::fixture::Fixture;
use crate::gateway::{Gateway, Source};

/// A gateway with `data` alone, and the way to it.
struct Mounted {
    gateway: Gateway,
    fixture: Fixture,
}

impl Mounted {
    /// What a test does not say itself is long enough for a loaded machine.
    async fn start(options: Value) -> Self {
        let options = with(json!({ "connect_wait": "60s", "statement_timeout": "60s" }), options);
        let fixture = Fixture::new();
        let source = Source::WithOptions("data", options);
        let gateway = Gateway::start(&fixture, &[("data", source)]).await;
        Self { gateway, fixture }
    }

    fn target(&self) -> Target {
        self.gateway.mount("data")
    }

    async fn stop(self) {
        self.gateway.stop(&self.fixture).await;
    }
}

/// Options with some more.
fn with(mut options: Value, more: Value) -> Value {
    let (Some(all), Value::Object(more)) = (options.as_object_mut(), more) else {
        panic!("options are objects");
    };
    all.extend(more);
    json!(all)
}
