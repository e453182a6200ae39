//! A program that has a gateway in it, as users of the library write it; on a line on its standard
//! input it panics.

use std::path::Path;
use std::process::ExitCode;

use gateway::config::{FileSource, Sources, load};
use gateway::{Children, Gateway};
use tokio::io::{AsyncBufReadExt, BufReader};

fn main() -> ExitCode {
    gateway::connect::warden_if_asked();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let ended = runtime.map_err(|why| why.to_string()).and_then(|runtime| runtime.block_on(run()));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

async fn run() -> Result<(), String> {
    let file = std::env::args().nth(1).ok_or("expected the path of a file of mounts")?;
    let children = Children::new();
    let sources = Sources {
        file: FileSource::Path(Path::new(&file)),
        environment: Vec::new(),
        flags: Vec::new(),
        children: &children,
    };
    let loaded = load(sources).map_err(|problems| problems.to_string())?;
    let gateway = Gateway::start(loaded.config, &children)?;
    let listening = gateway.listen().await?;
    tell(&format!("endpoint {}/mcp", listening.mcp))?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let line = lines.next_line().await.map_err(|why| why.to_string())?;
    assert!(line.is_none(), "a panic was asked for");
    gateway.stop().await;
    Ok(())
}

fn tell(line: &str) -> Result<(), String> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|why| why.to_string())
}
