//! Child processes: nothing that a child started outlives the gateway, however either ends.

mod survivors;
mod orphans;
mod moody;
mod drain;
mod kept;
mod idle;
mod reload;
mod retired;

use std::path::{Path, PathBuf};

use harness::apart::Apart;
use harness::start::until;
use harness::stray::Stray;
use serde_json::json;
use tempfile::TempDir;

/// A server that starts a grandchild which does all to get away.
const SERVER: &str = include_str!("server.py");

/// The folder of one test. Its path stands in the arguments or the environment of each process that
/// was started for it, which is how all of them are found.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("server.py"), SERVER).expect("a file");
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A file of mounts with `text` after what every test has in it.
    fn file(&self, text: &str) -> PathBuf {
        let file = self.path().join("routing.toml");
        let head = "[gateway]\nlisten = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n";
        std::fs::write(&file, format!("{head}{text}")).expect("a file");
        file
    }

    /// A mount of the server behind a shell that waits for it, as `npx` and `uvx` do.
    fn wrapped(&self, name: &str) -> String {
        let args = json!(["-c", "python3 server.py; true"]);
        let (cwd, mark) = (json!(self.path()), json!(self.path()));
        format!(
            "[mounts.{name}]\ncommand = \"sh\"\nargs = {args}\ncwd = {cwd}\nenv = {{ MARK = {mark} }}\n"
        )
    }

    /// Starts the program with the wrapped server and waits until the grandchild got away.
    async fn start(&self) -> Apart {
        let apart = Apart::start(&self.file(&self.wrapped("w"))).await;
        self.fugitives(1).await;
        apart
    }

    /// Waits until `count` grandchildren got away since the test began.
    async fn fugitives(&self, count: usize) {
        until("a grandchild that gets away", async || self.count_fugitives() >= count).await;
    }

    fn count_fugitives(&self) -> usize {
        let entries = std::fs::read_dir(self.path()).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter(|name| name.starts_with("fugitive.")).count()
    }

    /// Every process that was started for this test and lives.
    fn processes(&self) -> Vec<Stray> {
        Stray::all(self.path())
    }

    /// Waits until none is left.
    async fn assert_empty(&self) {
        until("the end of the last survivor", async || self.processes().is_empty()).await;
    }
}
