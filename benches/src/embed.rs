//! The gateway with the scripted child compiled in: this program is the gateway's process.

use std::sync::{Arc, LazyLock};

use gateway::config::{FileSource, Sources, load};
use gateway::{Children, Gateway};
use protocol::{ChildRequest, ErrorObject, InProcess, Make, Raw, Sending, error};
use rmcp::model::{CallToolResult, ContentBlock, ServerCapabilities, ServerConfig};
use rmcp::{ServerHandler, tool, tool_handler, tool_router};
use upstreams::Tools;

use crate::args::EmbedArgs;
use crate::child::script::{Answers, text_of};
use crate::fault::Fault;
use crate::say;
use crate::serve::end_of_input;

const ROUTING: &str = "[gateway]\nlisten = \"127.0.0.1:0\"\nadmin = \"off\"\n\n\
                       [mounts.bench]\nin_process = \"bench\"\n";

static TOOLS: LazyLock<Tools<Sdk>> = LazyLock::new(|| Tools::new(Sdk::tool_router()));

/// Serves until standard input ends if tied, else until the process ends.
///
/// # Errors
/// The gateway does not start.
pub(crate) async fn run(args: EmbedArgs) -> Result<(), Fault> {
    let bytes = usize::try_from(args.bytes).map_err(Fault::during("--bytes"))?;
    let child: Arc<dyn InProcess> = match args.sdk {
        true => upstreams::mount(Sdk { text: text_of(bytes) }),
        false => Arc::new(Plain::new(bytes)),
    };
    let make: Arc<dyn Make> = Arc::new(move || Arc::clone(&child));
    let children = Children::from([("bench", make)]);
    let loaded = load(Sources {
        file: FileSource::Embedded(ROUTING),
        environment: Vec::new(),
        flags: Vec::new(),
        children: &children,
    });
    let config = loaded.map_err(|problems| Fault(problems.to_string()))?.config;
    let gateway = Gateway::start(config, &children).map_err(Fault)?;
    let listening = gateway.listen().await.map_err(Fault)?;
    say(&format!("endpoint   {}/mcp", listening.mcp));
    if args.tied {
        end_of_input().await;
    } else {
        std::future::pending::<()>().await;
    }
    gateway.stop().await;
    Ok(())
}

/// The child as a server of the Rust SDK, as those that come with the gateway are.
struct Sdk {
    text: String,
}

#[tool_router]
impl Sdk {
    #[tool(description = "Answers with a text of a fixed length, at once.")]
    fn echo(&self) -> CallToolResult {
        CallToolResult::success(vec![ContentBlock::text(self.text.clone())])
    }
}

#[tool_handler(router = TOOLS)]
impl ServerHandler for Sdk {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }
}

/// The child as plain answers, printed beforehand: what the process of the other ways says.
struct Plain {
    discover: Raw,
    list: Raw,
    call: Raw,
}

impl Plain {
    fn new(bytes: usize) -> Self {
        let answers = Answers::new(bytes);
        let (discover, list) = (Raw::of(&answers.discover), Raw::of(&answers.list));
        Self { discover, list, call: Raw::of(&answers.call) }
    }

    fn answer(&self, method: &str) -> Result<Raw, ErrorObject> {
        match method {
            "server/discover" => Ok(self.discover.clone()),
            "tools/list" => Ok(self.list.clone()),
            "tools/call" => Ok(self.call.clone()),
            other => {
                let text = format!("unknown method `{other}`");
                Err(ErrorObject::new(error::METHOD_NOT_FOUND, text))
            }
        }
    }
}

impl InProcess for Plain {
    fn request(&self, request: ChildRequest) -> Sending<'static, Result<Raw, ErrorObject>> {
        let answer = self.answer(&request.method);
        Box::pin(async move { answer })
    }
}
