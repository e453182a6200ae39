//! `gateway check`: every problem of the configuration, and with `--connect` of the mounts.

use gateway::Gateway;
use gateway::config::{Loaded, Start};
use serde_json::json;

use super::output::{counted, note, say};
use super::{End, load, run};
use crate::args::CheckArgs;

pub(super) async fn check(args: &CheckArgs) -> End {
    let flags = match load::flags(&args.set) {
        Ok(flags) => flags,
        Err(end) => return end,
    };
    let loaded = match load::load(args.file.as_ref(), flags) {
        Ok(loaded) => loaded,
        Err(problems) if args.json => {
            say(&format!("{:#}", json!({ "ok": false, "problems": problems })));
            return End::Wrong(String::new());
        }
        Err(problems) => return End::Wrong(format!("the configuration\n{problems}")),
    };
    if args.connect {
        return connect(loaded, args.json).await;
    }
    let mounts = loaded.config.mounts.len();
    if args.json {
        let whole = json!({ "ok": true, "mounts": mounts, "warnings": loaded.warnings });
        say(&format!("{whole:#}"));
        return End::Well;
    }
    for warning in &loaded.warnings {
        note(&format!("warning: {warning}"));
    }
    say(&format!("the configuration is good: {}", counted(mounts, "mount")));
    End::Well
}

/// Dials every mount once and shows what came of it.
async fn connect(mut loaded: Loaded, json: bool) -> End {
    for mount in &mut loaded.config.mounts {
        mount.running.start = Start::Eager;
    }
    let longest = loaded.config.mounts.iter().map(|one| one.timeout_connect.max(one.timeout_start));
    let wait = longest.max().unwrap_or_default() + loaded.config.gateway.limits.settle;
    let gateway = match Gateway::start(loaded.config, &load::children()) {
        Ok(gateway) => gateway,
        Err(text) => return End::Wrong(text),
    };
    gateway.settled(wait).await;
    let reports = gateway.mounts();
    gateway.stop().await;
    let bad: Vec<_> = reports.iter().filter(|report| report.state != "ready").collect();
    if json {
        let whole = json!({ "ok": bad.is_empty(), "mounts": reports, "warnings": loaded.warnings });
        say(&format!("{whole:#}"));
    } else {
        say(&run::mounts(&reports));
        for report in &reports {
            for withheld in &report.withheld {
                let (list, key, reason) = (withheld.list, &withheld.key, &withheld.reason);
                say(&format!("\n{}: {list}: `{key}` is withheld: {reason}", report.name));
            }
        }
        for report in &bad {
            say(&format!("\n{} is {}: {}", report.name, report.state, report.reason));
            say(&format!("  dialled: {}", report.address));
            for line in &report.last_words {
                say(&format!("  stderr:  {line}"));
            }
        }
    }
    match bad.len() {
        0 => End::Well,
        bad => End::Failed(format!("not ready: {bad} of {}", counted(reports.len(), "mount"))),
    }
}
