//! Child processes that are measured: output, exit status, processor time and memory.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// The output and the resource use of a finished child process.
#[derive(Debug)]
pub struct Finished {
    /// The exit status; nothing if a signal terminated the process.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Wall-clock time from start to end, in seconds.
    pub wall_seconds: f64,
    /// Processor time of the child, user and system, in seconds. It is read from the kernel's total
    /// for all finished children, so that only one measured child may run at a time.
    pub cpu_seconds: f64,
    /// The peak of the resident memory, in MiB, as the kernel reports it (`VmHWM`).
    pub peak_mib: f64,
}

/// Runs `command` to its end and measures it.
///
/// # Errors
/// If the command cannot be started or its output is not UTF-8.
pub fn run(command: &mut Command) -> Result<Finished> {
    run_until(command, || Ok(false))
}

/// Runs `command` as [`run`] does, and kills it as soon as `stop` returns true.
///
/// # Errors
/// As [`run`], and those of `stop`; the command is killed then.
pub fn run_until(command: &mut Command, mut stop: impl FnMut() -> Result<bool>) -> Result<Finished> {
    let cpu_before = children_cpu_seconds()?;
    let start = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("start {command:?}"))?;
    let stdout = collect(child.stdout.take().context("standard output is piped")?);
    let stderr = collect(child.stderr.take().context("standard error is piped")?);
    let mut peak_mib = 0.0_f64;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        // The value only rises, so the last reading is the peak, except for the time after it.
        peak_mib = peak_mib.max(high_water_mib(child.id()).unwrap_or(0.0));
        let stopped = stop();
        if !matches!(stopped, Ok(false)) {
            child.kill()?;
            child.wait()?;
            stopped?;
        }
        std::thread::sleep(Duration::from_millis(3));
    };
    let wall_seconds = start.elapsed().as_secs_f64();
    let text = |thread: std::thread::JoinHandle<std::io::Result<String>>| -> Result<String> {
        Ok(thread
            .join()
            .map_err(|_| anyhow::anyhow!("the reader of a child's output panicked"))??)
    };
    Ok(Finished {
        code: status.code(),
        stdout: text(stdout)?,
        stderr: text(stderr)?,
        wall_seconds,
        cpu_seconds: children_cpu_seconds()? - cpu_before,
        peak_mib,
    })
}

fn collect(mut pipe: impl Read + Send + 'static) -> std::thread::JoinHandle<std::io::Result<String>> {
    std::thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text)?;
        Ok(text)
    })
}

fn high_water_mib(process: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}

/// Returns the processor seconds of all children that ended and were waited for (`proc(5)`,
/// `/proc/[pid]/stat`, fields 16 and 17, in ticks of 1/100 s on Linux).
fn children_cpu_seconds() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit_once(')').context("a process name in parentheses")?.1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |index: usize| -> Result<f64> { Ok(fields.get(index).context("a field")?.parse()?) };
    Ok((ticks(13)? + ticks(14)?) / 100.0)
}
