//! Keeps results: one JSON file with every round, one Markdown page with the tables.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::result::Report;
use crate::fault::Fault;

/// Most runs of the same name on one day.
const SAME_NAME_MAX: u32 = 1_000;

/// Writes both files and returns the path of the page. No earlier result is written over.
///
/// # Errors
/// The folder cannot be written to.
pub(super) fn keep(folder: &Path, report: &Report, page: &str) -> Result<PathBuf, Fault> {
    keep_as(folder, &report.what, report, page)
}

/// The same for figures of any kind.
///
/// # Errors
/// The folder cannot be written to.
pub(crate) fn keep_as(
    folder: &Path,
    what: &str,
    report: &impl Serialize,
    page: &str,
) -> Result<PathBuf, Fault> {
    fs::create_dir_all(folder).map_err(Fault::during(folder.display()))?;
    let name = format!("{}-{what}", today());
    let numbered = (2..SAME_NAME_MAX).map(|number| format!("{name}-{number}"));
    let free = std::iter::once(name.clone())
        .chain(numbered)
        .map(|name| folder.join(format!("{name}.json")))
        .find(|path| !path.exists());
    let Some(raw) = free else {
        return Err(Fault(format!("{}: no free name like {name}", folder.display())));
    };
    let mut json = serde_json::to_string_pretty(report).map_err(Fault::during("printing JSON"))?;
    json.push('\n');
    fs::write(&raw, json).map_err(Fault::during(raw.display()))?;
    let path = raw.with_extension("md");
    fs::write(&path, page).map_err(Fault::during(path.display()))?;
    Ok(path)
}

/// Today as `YYYY-MM-DD`, UTC.
pub(super) fn today() -> String {
    /// Seconds of a day.
    const DAY_S: u64 = 86_400;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (year, month, day) = date(since.as_secs() / DAY_S);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Year, month and day of a number of days since 1970-01-01.
fn date(days: u64) -> (u64, u64, u64) {
    let mut left = days;
    let mut year = 1970;
    while left >= year_days(year) {
        left -= year_days(year);
        year += 1;
    }
    let mut month = 1;
    for length in [31, year_days(year) - 337, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if left < length {
            break;
        }
        left -= length;
        month += 1;
    }
    (year, month, left + 1)
}

fn year_days(year: u64) -> u64 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    if leap { 366 } else { 365 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates() {
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(11_016), (2000, 2, 29));
        assert_eq!(date(20_453), (2025, 12, 31));
        assert_eq!(date(20_454), (2026, 1, 1));
        assert_eq!(date(20_779), (2026, 11, 22));
    }
}
