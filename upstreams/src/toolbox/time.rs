//! The clock tools: now, the same moment elsewhere, and the time between two.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, Unit, Zoned};
use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::{tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Toolbox;
use crate::fault::Fault;

/// Longer than any date; a longer text is no date.
const DATE_BYTES_MAX: usize = 100;
/// Zones that an error suggests at most.
const SUGGESTED_MAX: usize = 3;
/// How alike a suggestion is at least, from 0 to 1.
const ALIKE_MIN: f64 = 0.85;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NowArguments {
    /// An IANA time zone such as `Europe/Berlin`; UTC unless given.
    zone: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ConvertTimeArguments {
    /// A time such as `2026-07-28T18:00`, with or without an offset (`Z`, `+02:00`).
    time: String,
    /// The IANA zone of a time without offset; UTC unless given.
    from: Option<String>,
    /// The IANA zone to tell the time in.
    to: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DateDiffArguments {
    /// A date such as `2026-07-28` or a time such as `2026-07-28T18:00Z`; UTC without an offset.
    start: String,
    /// The other date or time.
    end: String,
}

/// A moment as its zone tells it.
#[derive(Serialize, JsonSchema)]
struct Moment {
    zone: String,
    /// RFC 3339 with the offset.
    time: String,
    weekday: String,
    /// Seconds since 1970-01-01T00:00Z.
    unix: i64,
}

#[derive(Serialize, JsonSchema)]
struct ConvertedTime {
    from: Moment,
    to: Moment,
    /// Said when clocks were changed just then, so that the time was skipped or came twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Difference {
    /// Seconds from start to end; negative when the end is earlier.
    seconds: i64,
    /// The same in days.
    days: f64,
    /// Calendar years, months, days and so on, as ISO 8601.
    iso8601: String,
    /// The same for people.
    text: String,
}

#[tool_router(router = time_tools, vis = "pub(super)")]
impl Toolbox {
    #[tool(
        title = "Now",
        description = "Tells the date and time in a time zone.",
        annotations(read_only_hint = true, open_world_hint = false)
    )]
    fn now(&self, Parameters(now): Parameters<NowArguments>) -> Result<Json<Moment>, Fault> {
        let zone = zone(now.zone.as_deref().unwrap_or("UTC"))?;
        Ok(Json(Moment::of(&Timestamp::now().to_zoned(zone))))
    }

    #[tool(
        title = "Convert a time",
        description = "Tells what a time in one zone is in another.",
        annotations(read_only_hint = true, open_world_hint = false)
    )]
    fn convert_time(
        &self,
        Parameters(convert): Parameters<ConvertTimeArguments>,
    ) -> Result<Json<ConvertedTime>, Fault> {
        let to = zone(&convert.to)?;
        let (from, note) = moment(&convert.time, convert.from.as_deref())?;
        let to = from.with_time_zone(to);
        Ok(Json(ConvertedTime { from: Moment::of(&from), to: Moment::of(&to), note }))
    }

    #[tool(
        title = "Time between",
        description = "Tells how long it is from one date or time to another.",
        annotations(read_only_hint = true, open_world_hint = false)
    )]
    fn date_diff(
        &self,
        Parameters(DateDiffArguments { start, end }): Parameters<DateDiffArguments>,
    ) -> Result<Json<Difference>, Fault> {
        let (start, _) = moment(&start, None).map_err(|problem| format!("start: {problem}"))?;
        let (end, _) = moment(&end, None).map_err(|problem| format!("end: {problem}"))?;
        let end = end.with_time_zone(start.time_zone().clone());
        let span =
            start.until((Unit::Year, &end)).map_err(|fault| Fault::from(fault.to_string()))?;
        let seconds = end.timestamp().as_second() - start.timestamp().as_second();
        Ok(Json(Difference {
            seconds,
            // Exact: all of the calendar jiff knows is less than 2^53 seconds.
            days: seconds as f64 / 86_400.0,
            iso8601: span.to_string(),
            text: format!("{span:#}"),
        }))
    }
}

impl Moment {
    fn of(zoned: &Zoned) -> Self {
        let zone = zoned.time_zone().iana_name().map(str::to_owned);
        Self {
            zone: zone.unwrap_or_else(|| zoned.offset().to_string()),
            time: zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
            weekday: zoned.strftime("%A").to_string(),
            unix: zoned.timestamp().as_second(),
        }
    }
}

/// Reads a time; `zone` is for one that says neither offset nor zone.
fn moment(text: &str, zone_name: Option<&str>) -> Result<(Zoned, Option<String>), String> {
    let text = text.trim();
    let expected = "a date or time such as 2026-07-28, 2026-07-28T18:00 or 2026-07-28T18:00+02:00";
    if text.len() > DATE_BYTES_MAX {
        return Err(format!("expected {expected}, came {} bytes", text.len()));
    }
    let told = text.parse::<Zoned>().or_else(|_| {
        let pieces = jiff::fmt::temporal::DateTimeParser::new().parse_pieces(text)?;
        let timestamp: Timestamp = text.parse()?;
        Ok::<_, jiff::Error>(match pieces.to_numeric_offset() {
            Some(offset) if offset.seconds() != 0 => timestamp.to_zoned(offset.to_time_zone()),
            _ => timestamp.to_zoned(TimeZone::UTC),
        })
    });
    if let Ok(zoned) = told {
        return match zone_name {
            None => Ok((zoned, None)),
            Some(_) => Err(format!("`{text}` says its own offset: leave out `from`")),
        };
    }
    let civil: DateTime =
        text.parse().map_err(|fault| format!("expected {expected}, came `{text}` ({fault})"))?;
    let zone = zone(zone_name.unwrap_or("UTC"))?;
    let ambiguous = zone.to_ambiguous_zoned(civil);
    let note = match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { .. } => None,
        AmbiguousOffset::Gap { .. } => {
            Some(format!("clocks went forward: {civil} was skipped there, a later time is meant"))
        }
        AmbiguousOffset::Fold { .. } => {
            Some(format!("clocks went back: {civil} came twice there, the first is meant"))
        }
    };
    let zoned = ambiguous.compatible().map_err(|fault| fault.to_string())?;
    Ok((zoned, note))
}

fn zone(name: &str) -> Result<TimeZone, String> {
    let name = name.trim();
    if let Ok(zone) = TimeZone::get(name) {
        return Ok(zone);
    }
    let shown: String = name.chars().take(60).collect();
    let folded = shown.to_lowercase().replace(' ', "_");
    let mut alike: Vec<(f64, String)> = jiff::tz::db()
        .available()
        .map(|known| {
            let known = known.to_string();
            (likeness(&folded, &known.to_lowercase()), known)
        })
        .filter(|(alike, _)| *alike >= ALIKE_MIN)
        .collect();
    alike.sort_by(|left, right| right.0.total_cmp(&left.0).then_with(|| left.1.cmp(&right.1)));
    alike.truncate(SUGGESTED_MAX);
    if alike.is_empty() {
        return Err(format!(
            "unknown time zone `{shown}`: expected an IANA name such as Europe/Berlin"
        ));
    }
    let nearest: Vec<String> = alike.into_iter().map(|(_, name)| name).collect();
    Err(format!("unknown time zone `{shown}`: did you mean {}?", nearest.join(", ")))
}

/// How alike a name is to a zone's, whole or its city alone.
fn likeness(name: &str, zone: &str) -> f64 {
    let city = zone.rsplit('/').next().unwrap_or(zone);
    strsim::jaro_winkler(name, zone).max(strsim::jaro_winkler(name, city))
}
