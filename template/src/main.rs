//! A gateway with the child `hello` compiled in, beside those that come with it.

use std::path::Path;

use gateway::config::{FileSource, Sources, load};
use gateway::{Children, Gateway};
use hello::Child;
use upstreams::with_options;

#[tokio::main]
async fn main() -> Result<(), String> {
    let mut children: Children = upstreams::builtins().into_iter().collect();
    children.insert("hello", with_options(|options, _folder| Ok(Child::new(options))));

    let file = std::env::args().nth(1).unwrap_or_else(|| "routing.toml".to_owned());
    let loaded = load(Sources {
        file: FileSource::Path(Path::new(&file)),
        environment: std::env::vars().collect(),
        flags: Vec::new(),
        children: &children,
    });
    let config = loaded.map_err(|problems| problems.to_string())?.config;
    let gateway = Gateway::start(config, &children)?;
    let listening = gateway.listen().await?;
    println!("serving {}/mcp", listening.mcp);
    tokio::signal::ctrl_c().await.map_err(|fault| fault.to_string())?;
    gateway.stop().await;
    Ok(())
}
