//! The environment of the demonstration and the proof: steps with elapsed times, clusters and
//! folders that are cleaned up however the program ends, and `lifeboat` as a child process that
//! ends with it.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use lifeboat_local::{Cluster, ClusterOptions};

/// The interval at which a child process is polled for its end: short compared with any step, long
/// compared with the cost of polling.
const CHILD_POLL: Duration = Duration::from_millis(10);

/// The exit status of an interrupted program, as in shells (128 + SIGINT).
pub const INTERRUPTED: i32 = 130;

/// Sleeps. All waits of this crate use this function.
pub fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

/// Everything that must be stopped or removed at the end, shared with the signal handler.
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
        // If a thread panicked while it held the lock, the contents must still be cleaned up.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts clusters in parallel; [`Environment::close`] stops them.
    ///
    /// # Errors
    /// If one does not start.
    pub fn clusters(&self, options: Vec<ClusterOptions>) -> Result<Vec<Arc<Cluster>>> {
        let started: Vec<Arc<Cluster>> = Cluster::start_all(options)?.into_iter().map(Arc::new).collect();
        self.lock().clusters.extend(started.iter().cloned());
        Ok(started)
    }

    /// Drops the environment's handle to a cluster. The cluster ends when the last handle is dropped.
    pub fn end(&self, cluster: &Arc<Cluster>) {
        self.lock().clusters.retain(|other| !Arc::ptr_eq(other, cluster));
    }

    /// Registers a folder that [`Environment::close`] removes.
    pub fn remove_at_end(&self, folder: PathBuf) {
        self.lock().folders.push(folder);
    }

    /// Runs a command with the standard output and standard error of this program.
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

    /// Kills the child, stops the clusters and removes the folders. May be called more than once.
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
            // The folder may already be removed, or may never have been created.
            let _ = std::fs::remove_dir_all(folder);
        }
    }

    /// Runs `scenario` in a separate thread and returns its exit status. SIGINT, SIGTERM and SIGHUP
    /// end it early; the cleanup also runs then.
    ///
    /// # Errors
    /// If the signal handlers cannot be installed.
    pub fn run(&self, scenario: impl FnOnce(&Self) -> Result<i32> + Send + 'static) -> Result<i32> {
        use tokio::signal::unix::{SignalKind, signal};
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let status = runtime.block_on(async {
            let mut interrupt = signal(SignalKind::interrupt())?;
            let mut terminate = signal(SignalKind::terminate())?;
            let mut hang_up = signal(SignalKind::hangup())?;
            let stage = self.clone();
            let (done, ended) = tokio::sync::oneshot::channel();
            std::thread::spawn(move || {
                let _ = done.send(scenario(&stage));
            });
            anyhow::Ok(tokio::select! {
                ended = ended => Some(ended.context("the scenario panicked")?),
                _ = interrupt.recv() => None,
                _ = terminate.recv() => None,
                _ = hang_up.recv() => None,
            })
        });
        let status = match status {
            Ok(status) => status,
            Err(error) => Some(Err(error)),
        };
        if status.is_none() {
            eprintln!("\ninterrupted: stopping the clusters and removing their data");
        }
        self.close();
        status.unwrap_or(Ok(INTERRUPTED))
    }
}

/// Prints steps with the time since the start.
pub struct Reporter {
    start: Instant,
    colour: bool,
    steps: u32,
    /// The completed steps: name and seconds.
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
    /// Begins a step and prints a numbered heading.
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

    /// Prints a line within a step.
    pub fn say(&self, text: &str) {
        for line in text.lines() {
            println!("{} {line}", self.clock());
        }
    }

    /// Prints a command before it runs, as a user would type it.
    pub fn command(&self, line: &str) {
        let (dim, plain) = if self.colour {
            ("\x1b[36m", "\x1b[0m")
        } else {
            ("", "")
        };
        println!("{} {dim}$ {line}{plain}", self.clock());
    }

    /// Ends the last step and returns the seconds of each.
    pub fn end(&mut self) -> Vec<(String, f64)> {
        self.end_step();
        self.timings.clone()
    }

    /// Returns the seconds since the start.
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
