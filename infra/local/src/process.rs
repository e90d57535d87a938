//! Child processes that end with this process, and free ports for them.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

/// The length of the log excerpt in an error, in bytes. The last lines give the reason of an exit,
/// and the shutdown messages of an API server take about this much.
const TAIL_BYTES: u64 = 4096;

/// A server that runs until this value is dropped, and at most until this process ends: it exits
/// when its standard input, a pipe that `child` holds, closes.
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts one program of the multi-call binary. Its output goes to a log with the program's
    /// name in `folder`; a second start appends to that log.
    pub(crate) fn start(
        programs: &Path,
        name: &'static str,
        folder: &Path,
        arguments: &[String],
    ) -> Result<Self, std::io::Error> {
        let log = folder.join(format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log)?;
        let child = Command::new(programs)
            .arg(name)
            .args(arguments)
            // An empty home, so that the programs find none of the user's configuration.
            .env("HOME", folder)
            .env_remove("KUBECONFIG")
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(output.try_clone()?)
            .stderr(output)
            // A terminal sends Ctrl-C to the whole process group. In a group of its own, a server
            // ends only when the launcher ends it.
            .process_group(0)
            .spawn()?;
        Ok(Self { name, child, log })
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the exit status if the process has ended.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Returns the end of the log.
    pub(crate) fn tail(&self) -> String {
        tail(&self.log).unwrap_or_else(|error| format!("(no log: {error})"))
    }

    /// Kills the process and waits for its end.
    pub(crate) fn kill(&mut self) {
        // Both fail only if the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn tail(log: &Path) -> Result<String, std::io::Error> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Returns distinct ports that are free at the time of the call. Another process can take one
/// before it is used; the caller then starts again.
pub(crate) fn free_ports<const N: usize>() -> Result<[u16; N], std::io::Error> {
    let mut listeners = Vec::with_capacity(N);
    let mut ports = [0; N];
    for port in &mut ports {
        // All listeners stay open until the end, so that no port is returned twice.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        *port = listener.local_addr()?.port();
        listeners.push(listener);
    }
    Ok(ports)
}
