//! Tests against real programs: official servers as children, official SDKs as clients.

mod programs;
mod process;
mod fixture;
mod naming;
mod plan;
mod report;
mod client;
mod rmcp_client;
mod rmcp_server;
mod tasks_server;
mod served;
mod gateway;
mod expected;
mod compare;
mod direct;
mod loopback;
mod first_discover;
mod through;
mod together;
mod questions;
mod ways;
mod conformance;
#[cfg(target_os = "linux")]
mod custody;
#[cfg(unix)]
mod servers;
#[cfg(unix)]
mod data;
#[cfg(unix)]
mod children;
