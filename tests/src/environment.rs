//! What the demonstration and the proof stand on: steps with elapsed times, clusters and folders that
//! are cleaned up however the program ends, and `lifeboat` as a child that ends with it.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use lifeboat_local::{Cluster, ClusterOptions};

/// How often a child is asked whether it has ended. Short against any step, long against the cost of
/// asking.
const CHILD_POLL: Duration = Duration::from_millis(10);

/// The exit status of a program that was interrupted, as shells count it.
pub const INTERRUPTED: i32 = 130;

/// Waits. The one pause of this crate.
pub fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

/// Everything that must be ended or removed, shared with whoever hears a signal.
#[derive(Clone, Default)]
pub struct Environment {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    child: Option<Child>,
    clusters: Vec<Arc<Cluster>>,
    folders: Vec<PathBuf>,
    closed: bool,
}

impl Environment {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Whoever panicked while holding it is gone; what it held must still be cleaned up.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts clusters side by side; they are ended by [`Environment::close`].
    ///
    /// # Errors
    /// If one does not start.
    pub fn clusters(&self, options: Vec<ClusterOptions>) -> Result<Vec<Arc<Cluster>>> {
        let started: Vec<Arc<Cluster>> = Cluster::start_all(options)?.into_iter().map(Arc::new).collect();
        self.lock().clusters.extend(started.iter().cloned());
        Ok(started)
    }

    /// Ends one cluster now. It ends when the last handle to it is dropped.
    pub fn end(&self, cluster: &Arc<Cluster>) {
        self.lock().clusters.retain(|other| !Arc::ptr_eq(other, cluster));
    }

    /// A folder that [`Environment::close`] removes.
    pub fn remove_at_end(&self, folder: PathBuf) {
        self.lock().folders.push(folder);
    }

    /// Runs a command whose output goes where this program's goes.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn show(&self, mut command: Command) -> Result<ExitStatus> {
        std::io::stdout().flush()?;
        {
            let mut inner = self.lock();
            anyhow::ensure!(!inner.closed, "interrupted");
            let child = command.spawn().with_context(|| format!("start {command:?}"))?;
            inner.child = Some(child);
        }
        loop {
            {
                let mut inner = self.lock();
                let child = inner.child.as_mut().context("interrupted")?;
                if let Some(status) = child.try_wait()? {
                    inner.child = None;
                    return Ok(status);
                }
            }
            pause(CHILD_POLL);
        }
    }

    /// Ends the child, then the clusters, and removes the folders. May be called more than once.
    pub fn close(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        if let Some(mut child) = inner.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let clusters = std::mem::take(&mut inner.clusters);
        let folders = std::mem::take(&mut inner.folders);
        drop(inner);
        drop(clusters);
        for folder in folders {
            // It may be gone already, or never have been made.
            let _ = std::fs::remove_dir_all(folder);
        }
    }

    /// Runs `story` in a thread of its own and ends this program with its status; an interrupt, a
    /// termination or a hang-up ends it before, cleaned up all the same.
    ///
    /// # Errors
    /// If signals cannot be listened to.
    pub fn run(&self, scenario: impl FnOnce(&Self) -> Result<i32> + Send + 'static) -> Result<i32> {
        use tokio::signal::unix::{SignalKind, signal};
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let reporter = runtime.block_on(async {
            let mut interrupt = signal(SignalKind::interrupt())?;
            let mut terminate = signal(SignalKind::terminate())?;
            let mut hang_up = signal(SignalKind::hangup())?;
            let stage = self.clone();
            let (done, reporter) = tokio::sync::oneshot::channel();
            std::thread::spawn(move || {
                let _ = done.send(scenario(&stage));
            });
            anyhow::Ok(tokio::select! {
                reporter = reporter => Some(reporter.context("the story panicked")?),
                _ = interrupt.recv() => None,
                _ = terminate.recv() => None,
                _ = hang_up.recv() => None,
            })
        });
        let reporter = match reporter {
            Ok(reporter) => reporter,
            Err(error) => Some(Err(error)),
        };
        if reporter.is_none() {
            eprintln!("\ninterrupted: stopping the clusters and removing their data");
        }
        self.close();
        reporter.unwrap_or(Ok(INTERRUPTED))
    }
}

/// Prints steps with the time since the beginning.
pub struct Reporter {
    start: Instant,
    colour: bool,
    steps: u32,
    /// The steps that have ended: name and seconds.
    timings: Vec<(String, f64)>,
    open: Option<(String, Instant)>,
}

impl Default for Reporter {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            colour: std::io::stdout().is_terminal(),
            steps: 0,
            timings: Vec::new(),
            open: None,
        }
    }
}

impl Reporter {
    /// Begins a step: a numbered heading.
    pub fn step(&mut self, name: &str, heading: &str) {
        self.end_step();
        self.steps += 1;
        self.open = Some((name.to_owned(), Instant::now()));
        let (bold, plain) = if self.colour {
            ("\x1b[1m", "\x1b[0m")
        } else {
            ("", "")
        };
        println!("\n{} {bold}{}. {heading}{plain}", self.clock(), self.steps);
    }

    /// Says something inside a step.
    pub fn say(&self, text: &str) {
        for line in text.lines() {
            println!("{} {line}", self.clock());
        }
    }

    /// Shows a command before it runs, as a user would type it.
    pub fn command(&self, line: &str) {
        let (dim, plain) = if self.colour {
            ("\x1b[36m", "\x1b[0m")
        } else {
            ("", "")
        };
        println!("{} {dim}$ {line}{plain}", self.clock());
    }

    /// Ends the last step and gives the seconds of each.
    pub fn end(&mut self) -> Vec<(String, f64)> {
        self.end_step();
        self.timings.clone()
    }

    /// Seconds since the beginning.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    fn end_step(&mut self) {
        if let Some((name, start)) = self.open.take() {
            self.timings.push((name, start.elapsed().as_secs_f64()));
        }
    }

    fn clock(&self) -> String {
        format!("[{:5.1}s]", self.seconds())
    }
}
