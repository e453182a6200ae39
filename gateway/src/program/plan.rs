//! `gateway plan`: what a reload would do, asked of a gateway or found in two files.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use gateway::config::Config;
use gateway::control::Plan;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::output::{lines, say, table};
use super::{End, load};
use crate::args::PlanArgs;

/// A plan of more bytes than this is none.
const PLAN_BYTES_MAX: usize = 16 << 20;
/// How long the gateway may take to read its file and compare.
const PLAN_WAIT: Duration = Duration::from_secs(30);

pub(super) async fn plan(args: &PlanArgs) -> End {
    let plan = match planned(args).await {
        Ok(plan) => plan,
        Err(end) => return end,
    };
    if args.json {
        say(&format!("{plan:#}"));
        return End::Well;
    }
    let mut table = table(&["mount", "what happens"]);
    let texts = |key: &str| plan[key].as_array().cloned().unwrap_or_default();
    for step in texts("mounts") {
        let word = |key: &str| step[key].as_str().unwrap_or_default().to_owned();
        table.add_row([word("mount"), word("action")]);
    }
    say(&lines(&table));
    for (key, what) in [
        ("applied", "changes at once"),
        ("needsRestart", "changes when the gateway is started again"),
    ] {
        for name in texts(key) {
            say(&format!("gateway.{}: {what}", name.as_str().unwrap_or_default()));
        }
    }
    End::Well
}

async fn planned(args: &PlanArgs) -> Result<Value, End> {
    let config = |file: Option<&PathBuf>| -> Result<Config, End> {
        Ok(load::load_or_end(file, load::flags(&args.set)?)?.config)
    };
    let new = config(args.file.as_ref())?;
    if let Some(old) = &args.against {
        return Ok(json!(Plan::of(&config(Some(old))?, &new)));
    }
    let Some(admin) = new.gateway.admin else {
        let text =
            "`gateway.admin` is off, so that no gateway can be asked: compare with --against";
        return Err(End::Failed(text.to_owned()));
    };
    let (status, text) = match timeout(PLAN_WAIT, ask(admin)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(why)) => {
            let text = format!(
                "no gateway answers at http://{admin}/plan ({why}): start it, or compare two files \
                 with --against"
            );
            return Err(End::Failed(text));
        }
        Err(_) => return Err(End::Failed(format!("http://{admin}/plan does not answer"))),
    };
    let answer: Value = serde_json::from_str(&text).unwrap_or_default();
    match status {
        200 => Ok(answer),
        422 => {
            let problems = answer["problems"].as_array().cloned().unwrap_or_default();
            let texts: Vec<_> = problems.iter().filter_map(Value::as_str).collect();
            let text = format!("the running gateway would refuse its file\n{}", texts.join("\n"));
            Err(End::Wrong(text))
        }
        _ => Err(End::Failed(format!("http://{admin}/plan answers {status}: {text}"))),
    }
}

async fn ask(admin: SocketAddr) -> Result<(u16, String), String> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let uri = format!("http://{admin}/plan").parse().map_err(|why| format!("{why}"))?;
    let answer = client.get(uri).await.map_err(|why| why.to_string())?;
    let status = answer.status().as_u16();
    let body = Limited::new(answer.into_body(), PLAN_BYTES_MAX).collect().await;
    let body = body.map_err(|why| why.to_string())?.to_bytes();
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}
