//! The tables for people: ratios first, then the figures they come from, in Markdown.

use super::result::{CaseResult, Report, Round, Spread, WayResult, size};
use crate::args::WayName;

/// Bytes of one MiB.
const MIB: f64 = 1_048_576.0;

/// The whole page.
pub(super) fn markdown(report: &Report) -> String {
    let machine = &report.machine;
    let mut page = format!("# {} of {}\n\n", report.what, report.date);
    if !report.note.is_empty() {
        page.push_str(&format!("{}\n\n", report.note));
    }
    page.push_str(&format!(
        "{}, {} cores, this run on core {}; Linux {}; load {:.2} before.\n",
        machine.processor, machine.cores, machine.cores_used, machine.kernel, machine.load_before,
    ));
    if let Some(others) = report.others() {
        page.push_str(&format!(
            "Others took {:.0} % of these cores in the median round, {:.0} % in the worst; the \
             host's other guests {:.1} % over the whole run.\n",
            others.median * 100.0,
            others.most * 100.0,
            report.stolen_share * 100.0,
        ));
    }
    if report.others_max_percent < 100 {
        let repeated: u32 = report.cases.iter().map(|case| case.repeated).sum();
        page.push_str(&format!(
            "Rounds in which others took more than {} % were repeated: {repeated} times.\n",
            report.others_max_percent,
        ));
    }
    page.push_str(&format!(
        "{} rounds of at most {} calls or {} s for each way, taking turns; medians of the \
         rounds.\n\n",
        report.rounds, report.length.calls, report.length.seconds,
    ));
    page.push_str("## Ratios in the same round\n\n");
    page.push_str(&lay_out(&RATIO_HEAD, &rows(report, ratio_row)));
    page.push_str("\n## Figures\n\n");
    page.push_str(&lay_out(&FIGURE_HEAD, &rows(report, figure_row)));
    page
}

const RATIO_HEAD: [&str; 11] = [
    "era",
    "result",
    "conns",
    "way",
    "CPU ÷ floor",
    "p50 ÷ floor",
    "p99 ÷ floor",
    "CPU ÷ direct",
    "p50 ÷ direct",
    "p99 ÷ direct",
    "added p50 µs",
];

const FIGURE_HEAD: [&str; 13] = [
    "era",
    "result",
    "conns",
    "way",
    "CPU µs/call (least–most)",
    "in kernel",
    "child µs",
    "load µs",
    "p50 µs",
    "p99 µs",
    "calls/s",
    "RSS MiB",
    "peak MiB",
];

fn rows(
    report: &Report,
    row: fn(&CaseResult, &WayResult) -> Option<Vec<String>>,
) -> Vec<Vec<String>> {
    let of_case = |case| move |way| row(case, way);
    report.cases.iter().flat_map(|case| case.ways.iter().filter_map(of_case(case))).collect()
}

fn names(case: &CaseResult, way: &WayResult) -> Vec<String> {
    let (client, child) = (case.case.era, case.case.child_era);
    let mut era = format!("{client:?}").to_lowercase();
    if child != client.into() {
        era.push_str(&format!(" → {}", format!("{child:?}").to_lowercase()));
    }
    let connections = case.case.connections.to_string();
    vec![era, size(case.case.bytes), connections, way.way.label().to_owned()]
}

/// Direct has no ratios: it is what the others are divided by.
fn ratio_row(case: &CaseResult, way: &WayResult) -> Option<Vec<String>> {
    if way.way == WayName::Direct {
        return None;
    }
    let figures: [fn(&Round) -> f64; 3] =
        [|round| round.cpu_us, |round| round.p50_us, |round| round.p99_us];
    let mut row = names(case, way);
    for base in [WayName::Floor, WayName::Direct] {
        let base = case.way(base).filter(|base| base.way != way.way);
        for of in figures {
            let ratio = base.and_then(|base| way.ratio(base, of));
            row.push(ratio.map_or_else(none, |ratio| format!("{:.2}", ratio.median)));
        }
    }
    let p50 = |way: &WayResult| way.spread(|round| round.p50_us).map(|spread| spread.median);
    let added = case.way(WayName::Direct).and_then(|direct| Some(p50(way)? - p50(direct)?));
    row.push(added.map_or_else(none, |us| format!("{us:.0}")));
    Some(row)
}

fn figure_row(case: &CaseResult, way: &WayResult) -> Option<Vec<String>> {
    let median = |of: fn(&Round) -> f64| way.spread(of).map_or(0.0, |spread| spread.median);
    let Spread { median: cpu, least, most } = way.spread(|round| round.cpu_us)?;
    let child = median(|round| round.child_cpu_us);
    let mut row = names(case, way);
    row.extend([
        format!("{cpu:.1} ({least:.1}–{most:.1})"),
        format!("{:.0} %", median(|round| round.cpu_system_share) * 100.0),
        if way.way == WayName::Direct { none() } else { format!("{child:.1}") },
        format!("{:.1}", median(|round| round.load_cpu_us)),
        format!("{:.0}", median(|round| round.p50_us)),
        format!("{:.0}", median(|round| round.p99_us)),
        format!("{:.0}", median(|round| round.calls_per_s)),
        format!("{:.1}", way.loaded.now_bytes as f64 / MIB),
        format!("{:.1}", way.loaded.peak_bytes as f64 / MIB),
    ]);
    Some(row)
}

fn none() -> String {
    "–".to_owned()
}

/// A Markdown table with columns of even width, names to the left, figures to the right.
fn lay_out(head: &[&str], rows: &[Vec<String>]) -> String {
    /// Era, result, connections and way; of these only the connections are a number.
    const NAMES: [bool; 4] = [true, true, false, true];
    let left = |at: usize| NAMES.get(at).copied().unwrap_or(false);
    let width = |at: usize, title: &str| {
        let cells = rows.iter().filter_map(|row| row.get(at));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0).max(title.chars().count())
    };
    let widths: Vec<usize> = head.iter().enumerate().map(|(at, title)| width(at, title)).collect();
    let print = |cells: &mut dyn Iterator<Item = &str>| {
        let padded = cells.zip(&widths).enumerate().map(|(at, (cell, width))| {
            if left(at) { format!(" {cell:<width$} |") } else { format!(" {cell:>width$} |") }
        });
        format!("|{}\n", padded.collect::<String>())
    };
    let rule = widths.iter().enumerate().map(|(at, width)| {
        let line = "-".repeat(width + 1);
        if left(at) { format!("{line}-|") } else { format!("{line}:|") }
    });
    let mut table = print(&mut head.iter().copied());
    table.push_str(&format!("|{}\n", rule.collect::<String>()));
    for row in rows {
        table.push_str(&print(&mut row.iter().map(String::as_str)));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_even_and_has_a_rule() {
        let row = |name: &str, figure: &str| {
            let cells = [name, "300 B", "1", "floor", figure];
            cells.map(str::to_owned).to_vec()
        };
        let head = ["era", "result", "conns", "way", "µs"];
        let table = lay_out(&head, &[row("modern", "20.1"), row("legacy", "7")]);
        assert_eq!(
            table,
            "| era    | result | conns | way   |   µs |\n\
             |--------|--------|------:|-------|-----:|\n\
             | modern | 300 B  |     1 | floor | 20.1 |\n\
             | legacy | 300 B  |     1 | floor |    7 |\n"
        );
    }
}
