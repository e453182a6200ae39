//! The tools that draw lots: identifiers and random numbers.

use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::{tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Toolbox;

/// Values that one call draws at most.
const COUNT_MAX: usize = 100;
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
    ) -> Result<Json<Uuids>, String> {
        let make = match version {
            UuidVersion::V4 => Uuid::new_v4,
            UuidVersion::V7 => Uuid::now_v7,
        };
        let uuids = (0..counted(count)?).map(|_| make().to_string()).collect();
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
    ) -> Result<Json<Numbers>, String> {
        if min < -NUMBER_MAX || max > NUMBER_MAX {
            return Err(format!(
                "expected min and max within {NUMBER_MAX} either way, came {min} and {max}"
            ));
        }
        if min > max {
            return Err(format!("expected min not above max, came {min} and {max}"));
        }
        let numbers = (0..counted(count)?).map(|_| rand::random_range(min..=max)).collect();
        Ok(Json(Numbers { numbers }))
    }
}

fn counted(count: Option<usize>) -> Result<usize, String> {
    match count.unwrap_or(1) {
        count @ 1..=COUNT_MAX => Ok(count),
        count => Err(format!("count: expected 1 to {COUNT_MAX}, came {count}")),
    }
}
