//! The texts of `lifeboat --version`: the version, the commit, and the formats that the program reads and writes.

use std::sync::LazyLock;

use lifeboat_format::manifest::FORMAT_VERSION;
use lifeboat_format::pack::PACK_VERSION;
use lifeboat_plan::planned::PLAN_FORMAT_VERSION;
use lifeboat_plan::report::REPORT_FORMAT_VERSION;

/// The version of the program, which is also that of the functions that it deploys.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What `-V` prints after the name.
pub(crate) const SHORT: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("LIFEBOAT_COMMIT"), ")");

static LONG: LazyLock<String> = LazyLock::new(|| {
    format!(
        "{VERSION}
commit: {commit}
recovery points: writes format {FORMAT_VERSION}, reads formats 1 to {FORMAT_VERSION}
packs: writes format {PACK_VERSION}, reads formats 1 to {PACK_VERSION}
plans: writes format {PLAN_FORMAT_VERSION}
reports: writes format {REPORT_FORMAT_VERSION}
application documents: reads format {application}{jobs}",
        commit = env!("LIFEBOAT_COMMIT"),
        application = lifeboat_model::application::FORMAT,
        jobs = jobs(),
    )
});

/// Returns the line about the documents of jobs, which only the commands for AWS know.
fn jobs() -> String {
    #[cfg(feature = "aws")]
    return format!(
        "\njob documents: writes and reads format {}",
        lifeboat_jobs::FORMAT
    );
    #[cfg(not(feature = "aws"))]
    String::new()
}

/// Returns what `--version` prints after the name.
pub(crate) fn long() -> &'static str {
    &LONG
}
