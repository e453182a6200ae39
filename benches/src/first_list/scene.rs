//! The children of a gateway, each with a mood that is read when it starts.

use std::fs;
use std::path::PathBuf;

use serde_json::json;
use tempfile::TempDir;
use tokio::time::{Duration, sleep, timeout};

use crate::args::FirstListArgs;
use crate::compare::Process;
use crate::fault::Fault;
use crate::load::{Client, Endpoint};
use crate::wire::Era;

/// What a child does depends on the file `mood` in its folder. `$0` is this program.
const MOODY: &str = "case $(cat mood) in dead) exit 1;; hangs) exec sleep 1000;; \
                     *) exec \"$0\" child --stdio --era modern;; esac";
/// The longest wait for all catalogs to be learnt and kept.
const LEARN_WAIT: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What stays from one start to the next.
pub(super) struct Scene {
    folder: TempDir,
    gateway: Option<PathBuf>,
    routing: PathBuf,
    names: Vec<String>,
}

impl Scene {
    pub(super) fn new(args: &FirstListArgs) -> Result<Self, Fault> {
        let folder = tempfile::Builder::new().prefix("benches-").tempdir();
        let folder = folder.map_err(Fault::during("making a folder"))?;
        let me = std::env::current_exe().map_err(Fault::during("asking who we are"))?;
        let names: Vec<String> = (0..args.children).map(|number| format!("c{number}")).collect();
        let args_of_child = json!(["-c", MOODY, me.to_string_lossy()]);
        let mut text = "[gateway]\nlisten = \"127.0.0.1:0\"\nadmin = \"off\"\n".to_owned();
        for name in &names {
            let place = folder.path().join(name);
            fs::create_dir(&place).map_err(Fault::during(place.display()))?;
            let cwd = json!(place.to_string_lossy());
            text.push_str(&format!(
                "\n[mounts.{name}]\ncommand = \"sh\"\nargs = {args_of_child}\ncwd = {cwd}\n"
            ));
        }
        let routing = folder.path().join("routing.toml");
        fs::write(&routing, text).map_err(Fault::during(routing.display()))?;
        let scene = Self { folder, gateway: args.kept.gateway.clone(), routing, names };
        scene.set("well", scene.names.len())?;
        Ok(scene)
    }

    /// Gives the first `count` children a mood.
    fn set(&self, mood: &str, count: usize) -> Result<(), Fault> {
        for name in self.names.iter().take(count) {
            let path = self.folder.path().join(name).join("mood");
            fs::write(&path, mood).map_err(Fault::during(path.display()))?;
        }
        Ok(())
    }

    /// The first ones hang, those after them are dead.
    pub(super) fn spoil(&self, dead: u64, hanging: u64) -> Result<(), Fault> {
        let count = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        self.set("dead", count(dead + hanging))?;
        self.set("hangs", count(hanging))
    }

    pub(super) async fn start(&self) -> Result<Process, Fault> {
        Process::gateway(self.gateway.as_deref(), &self.routing, self.folder.path()).await
    }

    /// Runs until every catalog is kept; the names of all tools.
    pub(super) async fn learn(&self) -> Result<Vec<String>, Fault> {
        let gateway = self.start().await?;
        let endpoint = Endpoint::parse(&gateway.endpoint)?;
        let learnt = async {
            loop {
                let mut client = Client::open(&endpoint, Era::Modern).await?;
                let tools = client.tools().await?;
                if tools.len() == self.names.len() && self.kept() == self.names.len() {
                    return Ok(tools);
                }
                sleep(LOOK_EVERY).await;
            }
        };
        let tools = timeout(LEARN_WAIT, learnt).await;
        let tools = tools.map_err(Fault::during("waiting for all catalogs to be kept"))?;
        gateway.stop().await;
        tools
    }

    /// Catalogs that are kept.
    fn kept(&self) -> usize {
        let files = fs::read_dir(self.folder.path().join("gateway/catalogs"));
        let names = files.into_iter().flatten().flatten().map(|file| file.file_name());
        names.filter(|name| name.to_string_lossy().ends_with(".json")).count()
    }
}
