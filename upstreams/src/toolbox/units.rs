//! Converts units exactly and explains what it cannot convert.

use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::{tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Toolbox;
use super::ratio::Ratio;
use super::table::{Kind, UNITS, Unit};
use crate::fault::Fault;

/// Names that an error suggests at most.
const SUGGESTED_MAX: usize = 3;
/// How alike a suggestion is at least, from 0 to 1.
const ALIKE_MIN: f64 = 0.8;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ConvertUnitsArguments {
    /// The number to convert.
    value: f64,
    /// Its unit, by name or symbol: `mile`, `km/h`, `°F`, `MiB`. toolbox://units lists all.
    from: String,
    /// The unit to convert into, of the same kind.
    to: String,
}

#[derive(Serialize, JsonSchema)]
struct Converted {
    value: f64,
    from: &'static str,
    to: &'static str,
    kind: Kind,
    result: f64,
    /// The conversion as a sentence.
    text: String,
}

#[derive(Serialize)]
struct Listed {
    name: &'static str,
    symbol: &'static str,
    #[serde(skip_serializing_if = "<[&str]>::is_empty")]
    also: &'static [&'static str],
}

#[tool_router(router = unit_tools, vis = "pub(super)")]
impl Toolbox {
    #[tool(
        title = "Convert units",
        description = "Converts a number from one unit into another: length, mass, temperature, \
                       volume, speed, area, data, time.",
        annotations(read_only_hint = true, open_world_hint = false)
    )]
    fn convert_units(
        &self,
        Parameters(arguments): Parameters<ConvertUnitsArguments>,
    ) -> Result<Json<Converted>, Fault> {
        let ConvertUnitsArguments { value, from, to } = arguments;
        let (from, to) = (find(&from)?, find(&to)?);
        let result = convert(value, from, to)?;
        let text = format!("{} {} = {} {}", told(value), from.symbol, told(result), to.symbol);
        Ok(Json(Converted { value, from: from.name, to: to.name, kind: from.kind, result, text }))
    }
}

/// Converts `value`; exact where the result is a decimal number of a double's size.
///
/// # Errors
/// Units of two kinds, a temperature below absolute zero, or a result beyond a double.
pub(super) fn convert(value: f64, from: &Unit, to: &Unit) -> Result<f64, String> {
    if from.kind != to.kind {
        return Err(format!(
            "expected units of one kind, came {} ({}) and {} ({})",
            from.name,
            from.kind.name(),
            to.name,
            to.kind.name()
        ));
    }
    let base = Ratio::of(value).and_then(|value| value.plus(from.offset)?.times(from.factor));
    let result = match base {
        Some(base) if from.kind == Kind::Temperature && base.is_negative() => {
            return Err(format!("{} {} is below absolute zero", told(value), from.symbol));
        }
        Some(base) => base.over(to.factor).and_then(|base| base.minus(to.offset)?.to_f64()),
        None => None,
    };
    // What has too many digits for a fraction is converted as usual, to a double's precision.
    let result = result.unwrap_or_else(|| rounded(value, from, to));
    if result.is_finite() {
        return Ok(result);
    }
    Err(format!("{} {} is too large a number of {}", told(value), from.symbol, to.name))
}

/// A number for people: very large and very small ones with an exponent.
pub(super) fn told(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 || (1e-6..1e15).contains(&size) {
        value.to_string()
    } else {
        format!("{value:e}")
    }
}

fn rounded(value: f64, from: &Unit, to: &Unit) -> f64 {
    let double = |ratio: Ratio| ratio.to_f64().unwrap_or(f64::NAN);
    (value + double(from.offset)) * double(from.factor) / double(to.factor) - double(to.offset)
}

/// The unit that a name or symbol means.
///
/// # Errors
/// An unknown one, with the nearest known; one that only its case tells from another.
pub(super) fn find(name: &str) -> Result<&'static Unit, String> {
    let name = name.trim();
    if let Some(unit) = UNITS.iter().find(|unit| is_named(unit, |known| known == name)) {
        return Ok(unit);
    }
    let folded = name.to_lowercase();
    let singular = folded.strip_suffix('s').unwrap_or(&folded);
    let is_meant = |known: &str| {
        let known = known.to_lowercase();
        known == folded || known == singular
    };
    let meant: Vec<&Unit> = UNITS.iter().filter(|unit| is_named(unit, is_meant)).collect();
    match meant.as_slice() {
        [unit] => Ok(unit),
        [] => Err(unknown(name, &folded)),
        several => {
            let choices: Vec<String> =
                several.iter().map(|unit| format!("`{}` ({})", unit.symbol, unit.name)).collect();
            Err(format!("`{}` can mean {}: say which", shown(name), choices.join(" or ")))
        }
    }
}

fn is_named(unit: &Unit, is_it: impl Fn(&str) -> bool) -> bool {
    is_it(unit.name) || is_it(unit.symbol) || unit.aliases.iter().any(|alias| is_it(alias))
}

fn unknown(name: &str, folded: &str) -> String {
    // Likeness takes the product of both lengths; no unit is longer than this.
    let folded: String = folded.chars().take(40).collect();
    let mut alike: Vec<(f64, &str)> = UNITS
        .iter()
        .map(|unit| (strsim::jaro_winkler(&folded, unit.name), unit.name))
        .filter(|(alike, _)| *alike >= ALIKE_MIN)
        .collect();
    alike.sort_by(|left, right| right.0.total_cmp(&left.0));
    let nearest: Vec<&str> = alike.iter().take(SUGGESTED_MAX).map(|(_, name)| *name).collect();
    let hint = if nearest.is_empty() {
        "toolbox://units lists all".to_owned()
    } else {
        format!("did you mean {}?", nearest.join(", "))
    };
    format!("unknown unit `{}`: {hint}", shown(name))
}

fn shown(name: &str) -> String {
    name.chars().take(40).collect()
}

/// All units by kind, as JSON.
pub(super) fn listed() -> String {
    let kinds: serde_json::Map<String, serde_json::Value> = Kind::ALL
        .into_iter()
        .map(|kind| {
            let units: Vec<Listed> = UNITS
                .iter()
                .filter(|unit| unit.kind == kind)
                .map(|unit| Listed { name: unit.name, symbol: unit.symbol, also: unit.aliases })
                .collect();
            (kind.name().to_owned(), serde_json::to_value(units).unwrap_or_default())
        })
        .collect();
    serde_json::Value::Object(kinds).to_string()
}

#[cfg(test)]
mod tests {
    use super::{UNITS, convert, find};
    use proptest::prelude::*;

    #[test]
    fn every_name_symbol_and_alias_means_its_unit_alone() {
        for unit in UNITS {
            for name in unit.aliases.iter().chain([&unit.name, &unit.symbol]) {
                assert_eq!(find(name).map(|found| found.name), Ok(unit.name), "{name}");
            }
            let plural = find(&format!("{}s", unit.name.to_uppercase()));
            assert_eq!(plural.map(|found| found.name), Ok(unit.name));
        }
    }

    proptest! {
        #[test]
        fn there_and_back_is_the_same(
            value in 0.001_f64..1e6,
            from in 0..UNITS.len(),
        ) {
            let from = &UNITS[from];
            for to in UNITS.iter().filter(|to| to.kind == from.kind) {
                let back = convert(convert(value, from, to).unwrap(), to, from).unwrap();
                prop_assert!(((back - value) / value).abs() < 1e-9, "{value} {back} {to:?}");
            }
        }

        #[test]
        fn no_number_and_no_name_panics(value: f64, name: String, unit in 0..UNITS.len()) {
            let unit = &UNITS[unit];
            if let Ok(found) = find(&name) {
                convert(value, found, unit).ok();
            }
            convert(value, unit, unit).ok();
        }
    }
}
