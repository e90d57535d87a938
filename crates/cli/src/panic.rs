//! Panics as problems with a code, without any value that the message may contain.

use std::panic::{self, AssertUnwindSafe, PanicHookInfo};

use lifeboat_model::{Code, Exit};

use crate::failure::Failure;
use crate::output::{self, OutputFormat};

/// Installs a hook that prints a panic as LB-0001 instead of Rust's own message.
pub(crate) fn install_hook(format: OutputFormat) {
    panic::set_hook(Box::new(move |info| {
        output::print_failure(&failure(info), format)
    }));
}

/// Runs `work`; returns the exit code of LB-0001 if it panics. The hook has printed the panic then.
pub(crate) fn guard(work: impl FnOnce() -> Result<Exit, Failure>) -> Result<Exit, Failure> {
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or(Ok(Exit::Bug))
}

fn failure(info: &PanicHookInfo<'_>) -> Failure {
    // A formatted message may contain the text that was processed, including that of a Secret. A literal cannot.
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

/// Returns the path from `crates/` on: the folder where the program was built is of no use to its users.
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
