//! The hermetic suite.

mod tidy;
mod catalog;
mod names;
mod children;
mod replicas;
mod health;
mod chaos;
mod questions;
mod extensions;
mod tasks;
mod envelope;
mod metadata;
mod era;
mod headers;
mod http;
mod legacy;
mod restart;
mod listen;
mod subscriptions;
mod stdio;
mod ways;
mod resume;
mod downgrade;
mod batches;
mod cancel_progress;
mod figures;
#[cfg(target_os = "linux")]
mod custody;
