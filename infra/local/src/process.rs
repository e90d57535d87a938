//! Processes that end with the one that started them, and free ports for them.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

/// How much of a log an error shows: the last lines say why a server ended, and
/// an API server's farewell takes about this much.
const TAIL_BYTES: u64 = 4096;

/// A server that serves as long as this value lives and no longer than this
/// process, because it ends with the pipe that `child` holds.
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts one program of the multi-call binary, with its output in a log of
    /// its name in `folder`. A second start appends to that log.
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
            // Programs that look for files of the user find none.
            .env("HOME", folder)
            .env_remove("KUBECONFIG")
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(output.try_clone()?)
            .stderr(output)
            // A terminal sends Ctrl-C to the whole group: the launcher decides, not the terminal.
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

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// The end of its log.
    pub(crate) fn tail(&self) -> String {
        tail(&self.log).unwrap_or_else(|error| format!("(no log: {error})"))
    }

    /// Ends it at once and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        // Both fail only when it is gone already.
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

/// Ports that were free a moment ago, all different. Another process can take one
/// before it is used: the caller starts again then.
pub(crate) fn free_ports<const N: usize>() -> Result<[u16; N], std::io::Error> {
    let mut listeners = Vec::with_capacity(N);
    let mut ports = [0; N];
    for port in &mut ports {
        // All stay open until all are found, else one could come twice.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        *port = listener.local_addr()?.port();
        listeners.push(listener);
    }
    Ok(ports)
}
