//! Panics as a user sees them: a problem with a code, and never a value.

use std::panic::{self, AssertUnwindSafe, PanicHookInfo};

use lifeboat_model::{Code, Exit};

use crate::failure::Failure;
use crate::output::{self, OutputFormat};

/// Prints a panic as LB-0001 instead of Rust's own message.
pub(crate) fn install_hook(format: OutputFormat) {
    panic::set_hook(Box::new(move |info| {
        output::print_failure(&failure(info), format)
    }));
}

/// Runs `work`; a panic, which the hook has printed, becomes its exit code.
pub(crate) fn guard(work: impl FnOnce() -> Result<Exit, Failure>) -> Result<Exit, Failure> {
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or(Ok(Exit::Bug))
}

fn failure(info: &PanicHookInfo<'_>) -> Failure {
    // A message that was formatted may quote the text that was being worked on, a Secret's included.
    // A literal cannot.
    let what = info
        .payload()
        .downcast_ref::<&'static str>()
        .copied()
        .unwrap_or("an assumption does not hold");
    let place = info.location().map_or_else(
        || "an unknown place".to_owned(),
        |l| format!("{}:{}", file(l.file()), l.line()),
    );
    Failure::new(Code::Bug, format!("a bug in Lifeboat at {place}: {what}"))
}

/// The path from `crates/` on: where the program was built is of no use to its users.
fn file(path: &str) -> &str {
    path.rfind("crates/").map_or(path, |at| &path[at..])
}

#[cfg(test)]
mod tests {
    use super::file;

    #[test]
    fn where_the_program_was_built_is_not_told() {
        assert_eq!(
            file("/home/someone/src/crates/cli/src/lib.rs"),
            "crates/cli/src/lib.rs"
        );
        assert_eq!(file("src/lib.rs"), "src/lib.rs");
    }
}
