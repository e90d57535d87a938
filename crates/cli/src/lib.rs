//! The command line of Lifeboat: `lifeboat`, also available as `kubectl lifeboat`.
//!
//! This crate reads arguments and environment variables, connects the adapters (folder stores, PEM keys, a Kubernetes
//! API server, AWS) to the pure crates, and prints the results. No crate may depend on it, except programs that read
//! its documents.
//!
//! - [`arguments`]: the command line; [`command`]: one file per command.
//! - [`aws`]: credentials, stacks, and requests to the coordinator.
//! - [`output`]: documents as tables, JSON and YAML, only on standard output.
//! - [`failure`]: what failed, the remedy, and the exit code.
//! - [`progress`]: typed events, rendered as bars or as lines on standard error.
//!
//! Invariants: standard output contains one document or nothing; every error has a code and a remedy; Secret values are
//! printed only by `cat --reveal`.

use std::ffi::OsString;

use lifeboat_model::Exit;

use crate::arguments::Parsed;
use crate::context::Context;

pub mod arguments;
#[cfg(feature = "aws")]
pub mod aws;
pub mod cluster;
pub mod command;
pub mod context;
pub mod failure;
pub mod output;
pub mod progress;

mod interrupt;
mod logging;
pub mod measure;
mod memory;
mod panic;
mod version;

/// Runs one command line; the first argument is the program's name.
#[must_use]
pub fn run(arguments: Vec<OsString>) -> Exit {
    let wanted = arguments::output_format(&arguments);
    panic::install_hook(wanted);
    let result = match arguments::parse(arguments) {
        Ok(Parsed::Text(text)) => output::write_out(text.as_bytes()).map(|()| Exit::Success),
        Ok(Parsed::Command(arguments)) => panic::guard(move || {
            let context = Context::new(&arguments.global);
            logging::start(&arguments.global, &context.progress);
            let result = command::run(*arguments, &context);
            context.progress.close();
            result
        }),
        Err(failure) => Err(failure),
    };
    result.unwrap_or_else(|failure| {
        output::print_failure(&failure, wanted);
        failure.exit()
    })
}
