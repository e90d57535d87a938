//! Log lines on standard error, above the progress bars if there are any.

use std::io;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::arguments::{Global, LogLevel};
use crate::progress::Progress;

/// Starts logging for the rest of the process.
pub(crate) fn start(global: &Global, progress: &Progress) {
    // Only Lifeboat's own targets: log lines of HTTP libraries may contain headers and bodies.
    let filter = match global.log_level {
        LogLevel::Off => "off",
        LogLevel::Error => "off,lifeboat=error",
        LogLevel::Warn => "off,lifeboat=warn",
        LogLevel::Info => "off,lifeboat=info",
        LogLevel::Debug => "off,lifeboat=debug",
        LogLevel::Trace => "off,lifeboat=trace",
    };
    let started = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(SuspendingWriter(progress.clone()))
        .with_ansi(false)
        .try_init();
    // A second start in one process (as in tests) keeps the first logger.
    drop(started);
}

/// Writes log lines above the bars.
struct SuspendingWriter(Progress);

impl<'a> MakeWriter<'a> for SuspendingWriter {
    type Writer = AboveWriter<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        AboveWriter(&self.0)
    }
}

struct AboveWriter<'a>(&'a Progress);

impl io::Write for AboveWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.suspended(|| io::stderr().lock().write_all(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}
