//! What an analysis says: structured, with its schema.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::source::Format;

/// The result of `analyze_data`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Report {
    /// `inline`, `file` or `resource`.
    pub(super) source: &'static str,
    pub(super) format: Format,
    /// Bytes that were read.
    pub(super) bytes: u64,
    /// Rows that were analysed, without the head.
    pub(super) rows: u64,
    /// Whether the source has more rows than were asked for.
    pub(super) has_more: bool,
    /// The columns in the order in which they came.
    pub(super) columns: Vec<ColumnReport>,
    /// For `security`: what was found, the most severe first. The values are not repeated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) findings: Option<Vec<Finding>>,
}

/// A column.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ColumnReport {
    pub(super) name: String,
    /// `integer`, `number`, `boolean`, `date`, `text`, `nested`, `mixed` or `nothing`.
    pub(super) kind: String,
    /// How many values of each kind there are.
    pub(super) kinds: BTreeMap<String, u64>,
    pub(super) values: u64,
    /// Rows without a value.
    pub(super) nulls: u64,
    /// How many different values there are.
    pub(super) distinct: usize,
    /// Whether there are more different values than were counted.
    pub(super) distinct_is_more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) min: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max: Option<f64>,
    /// Characters of the shortest text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) length_min: Option<usize>,
    /// Characters of the longest text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) length_max: Option<usize>,
    /// For `comprehensive`: how the numbers are spread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) numbers: Option<Numbers>,
    /// For `comprehensive`: the values that come most often, if any comes twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) top: Option<Vec<Top>>,
}

/// How numbers are spread.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Numbers {
    pub(super) mean: f64,
    /// The standard deviation.
    pub(super) deviation: f64,
    /// A quarter, half and three quarters of the values lie below these.
    pub(super) quartiles: [f64; 3],
    /// Whether quartiles, histogram and outliers are estimated from a part of the values.
    pub(super) is_estimated: bool,
    pub(super) histogram: Vec<Bin>,
    /// Missing where there are too few values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) outliers: Option<Outliers>,
}

/// A bar of a histogram.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Bin {
    pub(super) from: f64,
    pub(super) to: f64,
    /// The part of the values in it, 0 to 1.
    pub(super) share: f64,
}

/// Values far from the others.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Outliers {
    /// What is less is an outlier.
    pub(super) below: f64,
    /// What is more is an outlier.
    pub(super) above: f64,
    pub(super) count: u64,
    /// The furthest of them.
    pub(super) examples: Vec<Outlier>,
}

/// A value and its row.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct Outlier {
    /// The row, from 1, without the head.
    pub(super) row: u64,
    pub(super) value: f64,
}

/// A frequent value.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Top {
    pub(super) value: String,
    pub(super) count: u64,
}

/// Something dangerous in the data.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Finding {
    /// `secret`, `personal` or `injection`.
    pub(super) category: &'static str,
    /// What it is, such as `aws_access_key`.
    pub(super) kind: &'static str,
    pub(super) column: String,
    /// How many values have it.
    pub(super) count: u64,
    /// The first rows that have it, from 1.
    pub(super) rows: Vec<u64>,
    /// What to do.
    pub(super) advice: &'static str,
}
