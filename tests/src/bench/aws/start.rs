//! The start time of functions until they request their first event: the delegate compared with a
//! Python function that imports what a delegate in Python would need.

use std::io::Read;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::super::report::{Report, median};
use super::{START, packages};
use crate::aws::Scenario;
use crate::environment::pause;

/// The packages that a Python delegate needs, in the versions that were current in November 2026.
const PACKAGES: &[&str] = &["boto3==1.44.5", "kubernetes==37.0.1"];

/// The source of that function: only its imports, and the request for the first event.
const PYTHON: &str = "\
import os, urllib.request
import boto3, kubernetes.client
address = os.environ['AWS_LAMBDA_RUNTIME_API']
urllib.request.urlopen(f'http://{address}/2018-06-01/runtime/invocation/next')
";

/// A start that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// The number of uncounted starts of each: the first ones read the programs from the disk.
const WARM: usize = 2;

/// Measures both alternately.
///
/// # Errors
/// If one of them does not start.
pub(super) fn measure(
    report: &mut Report,
    scenario: &Scenario<'_>,
    profile: &str,
    repetitions: usize,
) -> Result<()> {
    let folder = scenario.aws.dir().join("bench");
    let bootstrap = unpack(profile, &folder)?;
    let configuration = scenario.primary.json(&[
        "lambda",
        "get-function-configuration",
        "--function-name",
        "lifeboat-shop-primary",
    ])?;
    let delegate = || -> Result<Command> {
        let mut command = Command::new(&bootstrap);
        command.env_clear().envs(scenario.primary.variables());
        let variables = configuration["Environment"]["Variables"]
            .as_object()
            .context("variables")?;
        for (name, value) in variables {
            command.env(name, value.as_str().unwrap_or_default());
        }
        command
            .env("AWS_REGION", "eu-west-1")
            .env("AWS_LAMBDA_FUNCTION_NAME", "lifeboat-shop-primary")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "bench")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "bench");
        Ok(command)
    };
    let interpreter = interpreter()?;
    let python = || {
        let mut command = Command::new(&interpreter);
        command.env_clear().args(["-c", PYTHON]);
        command
    };
    // A start is short, so its median needs more repetitions than that of a backup.
    let starts = repetitions * 3 + WARM;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for start in 0..starts {
        let one = until_first_event(&mut delegate()?).context("start a delegate")?;
        let other = until_first_event(&mut python()).context("start a Python function")?;
        if start >= WARM {
            ours.push(one);
            theirs.push(other);
        }
    }
    let (ours, theirs) = (median(ours), median(theirs));
    report.add(
        "init_vs_python",
        ours / theirs,
        (profile == "release").then_some(START),
        &[("delegate_s", ours), ("python_s", theirs)],
    );
    Ok(())
}

/// Starts a program and returns the seconds until it requests its first event, which it does not get.
fn until_first_event(command: &mut Command) -> Result<f64> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    listener.set_nonblocking(true)?;
    command
        .env("AWS_LAMBDA_RUNTIME_API", listener.local_addr()?.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let began = Instant::now();
    let mut child = command.spawn()?;
    let asked = loop {
        match listener.accept() {
            Ok((mut stream, _)) => break first_line(&mut stream),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => break Err(error.into()),
        }
        if let Some(status) = child.try_wait()? {
            let mut said = String::new();
            let mut stderr = child.stderr.take().context("standard error is piped")?;
            stderr.read_to_string(&mut said)?;
            bail!("it ended with {status} before it asked: {said}");
        }
        if began.elapsed() > PATIENCE {
            break Err(anyhow::anyhow!("it did not ask for an event"));
        }
        pause(Duration::from_micros(200));
    };
    let seconds = began.elapsed().as_secs_f64();
    child.kill()?;
    child.wait()?;
    let line = asked?;
    ensure!(
        line.starts_with("GET /2018-06-01/runtime/invocation/next "),
        "its first question is {line}"
    );
    Ok(seconds)
}

fn first_line(stream: &mut std::net::TcpStream) -> Result<String> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut bytes = [0; 1024];
    let length = stream.read(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// Unpacks the delegate's zip as Lambda does.
fn unpack(profile: &str, folder: &Path) -> Result<PathBuf> {
    let architecture = if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "x86_64"
    };
    let zip = packages(profile).join(architecture).join("lifeboat-delegate.zip");
    std::fs::create_dir_all(folder)?;
    let status = Command::new("python3")
        .args(["-m", "zipfile", "-e"])
        .args([&zip, folder])
        .status()?;
    ensure!(status.success(), "{} cannot be unpacked", zip.display());
    let bootstrap = folder.join("bootstrap");
    // Python's zip module does not restore permissions.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&bootstrap, mode)?;
    Ok(bootstrap)
}

/// Returns a Python interpreter with the packages, which is created once in the cache.
fn interpreter() -> Result<PathBuf> {
    let folder = cache()?.join(format!(
        "python-delegate-{}",
        PACKAGES.join("-").replace("==", "-")
    ));
    let python = folder.join("bin/python");
    if folder.join("ready").is_file() {
        return Ok(python);
    }
    println!("  installing {} into the cache", PACKAGES.join(" and "));
    // An earlier run may have left an incomplete folder.
    let _ = std::fs::remove_dir_all(&folder);
    let made = Command::new("python3")
        .args(["-m", "venv"])
        .arg(&folder)
        .status()?;
    ensure!(made.success(), "python3 -m venv failed");
    let installed = Command::new(folder.join("bin/pip"))
        .args(["install", "--quiet", "--disable-pip-version-check"])
        .args(PACKAGES)
        .status()?;
    ensure!(installed.success(), "the packages cannot be installed");
    std::fs::write(folder.join("ready"), "")?;
    Ok(python)
}

/// Returns the cache of built tools, as named by the scripts of `infra`.
fn cache() -> Result<PathBuf> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the cache is where the scripts of this checkout have it"
    )]
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    variable("LIFEBOAT_CACHE")
        .or_else(|| Some(variable("XDG_CACHE_HOME")?.join("lifeboat")))
        .or_else(|| Some(variable("HOME")?.join(".cache/lifeboat")))
        .context("HOME is not set")
}
