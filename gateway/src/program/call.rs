//! `gateway call` and `gateway read`: one answer, printed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gateway::call::{Backchannel, Fault, Reply, ReplyKind};
use protocol::json::{Members, ObjectWriter, elements};
use protocol::{Method, Raw};

use super::output::{note, say};
use super::whom::{Whom, progress};
use super::{End, arguments};
use crate::args::{CallArgs, ReadArgs};

pub(super) async fn call(args: &CallArgs) -> End {
    let given = args.json.as_ref().map(|text| Raw::parse(text.clone().into()));
    let given = match given {
        Some(Err(fault)) => return End::Wrong(format!("--json: {fault}")),
        Some(Ok(raw)) if !raw.is_object() => {
            return End::Wrong("--json: expected an object".to_owned());
        }
        Some(Ok(raw)) => Some(raw),
        None => None,
    };
    let whom = match Whom::find(&args.whom).await {
        Ok(whom) => whom,
        Err(end) => return end,
    };
    let end = called(&whom, args, given).await;
    whom.leave().await;
    end
}

async fn called(whom: &Whom, args: &CallArgs, given: Option<Raw>) -> End {
    let arguments = match given {
        Some(given) => given,
        None => {
            let schema = match schema(whom, &args.tool).await {
                Ok(schema) => schema,
                Err(end) => return end,
            };
            match arguments::read(&args.arguments, schema.as_deref()) {
                Ok(arguments) => arguments,
                Err(text) => return End::Wrong(text),
            }
        }
    };
    let params = ObjectWriter::new().string("name", &args.tool).raw("arguments", &arguments);
    let reply = match ask(whom, Method::ToolsCall, params.finish()).await {
        Ok(reply) => reply,
        Err(fault) => return End::Failed(failed(whom, &fault)),
    };
    if args.raw {
        say(&reply.result);
    }
    if reply.kind == ReplyKind::InputRequired {
        let text = "the tool asks for input, which this command cannot give; --raw shows what";
        return End::Failed(text.to_owned());
    }
    let Ok(members) = Members::read(&reply.result) else {
        return End::Failed("the result is no object".to_owned());
    };
    if !args.raw {
        let blocks = members.get("content").and_then(elements).unwrap_or_default();
        for block in blocks.iter().filter_map(|block| Members::read(block).ok()) {
            say(&block_text(&block));
        }
        if let (true, Some(structured)) = (blocks.is_empty(), members.get("structuredContent")) {
            say(structured);
        }
    }
    match members.get("isError") {
        Some("true") => End::Failed(String::new()),
        _ => End::Well,
    }
}

pub(super) async fn read(args: &ReadArgs) -> End {
    let whom = match Whom::find(&args.whom).await {
        Ok(whom) => whom,
        Err(end) => return end,
    };
    let params = ObjectWriter::new().string("uri", &args.uri).finish();
    let end = match ask(&whom, Method::ResourcesRead, params).await {
        Ok(reply) if args.raw => {
            say(&reply.result);
            End::Well
        }
        Ok(reply) => {
            let members = Members::read(&reply.result).ok();
            let list = members.as_ref().and_then(|members| members.get("contents"));
            for item in list.and_then(elements).unwrap_or_default() {
                if let Ok(item) = Members::read(item) {
                    say(&content_text(&item));
                }
            }
            End::Well
        }
        Err(fault) => End::Failed(failed(&whom, &fault)),
    };
    whom.leave().await;
    end
}

/// Asks and shows progress on standard error; Ctrl-C cancels the call at the child.
async fn ask(whom: &Whom, method: Method, params: Raw) -> Result<Reply, Fault> {
    let (back, mut notices) = Backchannel::open();
    let mut asking = Box::pin(whom.ask(method, params, back));
    loop {
        tokio::select! {
            reply = &mut asking => return reply,
            Some(notice) = notices.recv() => {
                if let Some(text) = progress(&notice) {
                    note(&text);
                }
            }
            interrupted = tokio::signal::ctrl_c() => {
                if interrupted.is_ok() {
                    let kind = gateway::call::Kind::Cancelled;
                    return Err(Fault::new(kind, "cancelled by Ctrl-C"));
                }
            }
        }
    }
}

fn failed(whom: &Whom, fault: &Fault) -> String {
    use gateway::call::Kind;
    match fault.kind {
        Kind::Invalid { .. } => format!("{}{}", fault.text, whom.absent()),
        _ => fault.text.clone(),
    }
}

async fn schema(whom: &Whom, tool: &str) -> Result<Option<String>, End> {
    let tools = whom.list(&Method::ToolsList, "tools").await?;
    Ok(tools.iter().find_map(|entry| {
        let members = Members::read(entry).ok()?;
        let schema = members.get("inputSchema")?;
        (members.get_string("name")? == tool).then(|| schema.to_owned())
    }))
}

fn block_text(block: &Members<'_>) -> String {
    let get = |key: &str| block.get_string(key).unwrap_or_default().into_owned();
    match get("type").as_str() {
        "text" => get("text"),
        kind @ ("image" | "audio") => {
            format!("[{kind} {}, {} bytes; --raw shows it]", get("mimeType"), size(&get("data")))
        }
        "resource_link" => format!("[resource {}]", get("uri")),
        "resource" => match block.get("resource").map(Members::read) {
            Some(Ok(resource)) => content_text(&resource),
            _ => "[resource]".to_owned(),
        },
        kind => format!("[{kind}; --raw shows it]"),
    }
}

fn content_text(item: &Members<'_>) -> String {
    let get = |key: &str| item.get_string(key).unwrap_or_default().into_owned();
    match (item.get_string("text"), item.get_string("blob")) {
        (Some(text), _) => text.into_owned(),
        (None, Some(blob)) => {
            let (uri, kind) = (get("uri"), get("mimeType"));
            format!("[{uri} {kind}, {} bytes; --raw shows it]", size(&blob))
        }
        (None, None) => format!("[{}]", get("uri")),
    }
}

fn size(base64: &str) -> usize {
    STANDARD.decode(base64).map_or(base64.len(), |bytes| bytes.len())
}
