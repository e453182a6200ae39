//! What is learnt of one column, row by row, in bounded memory.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::cell::Cell;
use super::report::{Bin, ColumnReport, Numbers, Outlier, Outliers, Top};

/// Different values that are counted; beyond, there are "at least" so many.
const DISTINCT_MAX: usize = 10_000;
/// Values whose frequency is kept, of at most so many bytes.
const TOP_KEPT_MAX: usize = 1_000;
const TOP_BYTES_MAX: usize = 64;
/// Values that are shown as the most frequent.
const TOP_SHOWN: usize = 5;
/// Numbers that are kept for quartiles; of more, every second is, then every fourth, and so on.
const SAMPLE_MAX: usize = 10_000;
/// Extremes that are kept on each side with their rows.
const EXTREMES_MAX: usize = 5;
/// Bars of a histogram.
const BINS: usize = 10;
/// Numbers below which quartiles say nothing of outliers.
const OUTLIERS_FROM: usize = 8;

/// A column.
#[derive(Debug, Default)]
pub(super) struct Column {
    pub(super) name: String,
    values: u64,
    kinds: BTreeMap<&'static str, u64>,
    distinct: HashSet<u64>,
    top: HashMap<String, u64>,
    numbers: Moments,
    sample: Sample,
    lowest: Vec<Outlier>,
    highest: Vec<Outlier>,
    length: Option<(usize, usize)>,
}

/// Count, mean and spread of numbers, without keeping them (Welford).
#[derive(Debug, Default)]
struct Moments {
    count: u64,
    mean: f64,
    squares: f64,
    min: f64,
    max: f64,
}

impl Moments {
    fn take(&mut self, number: f64) {
        if self.count == 0 {
            (self.min, self.max) = (number, number);
        }
        self.count += 1;
        let before = number - self.mean;
        self.mean += before / self.count as f64;
        self.squares += before * (number - self.mean);
        self.min = self.min.min(number);
        self.max = self.max.max(number);
    }
}

/// Some of the numbers, evenly over the rows.
#[derive(Debug, Default)]
struct Sample {
    kept: Vec<f64>,
    seen: u64,
    /// Every so manieth is kept, as a power of two.
    thinned: u32,
}

impl Sample {
    fn take(&mut self, number: f64) {
        if self.seen.is_multiple_of(1 << self.thinned) {
            self.kept.push(number);
            if self.kept.len() > SAMPLE_MAX {
                let mut at = 0_usize;
                self.kept.retain(|_| {
                    at += 1;
                    at % 2 == 1
                });
                self.thinned += 1;
            }
        }
        self.seen += 1;
    }
}

impl Column {
    pub(super) fn new(name: String) -> Self {
        Self { name, ..Self::default() }
    }

    /// Takes the value of a row, which is counted from 1.
    pub(super) fn take(&mut self, cell: &Cell<'_>, row: u64) {
        if *cell == Cell::Nothing {
            return;
        }
        self.values += 1;
        *self.kinds.entry(cell.kind()).or_default() += 1;
        if let Some(text) = cell.text() {
            let length = text.chars().count();
            let (least, most) = self.length.unwrap_or((length, length));
            self.length = Some((least.min(length), most.max(length)));
        }
        if let Some(number) = cell.number() {
            self.numbers.take(number);
            self.sample.take(number);
            let value = Outlier { row, value: number };
            keep(&mut self.lowest, value.clone(), |one, other| one.total_cmp(&other));
            keep(&mut self.highest, value, |one, other| other.total_cmp(&one));
        }
        self.count(cell);
    }

    /// Counts how often a value comes, while there are few different ones.
    fn count(&mut self, cell: &Cell<'_>) {
        let shown = match (cell, cell.number()) {
            (Cell::Bool(value), _) => value.to_string(),
            (_, Some(number)) => number.to_string(),
            (cell, None) => cell.text().unwrap_or_default().to_owned(),
        };
        if self.distinct.len() <= DISTINCT_MAX {
            let mut hasher = DefaultHasher::new();
            shown.hash(&mut hasher);
            self.distinct.insert(hasher.finish());
        }
        if let Some(count) = self.top.get_mut(&shown) {
            *count += 1;
        } else if self.top.len() < TOP_KEPT_MAX && shown.len() <= TOP_BYTES_MAX {
            self.top.insert(shown, 1);
        }
    }

    /// What was learnt, of so many rows in all.
    pub(super) fn report(&self, rows: u64, is_full: bool) -> ColumnReport {
        let kinds: Vec<&str> = self.kinds.keys().copied().collect();
        let kind = match kinds.as_slice() {
            [] => "nothing",
            [one] => one,
            ["integer", "number"] => "number",
            _ => "mixed",
        };
        ColumnReport {
            name: self.name.clone(),
            kind: kind.to_owned(),
            kinds: self.kinds.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect(),
            values: self.values,
            nulls: rows - self.values,
            distinct: self.distinct.len().min(DISTINCT_MAX),
            distinct_is_more: self.distinct.len() > DISTINCT_MAX,
            min: (self.numbers.count > 0).then_some(self.numbers.min),
            max: (self.numbers.count > 0).then_some(self.numbers.max),
            length_min: self.length.map(|(least, _)| least),
            length_max: self.length.map(|(_, most)| most),
            numbers: (is_full && self.numbers.count > 0).then(|| self.spread()),
            top: is_full.then(|| self.most_frequent()),
        }
    }

    fn most_frequent(&self) -> Vec<Top> {
        let mut top: Vec<(&String, &u64)> =
            self.top.iter().filter(|(_, count)| **count > 1).collect();
        top.sort_by(|one, other| other.1.cmp(one.1).then(one.0.cmp(other.0)));
        let top = top.into_iter().take(TOP_SHOWN);
        top.map(|(value, count)| Top { value: value.clone(), count: *count }).collect()
    }

    fn spread(&self) -> Numbers {
        let mut sorted = self.sample.kept.clone();
        sorted.sort_by(f64::total_cmp);
        let [low, median, high] = [0.25, 0.5, 0.75].map(|part| quantile(&sorted, part));
        let Moments { count, mean, squares, min, max } = self.numbers;
        let deviation = if count > 1 { (squares / (count - 1) as f64).sqrt() } else { 0.0 };
        Numbers {
            mean,
            deviation,
            quartiles: [low, median, high],
            is_estimated: self.sample.thinned > 0,
            histogram: histogram(&sorted, min, max),
            outliers: (sorted.len() >= OUTLIERS_FROM).then(|| self.outliers(&sorted, low, high)),
        }
    }

    /// What lies further from the quartiles than one and a half times their distance (Tukey).
    fn outliers(&self, sorted: &[f64], low: f64, high: f64) -> Outliers {
        let reach = 1.5 * (high - low);
        let (below, above) = (low - reach, high + reach);
        let is_out = |value: f64| value < below || value > above;
        let extremes = self.lowest.iter().chain(&self.highest).filter(|one| is_out(one.value));
        let mut examples: Vec<Outlier> = extremes.cloned().collect();
        examples.sort_by_key(|one| one.row);
        examples.dedup_by_key(|one| one.row);
        let count = sorted.iter().filter(|value| is_out(**value)).count() as u64;
        Outliers { below, above, count: count << self.sample.thinned, examples }
    }
}

/// Puts a value into a short list that is kept in order.
fn keep(kept: &mut Vec<Outlier>, value: Outlier, order: fn(f64, f64) -> std::cmp::Ordering) {
    let at = kept.partition_point(|one| order(one.value, value.value).is_le());
    if at < EXTREMES_MAX {
        kept.insert(at, value);
        kept.truncate(EXTREMES_MAX);
    }
}

/// The value below which a part of the sorted numbers lies, between two of them where need be.
fn quantile(sorted: &[f64], part: f64) -> f64 {
    let place = part * sorted.len().saturating_sub(1) as f64;
    let at = |index: f64| sorted.get(index as usize).copied().unwrap_or_default();
    let (below, above) = (at(place.floor()), at(place.ceil()));
    below + (above - below) * place.fract()
}

fn histogram(sorted: &[f64], min: f64, max: f64) -> Vec<Bin> {
    let width = (max - min) / BINS as f64;
    if !width.is_finite() || width <= 0.0 {
        return vec![Bin { from: min, to: max, share: 1.0 }];
    }
    let mut counts = [0_usize; BINS];
    for value in sorted {
        let bin = (((value - min) / width) as usize).min(BINS - 1);
        if let Some(count) = counts.get_mut(bin) {
            *count += 1;
        }
    }
    let bins = counts.iter().enumerate().map(|(bin, count)| Bin {
        from: min + width * bin as f64,
        to: min + width * (bin + 1) as f64,
        share: *count as f64 / sorted.len() as f64,
    });
    bins.collect()
}
