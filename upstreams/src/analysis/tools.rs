//! The tool `analyze_data`: a thread reads the rows, the call tells progress and can be cancelled.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::model::ProgressNotificationParam;
use rmcp::service::RequestContext;
use rmcp::{RoleServer, tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;

use super::Main;
use super::cell::Cell;
use super::column::Column as Learnt;
use super::report::Report;
use super::rows::{self, Column, Next, Table};
use super::security::Findings;
use super::settings::{Place, Settings};
use super::source::{self, Format};
use super::watch::Signals;
use crate::checks::Checks;
use crate::fault::{Code, Fault};

/// Between two reports of progress.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AnalyzeArguments {
    /// The data itself (with a line break, or beginning with `[` or `{`), the path of a file in a
    /// folder that may be read, or the URI enterprise://data/<id> of a resource.
    #[schemars(length(min = 1))]
    source: String,
    /// How thorough the analysis is.
    #[serde(default)]
    analysis_type: AnalysisType,
    #[serde(default)]
    options: AnalyzeOptions,
}

#[derive(Deserialize, JsonSchema, Default, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum AnalysisType {
    /// Columns with their kinds, counts, missing values and bounds.
    #[default]
    Quick,
    /// Also how values are spread, which are frequent, and outliers.
    Comprehensive,
    /// Also secrets, personal data, and texts that attack whoever reads them.
    Security,
}

#[derive(Deserialize, JsonSchema, Default)]
#[serde(default, deny_unknown_fields)]
struct AnalyzeOptions {
    /// How the data is written; found out unless given.
    format: Option<Format>,
    /// What separates the fields of CSV; found out unless given.
    #[schemars(length(min = 1, max = 1))]
    delimiter: Option<String>,
    /// Whether the first row of CSV has the names of the columns; true unless given.
    header: Option<bool>,
    /// Only the first rows.
    #[schemars(range(min = 1))]
    rows: Option<u64>,
    /// Only these columns.
    #[schemars(length(min = 1, max = 1_000))]
    columns: Option<Vec<String>>,
}

/// An analysis to be made.
struct Task {
    place: Place,
    settings: Arc<Settings>,
    signals: Arc<Signals>,
    analysis_type: AnalysisType,
    options: AnalyzeOptions,
}

/// Ends the thread of an analysis whose call has ended.
struct Cancel(Arc<Signals>);

impl Drop for Cancel {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

#[tool_router(vis = "pub(super)")]
impl Main {
    #[tool(
        title = "Analyse data",
        description = "Analyses CSV, JSON or JSON-lines data: columns and their kinds, counts, \
                       missing values, distributions, outliers; secrets, personal data and \
                       injected code in `security`.",
        annotations(read_only_hint = true, open_world_hint = false)
    )]
    async fn analyze_data(
        &self,
        Parameters(arguments): Parameters<AnalyzeArguments>,
        context: RequestContext<RoleServer>,
    ) -> Result<Json<Report>, Fault> {
        let AnalyzeArguments { source, analysis_type, options } = arguments;
        check(&options)?;
        // Held by the thread, which outlives a call that is dropped by a row or so.
        let place = Arc::clone(&self.analyses).acquire_owned().await;
        let place = place.map_err(|fault| Fault::new(Code::Internal, fault.to_string()))?;
        let signals = Arc::<Signals>::default();
        let _cancel = Cancel(Arc::clone(&signals));
        let settings = Arc::clone(&self.settings);
        let told = Arc::clone(&signals);
        let thread = tokio::task::spawn_blocking(move || {
            let _place = place;
            let origin = origin(&source);
            let place = settings.find(source)?;
            let task = Task { place, settings, signals: told, analysis_type, options };
            Ok::<_, Fault>(Report { source: origin, ..task.run()? })
        });
        self.wait(thread, &signals, &context).await.map(Json)
    }

    /// Waits for an analysis, tells its progress, and ends it when its time is over.
    async fn wait(
        &self,
        mut thread: tokio::task::JoinHandle<Result<Report, Fault>>,
        signals: &Signals,
        context: &RequestContext<RoleServer>,
    ) -> Result<Report, Fault> {
        let seconds = Duration::from_secs(self.settings.seconds_max);
        let mut end = std::pin::pin!(tokio::time::sleep(seconds));
        let mut ticks = tokio::time::interval(PROGRESS_EVERY);
        let mut is_over = false;
        loop {
            tokio::select! {
                ended = &mut thread => {
                    report(context, signals).await;
                    return ended.unwrap_or_else(|fault| {
                        Err(Fault::new(Code::Internal, format!("the analysis broke: {fault}")))
                    });
                }
                () = &mut end, if !is_over => {
                    is_over = true;
                    signals.end_time();
                }
                _ = ticks.tick() => report(context, signals).await,
            }
        }
    }
}

/// Tells how many bytes were read. Whoever does not want to hear does not stop the analysis.
async fn report(context: &RequestContext<RoleServer>, signals: &Signals) {
    let bytes = signals.bytes.load(Ordering::Relaxed);
    if let Some(token) = context.meta.get_progress_token().filter(|_| bytes > 0) {
        let progress = ProgressNotificationParam::new(token, bytes as f64)
            .with_message(format!("{bytes} bytes read"));
        context.peer.notify_progress(progress).await.ok();
    }
}

/// What options ask of each other.
fn check(options: &AnalyzeOptions) -> Result<(), Fault> {
    let mut checks = Checks::new();
    let is_csv = options.format.is_none_or(|format| format == Format::Csv);
    let delimiter = options.delimiter.as_deref();
    let expected = "nothing: only CSV has delimiters";
    checks.that(is_csv || delimiter.is_none(), "options.delimiter", expected, "one");
    let is_ascii =
        delimiter.is_none_or(|text| text.is_ascii() && !text.contains(['"', '\n', '\r']));
    let came = crate::expected::short(delimiter.unwrap_or_default());
    let expected = "one ASCII character that is no quote and no line end";
    checks.that(is_ascii, "options.delimiter", expected, &format!("`{came}`"));
    let expected = "nothing: only CSV has a header";
    checks.that(is_csv || options.header.is_none(), "options.header", expected, "one");
    checks.done()
}

/// Which of the three forms of source it is.
fn origin(source: &str) -> &'static str {
    let start = source.trim_start();
    match start {
        _ if start.starts_with("enterprise:") => "resource",
        _ if source.contains('\n') || start.starts_with(['[', '{']) => "inline",
        _ => "file",
    }
}

impl Task {
    fn run(self) -> Result<Report, Fault> {
        let Self { place, settings, signals, analysis_type, options } = self;
        let delimiter = options.delimiter.as_ref().and_then(|text| text.bytes().next());
        let source = source::open(&place, &settings, &signals, (options.format, delimiter))?;
        let (format, seen) = (source.format, std::rc::Rc::clone(&source.seen));
        let mut analysis = Analysis {
            columns: Vec::new(),
            by_name: HashMap::new(),
            wanted: options.columns,
            rows: 0,
            rows_wanted: options.rows.unwrap_or(u64::MAX),
            has_more: false,
            rows_max: settings.rows_max,
            columns_max: settings.columns_max,
            findings: (analysis_type == AnalysisType::Security).then(Findings::default),
        };
        rows::read(source, options.header.unwrap_or(true), &mut analysis)?;
        analysis.refuse_unknown()?;
        let is_full = analysis_type != AnalysisType::Quick;
        let kept = |column: &&Learnt| analysis.wants(&column.name);
        let name_of = |at: usize| {
            analysis.columns.get(at).map(|column| column.name.clone()).unwrap_or_default()
        };
        Ok(Report {
            source: "",
            format,
            bytes: seen.bytes(),
            rows: analysis.rows,
            has_more: analysis.has_more,
            columns: analysis
                .columns
                .iter()
                .filter(kept)
                .map(|column| column.report(analysis.rows, is_full))
                .collect(),
            findings: analysis.findings.as_ref().map(|findings| findings.report(name_of)),
        })
    }
}

/// An analysis under way.
struct Analysis {
    columns: Vec<Learnt>,
    by_name: HashMap<String, usize>,
    wanted: Option<Vec<String>>,
    rows: u64,
    rows_wanted: u64,
    has_more: bool,
    rows_max: u64,
    columns_max: usize,
    findings: Option<Findings>,
}

impl Analysis {
    fn wants(&self, name: &str) -> bool {
        self.wanted.as_ref().is_none_or(|wanted| wanted.iter().any(|one| one == name))
    }

    fn column(&mut self, column: &Column<'_>) -> Result<usize, Fault> {
        let name = match column {
            Column::At(at) => return Ok(*at),
            Column::Named(name) => *name,
        };
        if let Some(at) = self.by_name.get(name) {
            return Ok(*at);
        }
        self.add(name.to_owned())
    }

    fn add(&mut self, name: String) -> Result<usize, Fault> {
        let (at, max) = (self.columns.len(), self.columns_max);
        if at >= max {
            let text = format!("the source has more than {max} columns, the most that is taken");
            return Err(Fault::new(Code::Limited, text));
        }
        self.by_name.insert(name.clone(), at);
        self.columns.push(Learnt::new(name));
        Ok(at)
    }

    /// Refuses wanted columns that did not come.
    fn refuse_unknown(&self) -> Result<(), Fault> {
        let mut checks = Checks::new();
        let known: Vec<&str> = self.columns.iter().take(20).map(|one| one.name.as_str()).collect();
        let known = crate::expected::short(&known.join(", "));
        for wanted in self.wanted.iter().flatten() {
            let came = format!("`{}`", crate::expected::short(wanted));
            let expected = format!("columns of the source: {known}");
            let is_known = self.by_name.contains_key(wanted);
            checks.that(is_known, "options.columns", &expected, &came);
        }
        checks.done()
    }
}

impl Table for Analysis {
    fn head(&mut self, names: Vec<String>) -> Result<(), Fault> {
        for name in names {
            if self.by_name.contains_key(&name) {
                let name = crate::expected::short(&name);
                let text =
                    format!("the head has two columns `{name}`: give each a name of its own");
                return Err(Fault::new(Code::Unreadable, text));
            }
            self.add(name)?;
        }
        self.refuse_unknown()
    }

    fn row(
        &mut self,
        cells: &mut dyn Iterator<Item = (Column<'_>, Cell<'_>)>,
    ) -> Result<Next, Fault> {
        if self.rows >= self.rows_wanted {
            self.has_more = true;
            return Ok(Next::Enough);
        }
        if self.rows >= self.rows_max {
            let max = self.rows_max;
            let text = format!(
                "the source has more than {max} rows, the most that is taken: give fewer in \
                 `options.rows`"
            );
            return Err(Fault::new(Code::Limited, text));
        }
        self.rows += 1;
        let row = self.rows;
        for (column, cell) in cells {
            let at = self.column(&column)?;
            let Some(learnt) = self.columns.get(at) else { continue };
            if !self.wants(&learnt.name) {
                continue;
            }
            if let (Some(findings), Some(text)) = (&mut self.findings, looked_at(&cell)) {
                findings.look(&text, at, row);
            }
            if let Some(learnt) = self.columns.get_mut(at) {
                learnt.take(&cell, row);
            }
        }
        Ok(Next::More)
    }
}

/// The text of a value in which something may be found; a long number may be that of a card.
fn looked_at<'a>(cell: &'a Cell<'_>) -> Option<std::borrow::Cow<'a, str>> {
    const DIGITS_MIN: f64 = 1e12;
    match (cell.text(), cell.number()) {
        (Some(text), _) => Some(text.into()),
        (None, Some(number)) if number >= DIGITS_MIN => Some(format!("{number:.0}").into()),
        _ => None,
    }
}
