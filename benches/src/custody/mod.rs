//! Custody: gateways are started and killed again and again, and so is the child of one gateway.
//! Nothing that they started is left, and what stays takes no more memory and files than before.

mod gateways;
mod marked;
mod respawn;
mod verdict;

use crate::args::CustodyArgs;
use crate::compare::keep_as;
use crate::fault::Fault;
use crate::say;
use verdict::Verdict;

/// Runs both parts, prints what came of them and keeps the figures.
///
/// # Errors
/// A program cannot be started, or a promise was broken.
pub(crate) async fn run(args: CustodyArgs) -> Result<(), Fault> {
    let cycles = gateways::cycles(&args).await?;
    let respawns = respawn::respawns(&args).await?;
    let verdict = Verdict::new(&args, cycles, respawns);
    let page = verdict.page();
    say(&page);
    let path = keep_as(&args.kept.out, &args.what, &verdict, &page)?;
    say(&format!("kept in {}", path.display()));
    verdict.hold()
}

/// What a detached grandchild does: nothing, for ever.
pub(crate) fn fugitive() -> ! {
    loop {
        std::thread::park();
    }
}
