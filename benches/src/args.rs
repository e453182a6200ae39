//! The command line: the subcommands and their bounds.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum, value_parser};
use serde::Serialize;

use crate::wire::Era;

/// Longest result text a child is asked for, in bytes.
const RESULT_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Most connections the load generator opens.
const CONNECTIONS_MAX: u64 = 1024;

/// Most calls of one round: each keeps one latency sample of 8 bytes.
const CALLS_MAX: u64 = 2_000_000;

/// Longest round, in seconds.
const SECONDS_MAX: u64 = 600;

/// Most gateways or children that are started and killed in one run.
const CYCLES_MAX: u64 = 1_000_000;

/// Most rounds of one case.
const ROUNDS_MAX: u64 = 100;

/// Measures what one hop through the gateway costs.
#[derive(Debug, Parser)]
#[command(name = "benches", version)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) what: What,
}

#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// A bare HTTP/1.1 reverse proxy that only copies bodies: the least a hop can cost.
    Floor(FloorArgs),
    /// A scripted MCP server that answers at once.
    Child(ChildArgs),
    /// The gateway with the scripted child compiled in.
    Embed(EmbedArgs),
    /// Calls one tool over and over and measures the answers.
    Load(LoadArgs),
    /// Starts child, floor and gateway, alternates load on them, prints and keeps the table.
    Compare(CompareArgs),
    /// Calls at load while children are killed at random; every promise is checked.
    Soak(SoakArgs),
    /// Starts and kills gateways and children; nothing may be left, and nothing grow.
    Custody(CustodyArgs),
    /// The time to the first complete list, with dead and hanging children.
    FirstList(FirstListArgs),
    /// The latency of a healthy mount beside a sick one.
    Beside(BesideArgs),
    /// A child that does one kind of harm in each call, on standard input and output.
    Sick(SickArgs),
    /// The grandchild of `custody` that got away.
    #[command(hide = true)]
    Fugitive {
        /// By which it is found.
        mark: PathBuf,
    },
}

/// The gateway, and what is kept of the figures.
#[derive(Debug, clap::Args)]
pub(crate) struct KeptArgs {
    /// The program `gateway`; unless given, the one beside this program.
    #[arg(long)]
    pub(crate) gateway: Option<PathBuf>,
    /// Words to keep with the result: what was changed, which commit.
    #[arg(long, default_value = "")]
    pub(crate) note: String,
    /// Folder of the result files.
    #[arg(long, default_value = "benches/results")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CustodyArgs {
    /// Gateways that are started and killed.
    #[arg(long, default_value_t = 1000, value_parser = value_parser!(u64).range(1..=CYCLES_MAX))]
    pub(crate) cycles: u64,
    /// So many at a time.
    #[arg(long, default_value_t = 4, value_parser = value_parser!(u64).range(1..=64))]
    pub(crate) at_once: u64,
    /// Deaths of the child of one gateway.
    #[arg(long, default_value_t = 1000, value_parser = value_parser!(u64).range(1..=CYCLES_MAX))]
    pub(crate) deaths: u64,
    /// Names the result files: `<date>-<what>.json` and `.md`.
    #[arg(long, default_value = "custody", value_parser = file_name_part)]
    pub(crate) what: String,
    #[command(flatten)]
    pub(crate) kept: KeptArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct FirstListArgs {
    /// Child processes of the gateway.
    #[arg(long, default_value_t = 50, value_parser = value_parser!(u64).range(1..=1000))]
    pub(crate) children: u64,
    /// Of these, so many end at once when they are started.
    #[arg(long, default_value_t = 10)]
    pub(crate) dead: u64,
    /// And so many never say a word.
    #[arg(long, default_value_t = 5)]
    pub(crate) hanging: u64,
    /// Starts of the gateway that are measured.
    #[arg(long, default_value_t = 20, value_parser = value_parser!(u64).range(1..=1000))]
    pub(crate) starts: u64,
    /// Names the result files: `<date>-<what>.json` and `.md`.
    #[arg(long, default_value = "first-list", value_parser = file_name_part)]
    pub(crate) what: String,
    #[command(flatten)]
    pub(crate) kept: KeptArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct BesideArgs {
    /// Callers of the sick mount.
    #[arg(long, default_value_t = 4, value_parser = value_parser!(u64).range(1..=CONNECTIONS_MAX))]
    pub(crate) callers: u64,
    /// Rounds alone and beside, in turn.
    #[arg(long, default_value_t = 5, value_parser = value_parser!(u64).range(1..=ROUNDS_MAX))]
    pub(crate) rounds: u64,
    /// Seconds of each round.
    #[arg(long, default_value_t = 3, value_parser = value_parser!(u64).range(1..=SECONDS_MAX))]
    pub(crate) seconds: u64,
    /// Names the result files: `<date>-<what>.json` and `.md`.
    #[arg(long, default_value = "beside", value_parser = file_name_part)]
    pub(crate) what: String,
    #[command(flatten)]
    pub(crate) kept: KeptArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SickArgs {
    /// What it does in each call.
    #[arg(long, value_enum)]
    pub(crate) harm: Harm,
}

/// What a sick child does in each call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Harm {
    /// Notifications without a pause, for two seconds; then the answer.
    Flood,
    /// No answer.
    Hang,
    /// The answer, a byte at a time.
    Drip,
    /// An answer of 1 GiB.
    Huge,
}

impl Harm {
    /// In a few words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Flood => "floods with notifications",
            Self::Hang => "never answers",
            Self::Drip => "answers a byte at a time",
            Self::Huge => "answers with 1 GiB",
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct SoakArgs {
    /// How long it takes, in seconds.
    #[arg(long, default_value_t = 180, value_parser = value_parser!(u64).range(4..=SECONDS_MAX))]
    pub(crate) seconds: u64,
    /// Clients at the same time, in turn of either era.
    #[arg(long, default_value_t = 16, value_parser = value_parser!(u64).range(1..=CONNECTIONS_MAX))]
    pub(crate) callers: u64,
    /// A child dies so often.
    #[arg(long, default_value_t = 500, value_parser = value_parser!(u64).range(10..=60_000))]
    pub(crate) kill_every_ms: u64,
    /// Names the result files: `<date>-<what>.json` and `.md`.
    #[arg(long, default_value = "soak", value_parser = file_name_part)]
    pub(crate) what: String,
    #[command(flatten)]
    pub(crate) kept: KeptArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct FloorArgs {
    /// Where requests go: `http://HOST:PORT/PATH`.
    #[arg(long)]
    pub(crate) to: http::Uri,
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub(crate) listen: std::net::SocketAddr,
    /// End when standard input ends, so that no process is left behind.
    #[arg(long)]
    pub(crate) tied: bool,
}

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("transport").required(true))]
pub(crate) struct ChildArgs {
    /// Speak Streamable HTTP.
    #[arg(long, group = "transport")]
    pub(crate) http: bool,
    /// Speak lines on standard input and output.
    #[arg(long, group = "transport")]
    pub(crate) stdio: bool,
    /// Length of the text in each result of `tools/call`.
    #[arg(long, default_value_t = 300,
          value_parser = value_parser!(u64).range(..=RESULT_BYTES_MAX))]
    pub(crate) bytes: u64,
    /// Which era to speak.
    #[arg(long, value_enum, default_value = "both")]
    pub(crate) era: Speaks,
    /// Where to listen (with --http).
    #[arg(long, default_value = "127.0.0.1:0")]
    pub(crate) listen: std::net::SocketAddr,
    /// A file in which each executed call leaves a line with its argument `text`.
    #[arg(long)]
    pub(crate) ledger: Option<PathBuf>,
    /// End when standard input ends (with --http; with --stdio it always does).
    #[arg(long)]
    pub(crate) tied: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct EmbedArgs {
    /// Length of the text in each result of `tools/call`.
    #[arg(long, default_value_t = 300,
          value_parser = value_parser!(u64).range(..=RESULT_BYTES_MAX))]
    pub(crate) bytes: u64,
    /// The child is a server of the Rust SDK, with typed results; else it has its answers ready.
    #[arg(long)]
    pub(crate) sdk: bool,
    /// End when standard input ends, so that no process is left behind.
    #[arg(long)]
    pub(crate) tied: bool,
}

/// Which eras the scripted child answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Speaks {
    Modern,
    Legacy,
    Both,
}

impl From<Era> for Speaks {
    fn from(era: Era) -> Self {
        match era {
            Era::Modern => Self::Modern,
            Era::Legacy => Self::Legacy,
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct LoadArgs {
    /// The endpoint: `http://HOST:PORT/PATH`.
    #[arg(long)]
    pub(crate) to: http::Uri,
    /// Which tool to call: `echo` at the child, `bench_echo` through the gateway.
    #[arg(long, default_value = "echo")]
    pub(crate) tool: String,
    /// Which era to speak.
    #[arg(long, value_enum, default_value = "modern")]
    pub(crate) era: Era,
    /// Length of the text that each answer must have.
    #[arg(long, default_value_t = 300,
          value_parser = value_parser!(u64).range(..=RESULT_BYTES_MAX))]
    pub(crate) bytes: u64,
    /// How many connections call at the same time, each one call after the other.
    #[arg(long, default_value_t = 1, value_parser = value_parser!(u64).range(1..=CONNECTIONS_MAX))]
    pub(crate) connections: u64,
    #[command(flatten)]
    pub(crate) length: RoundArgs,
    /// Print the figures as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// How long one round is: it ends with the calls or with the seconds, whichever is first.
#[derive(Debug, Clone, Copy, clap::Args, Serialize)]
pub(crate) struct RoundArgs {
    /// Calls of one round.
    #[arg(long, default_value_t = 20_000, value_parser = value_parser!(u64).range(1..=CALLS_MAX))]
    pub(crate) calls: u64,
    /// Seconds after which a round begins no further call.
    #[arg(long, default_value_t = 20, value_parser = value_parser!(u64).range(1..=SECONDS_MAX))]
    pub(crate) seconds: u64,
    /// Calls before each round that are checked and not measured.
    #[arg(long, default_value_t = 2_000, value_parser = value_parser!(u64).range(..=CALLS_MAX))]
    pub(crate) warmup: u64,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CompareArgs {
    /// The program `gateway`; unless given, the one beside this program.
    #[arg(long)]
    pub(crate) gateway: Option<PathBuf>,
    /// Ways to the child; unless given, all for which the programs are there.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) ways: Vec<WayName>,
    /// Eras of the client.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "modern,legacy")]
    pub(crate) eras: Vec<Era>,
    /// Era of the child behind the gateway; `same` is the client's.
    #[arg(long, value_enum, default_value = "same")]
    pub(crate) child_era: ChildEra,
    /// Lengths of result texts.
    #[arg(long, value_delimiter = ',', default_value = "300,65536",
          value_parser = value_parser!(u64).range(..=RESULT_BYTES_MAX))]
    pub(crate) bytes: Vec<u64>,
    /// Numbers of connections.
    #[arg(long, value_delimiter = ',', default_value = "1,32",
          value_parser = value_parser!(u64).range(1..=CONNECTIONS_MAX))]
    pub(crate) connections: Vec<u64>,
    /// Rounds of each way in each case; the ways take turns.
    #[arg(long, default_value_t = 5, value_parser = value_parser!(u64).range(1..=ROUNDS_MAX))]
    pub(crate) rounds: u64,
    /// Repeat a round, a few times, when others took more than this of the processor, in percent.
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u64).range(..=100))]
    pub(crate) others_max: u64,
    #[command(flatten)]
    pub(crate) length: RoundArgs,
    /// Names the result files: `<date>-<what>.json` and `.md`.
    #[arg(long, default_value = "compare", value_parser = file_name_part)]
    pub(crate) what: String,
    /// Words to keep with the result: what was changed, which commit.
    #[arg(long, default_value = "")]
    pub(crate) note: String,
    /// Folder of the result files.
    #[arg(long, default_value = "benches/results")]
    pub(crate) out: PathBuf,
}

/// A way from the load generator to the child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum WayName {
    /// The child itself.
    Direct,
    /// The bare proxy in front of the child.
    Floor,
    /// The gateway, which reaches the child over HTTP.
    Gateway,
    /// The gateway, which runs the child on standard input and output.
    GatewayStdio,
    /// The gateway with the child in its own process.
    InProcess,
    /// The same with the child as a server of the Rust SDK.
    InProcessSdk,
}

/// Which era the child behind the gateway speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ChildEra {
    Same,
    Modern,
    Legacy,
    Both,
}

impl ChildEra {
    /// What the child is started with when the client speaks `era`.
    pub(crate) fn for_client(self, era: Era) -> Speaks {
        match self {
            Self::Same => era.into(),
            Self::Modern => Speaks::Modern,
            Self::Legacy => Speaks::Legacy,
            Self::Both => Speaks::Both,
        }
    }
}

/// Only what is safe in a file name on every system.
fn file_name_part(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !text.is_empty() && text.chars().all(fits) {
        Ok(text.to_owned())
    } else {
        Err(format!("expected letters, digits, `-` and `_`, got `{text}`"))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_result_name_cannot_leave_the_folder() {
        assert!(file_name_part("../x").is_err());
        assert!(file_name_part("").is_err());
        assert_eq!(file_name_part("first-table"), Ok("first-table".to_owned()));
    }
}
