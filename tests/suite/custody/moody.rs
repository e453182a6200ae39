//! Children whose mood a test sets before they start.

use std::path::{Path, PathBuf};

use gateway::Children;
use harness::client::{Answer, Http, modern};
use harness::start::{Running, start};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A server in one of several moods.
const SERVER: &str = include_str!("moody.py");

/// A folder with children of any mood below it.
pub(super) struct Moody {
    folder: TempDir,
}

impl Moody {
    pub(super) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Sets what the child `name` does from its next start on.
    pub(super) fn set(&self, name: &str, mood: &str) {
        let folder = self.path().join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("server.py"), SERVER).expect("a file");
        std::fs::write(folder.join("mood"), mood).expect("a file");
    }

    /// The mount of a child.
    pub(super) fn mount(&self, name: &str, keys: &str) -> String {
        let cwd = json!(self.path().join(name));
        format!(
            "[mounts.{name}]\ncommand = \"python3\"\nargs = [\"server.py\"]\nera = \"legacy\"\n\
             cwd = {cwd}\n{keys}\n"
        )
    }

    /// A gateway in this process with these children, that keeps their catalogs.
    pub(super) async fn start(&self, names: &[&str]) -> Running {
        let text: String = names.iter().map(|name| self.mount(name, "")).collect();
        let state = self.path().join("state").display().to_string();
        start(text.leak(), &[("gateway.state", &state)], &Children::new()).await
    }

    /// The file that keeps the catalog of a child, once there is one.
    pub(super) fn kept(&self, name: &str) -> Option<PathBuf> {
        let entries = std::fs::read_dir(self.path().join("state/catalogs")).into_iter().flatten();
        let mut paths = entries.flatten().map(|entry| entry.path());
        let begin = format!("{name}-");
        let is_it = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            name.starts_with(&begin) && name.ends_with(".json")
        };
        paths.find(is_it)
    }
}

/// The names of all tools, and the whole answer.
pub(super) async fn tools(http: &Http) -> (Vec<String>, String) {
    let mut answer: Answer = http.send(&modern("tools/list", "{}")).await;
    let text = answer.message().await.expect("a list");
    let value: Value = serde_json::from_str(&text.replace("{gateway}", "{}")).expect("JSON");
    let tools = value["result"]["tools"].as_array().unwrap_or_else(|| panic!("{text}"));
    let names = tools.iter().map(|tool| tool["name"].as_str().expect("a name").to_owned());
    (names.collect(), text)
}
