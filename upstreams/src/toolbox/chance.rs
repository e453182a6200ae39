//! The tools that draw lots: identifiers and random numbers.

use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::{tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Toolbox;
use crate::checks::Checks;
use crate::fault::Fault;

/// The largest whole number that every JSON reader keeps exactly: 2^53 - 1.
const NUMBER_MAX: i64 = 9_007_199_254_740_991;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct UuidArguments {
    /// Random (v4) or ordered by time (v7); v4 unless given.
    #[serde(default)]
    version: UuidVersion,
    /// How many; 1 unless given.
    #[schemars(range(min = 1, max = 100))]
    count: Option<usize>,
}

#[derive(Deserialize, JsonSchema, Clone, Copy, Default)]
#[serde(rename_all = "lowercase")]
enum UuidVersion {
    #[default]
    V4,
    V7,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RandomNumberArguments {
    /// The least number that may come.
    min: i64,
    /// The largest number that may come.
    max: i64,
    /// How many; 1 unless given.
    #[schemars(range(min = 1, max = 100))]
    count: Option<usize>,
}

#[derive(Serialize, JsonSchema)]
struct Uuids {
    uuids: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
struct Numbers {
    numbers: Vec<i64>,
}

#[tool_router(router = chance_tools, vis = "pub(super)")]
impl Toolbox {
    #[tool(
        title = "Make UUIDs",
        description = "Makes universally unique identifiers.",
        annotations(read_only_hint = true, open_world_hint = false)
    )]
    fn uuid(
        &self,
        Parameters(UuidArguments { version, count }): Parameters<UuidArguments>,
    ) -> Result<Json<Uuids>, Fault> {
        let make = match version {
            UuidVersion::V4 => Uuid::new_v4,
            UuidVersion::V7 => Uuid::now_v7,
        };
        let uuids = (0..count.unwrap_or(1)).map(|_| make().to_string()).collect();
        Ok(Json(Uuids { uuids }))
    }

    #[tool(
        title = "Random numbers",
        description = "Draws whole numbers between two bounds, both included.",
        annotations(read_only_hint = true, open_world_hint = false)
    )]
    fn random_number(
        &self,
        Parameters(RandomNumberArguments { min, max, count }): Parameters<RandomNumberArguments>,
    ) -> Result<Json<Numbers>, Fault> {
        if min < -NUMBER_MAX || max > NUMBER_MAX {
            return Err(Fault::from(format!(
                "expected min and max within {NUMBER_MAX} either way, came {min} and {max}"
            )));
        }
        let mut checks = Checks::new();
        checks.that(min <= max, "min", &format!("at most `max`, which is {max}"), &min.to_string());
        checks.done()?;
        let numbers = (0..count.unwrap_or(1)).map(|_| rand::random_range(min..=max)).collect();
        Ok(Json(Numbers { numbers }))
    }
}
