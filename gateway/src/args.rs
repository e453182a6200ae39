//! The command line of the program `gateway`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Composes many MCP servers behind one endpoint.
///
/// `gateway` alone is `gateway run`: it mounts what ./routing.toml says (without such a file, the
/// servers that are compiled in) and serves all of it at http://127.0.0.1:8808/mcp.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

const EXIT_CODES: &str = "Exit codes: 0 all went well; 1 what was asked for failed; \
2 the command line or the configuration is wrong; 130 a second Ctrl-C ended it at once.
Environment: GATEWAY_GATEWAY__LISTEN, GATEWAY_MOUNTS__<NAME>__<KEY>, … set keys of the \
configuration; GATEWAY_LOG is --log.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the mounts (the default).
    Run(RunArgs),
    /// Report every problem of the configuration.
    Check(CheckArgs),
    /// Show what a reload would do.
    Plan(PlanArgs),
    /// Show what the mounts offer.
    List(ListArgs),
    /// Call a tool and print its result.
    Call(CallArgs),
    /// Read a resource and print it.
    Read(ReadArgs),
    /// Write something new to start from.
    #[command(subcommand)]
    New(New),
}

#[derive(Debug, Subcommand)]
pub(crate) enum New {
    /// A crate with a child of your own, tests, and a gateway that mounts it.
    Child(NewChildArgs),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct NewChildArgs {
    /// The name of crate and mount: a lower-case letter, then lower-case letters, digits and `-`.
    pub(crate) name: String,
    /// The folder to make [default: the name].
    #[arg(long, value_name = "FOLDER")]
    pub(crate) path: Option<PathBuf>,
    /// The checkout of the gateway that the crate uses [default: that of this program].
    #[arg(long, value_name = "FOLDER")]
    pub(crate) source: Option<PathBuf>,
}

/// How much is logged, and how; the log goes to standard error.
#[derive(Debug, Clone, Args)]
pub(crate) struct LogArgs {
    /// What is logged: a level, or directives such as `warn,gateway::mount=debug`
    /// [default: info for run, error else].
    #[arg(long, global = true, env = "GATEWAY_LOG", value_name = "FILTER")]
    pub(crate) log: Option<String>,
    /// How it is printed.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

#[derive(Debug, Clone, Default, Args)]
pub(crate) struct RunArgs {
    /// The configuration [default: ./routing.toml, or the built-in one where there is none].
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Where to listen, such as 127.0.0.1:8808 (gateway.listen).
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
    /// Where the admin endpoints listen, or `off` (gateway.admin).
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) admin: Option<String>,
    /// Set any key of the configuration, such as mounts.files.timeout=90s.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Serve one client on standard input and output instead of listening.
    #[arg(long)]
    pub(crate) stdio: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct CheckArgs {
    /// The configuration [default: ./routing.toml, or the built-in one where there is none].
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Set any key of the configuration, such as mounts.files.timeout=90s.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Also dial every mount and show what each offers.
    #[arg(long)]
    pub(crate) connect: bool,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct PlanArgs {
    /// The configuration; the gateway that runs is asked at its `gateway.admin`
    /// [default: ./routing.toml, or the built-in one where there is none].
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Compare with this file instead of asking a gateway.
    #[arg(long, value_name = "FILE")]
    pub(crate) against: Option<PathBuf>,
    /// Set any key of the configuration, such as gateway.admin=127.0.0.1:9000.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Whom to ask: a gateway of this process's own, or one that runs.
#[derive(Debug, Clone, Args)]
pub(crate) struct WhomArgs {
    /// Ask the MCP server at this URL instead of mounting the configuration for this one command.
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// The configuration [default: ./routing.toml, or the built-in one where there is none].
    #[arg(short, long, value_name = "FILE", conflicts_with = "url")]
    pub(crate) config: Option<PathBuf>,
    /// Set any key of the configuration, such as mounts.files.timeout=90s.
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "url")]
    pub(crate) set: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Listed {
    /// Tools.
    Tools,
    /// Resources and resource templates.
    Resources,
    /// Prompts.
    Prompts,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ListArgs {
    /// Which list [default: all].
    #[arg(value_enum)]
    pub(crate) what: Option<Listed>,
    /// Print JSON: an object of arrays with the entries as they are.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) whom: WhomArgs,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct CallArgs {
    /// The tool.
    pub(crate) tool: String,
    /// Arguments; a value is read as the tool's schema says, `key:=JSON` as JSON.
    #[arg(value_name = "KEY=VALUE", conflicts_with = "json")]
    pub(crate) arguments: Vec<String>,
    /// All arguments as one JSON object.
    #[arg(long, value_name = "OBJECT")]
    pub(crate) json: Option<String>,
    /// Print the whole result as JSON.
    #[arg(long)]
    pub(crate) raw: bool,
    #[command(flatten)]
    pub(crate) whom: WhomArgs,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ReadArgs {
    /// The resource's URI.
    pub(crate) uri: String,
    /// Print the whole result as JSON.
    #[arg(long)]
    pub(crate) raw: bool,
    #[command(flatten)]
    pub(crate) whom: WhomArgs,
}
