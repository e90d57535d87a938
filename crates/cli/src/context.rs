//! What every command gets: how to print, how to tell its progress, what time it is.

use std::future::Future;

use lifeboat_model::Code;

use crate::arguments::Global;
use crate::failure::Failure;
use crate::interrupt;
use crate::output::{self, Document, OutputFormat};
use crate::progress::Progress;

/// What every command gets.
pub struct Context {
    /// How documents are rendered.
    pub output: OutputFormat,
    /// Where progress goes.
    pub progress: Progress,
}

impl Context {
    /// The context that the options ask for.
    #[must_use]
    pub fn new(global: &Global) -> Self {
        Self {
            output: global.output,
            progress: Progress::new(global.progress),
        }
    }

    /// Prints a document on standard output.
    ///
    /// # Errors
    /// Where standard output fails.
    pub fn print(&self, document: &impl Document) -> Result<(), Failure> {
        // Bars that are drawn stay as they are; the document stands below them.
        self.progress.close();
        output::print(document, self.output)
    }

    /// Runs asynchronous work until it ends or the process is asked to end.
    ///
    /// # Errors
    /// Those of the work; LB-0012 where it was interrupted.
    pub fn block_on<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            // One thread reads from the network while another one compresses and encrypts. More would
            // only hold more buffers at a time.
            .worker_threads(2)
            // Threads for file calls: each brings an arena of the allocator, so that the default of
            // 512 would let memory grow with the number of files.
            .max_blocking_threads(4)
            .enable_all()
            .build()
            .map_err(|error| Failure::of(Code::Bug, "failed to start the runtime", &error))?;
        let result = runtime.block_on(interrupt::unless_interrupted(work));
        // A call that hangs in the kernel (a dead network share) must not keep the process.
        runtime.shutdown_timeout(std::time::Duration::from_secs(2));
        result
    }
}
