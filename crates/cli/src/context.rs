//! What every command receives: the output format and the progress.

use std::future::Future;

use lifeboat_model::Code;
use tokio_util::sync::CancellationToken;

use crate::arguments::Global;
use crate::failure::Failure;
use crate::interrupt;
use crate::output::{self, Document, OutputFormat};
use crate::progress::Progress;

/// What every command receives.
pub struct Context {
    /// The format of printed documents.
    pub output: OutputFormat,
    /// The destination of progress events.
    pub progress: Progress,
}

impl Context {
    /// Creates the context that the global options describe.
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
    /// If standard output cannot be written.
    pub fn print(&self, document: &impl Document) -> Result<(), Failure> {
        // Ends the bars, so that the document is printed below them.
        self.progress.close();
        output::print(document, self.output)
    }

    /// Runs asynchronous work until it ends or the process is asked to end.
    ///
    /// # Errors
    /// Those of the work; LB-0012 if it was interrupted.
    pub fn block_on<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        Self::run(interrupt::unless_interrupted(work))
    }

    /// Runs asynchronous work that ends by itself when the process is asked to end: the token is cancelled then. A
    /// second signal ends it at once.
    ///
    /// # Errors
    /// Those of the work; LB-0012 if it was interrupted twice.
    pub fn block_on_interruptible<T, W>(
        &self,
        work: impl FnOnce(CancellationToken) -> W,
    ) -> Result<T, Failure>
    where
        W: Future<Output = Result<T, Failure>>,
    {
        let token = CancellationToken::new();
        let work = work(token.clone());
        Self::run(interrupt::interruptible(work, token, &self.progress))
    }

    fn run<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            // One thread reads from the network while another one compresses and encrypts. More threads would only hold
            // more buffers at the same time.
            .worker_threads(2)
            // Threads for file calls. Each has an arena of the allocator, so that with the default of 512 memory would
            // grow with the number of files.
            .max_blocking_threads(4)
            .enable_all()
            .build()
            .map_err(|error| Failure::of(Code::Bug, "failed to start the runtime", &error))?;
        let result = runtime.block_on(work);
        // A call that hangs in the kernel (for example on an unreachable network share) must not keep the process from
        // ending.
        runtime.shutdown_timeout(std::time::Duration::from_secs(2));
        result
    }
}
