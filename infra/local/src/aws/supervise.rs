//! Third-party programs that must not outlive this process.
//!
//! This project's own servers exit when their standard input closes. fakecloud, moto and the functions do
//! not, so a shell script (`supervise.sh`) between them and this process watches the pipe.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const SCRIPT: &str = include_str!("supervise.sh");
const PAUSE: Duration = Duration::from_millis(20);

/// A program and all processes that it starts. Dropping this value kills them. So does the end of
/// this process, because it closes the pipe.
pub(crate) struct Supervised {
    shell: Child,
    pid_file: PathBuf,
    status_file: PathBuf,
}

impl Supervised {
    /// Starts a program with exactly this environment and with its output in `log`. `folder`
    /// receives two small files and must not be shared with another program.
    pub(crate) fn start(
        program: &Path,
        arguments: &[String],
        environment: impl IntoIterator<Item = (String, String)>,
        working_directory: &Path,
        folder: &Path,
        log: &File,
    ) -> Result<Self, std::io::Error> {
        let pid_file = folder.join("pid");
        let status_file = folder.join("status");
        for file in [&pid_file, &status_file] {
            match std::fs::remove_file(file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        let shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "supervise"])
            .arg(&pid_file)
            .arg(&status_file)
            .arg(program)
            .args(arguments)
            .env_clear()
            .envs(environment)
            .current_dir(working_directory)
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log.try_clone()?)
            .process_group(0)
            .spawn()?;
        Ok(Self {
            shell,
            pid_file,
            status_file,
        })
    }

    /// Returns the process id of the program itself, once it is known.
    pub(crate) fn program_id(&self) -> Option<u32> {
        std::fs::read_to_string(&self.pid_file).ok()?.trim().parse().ok()
    }

    /// Returns the process id of the supervising shell.
    pub(crate) fn shell_id(&self) -> u32 {
        self.shell.id()
    }

    /// Returns the program's exit status as a shell reports it (128 and more for a signal), or
    /// `Some(None)` if it ended and the status is not known; nothing while the program runs.
    pub(crate) fn ended(&mut self) -> Option<Option<i32>> {
        self.shell.try_wait().ok().flatten()?;
        let status = std::fs::read_to_string(&self.status_file).ok();
        Some(status.and_then(|status| status.trim().parse().ok()))
    }

    /// Waits until the program accepts connections at the port that it prints to its log, in a line that begins with
    /// `line`. Returns its address.
    ///
    /// # Errors
    /// The end of the log, if the program ends or does not accept connections before the deadline.
    pub(crate) fn listening(
        &mut self,
        log: &Path,
        line: &str,
        deadline: Duration,
    ) -> Result<SocketAddr, String> {
        let began = Instant::now();
        loop {
            let text = std::fs::read_to_string(log).unwrap_or_default();
            if let Some(address) = address_in(&text, line)
                && TcpStream::connect(address).is_ok()
            {
                return Ok(address);
            }
            if self.ended().is_some() || began.elapsed() > deadline {
                let lines: Vec<&str> = text.lines().rev().take(20).collect();
                return Err(lines.into_iter().rev().collect::<Vec<_>>().join("\n"));
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Kills the program and everything that it started, and waits for their end.
    pub(crate) fn end(&mut self) {
        // The shell reads the end of its input and kills its whole process group.
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.end();
    }
}

/// Reads the address from the line with the port.
fn address_in(log: &str, line: &str) -> Option<SocketAddr> {
    let port = log.lines().find_map(|text| text.strip_prefix(line))?;
    Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port.trim().parse().ok()?)))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn start(folder: &Path, script: &str) -> Supervised {
        let log = File::create(folder.join("log")).unwrap();
        let arguments = ["-c".to_owned(), script.to_owned()];
        let path = ("PATH".to_owned(), "/usr/bin:/bin".to_owned());
        Supervised::start(Path::new("/bin/sh"), &arguments, [path], folder, folder, &log).unwrap()
    }

    fn wait<T>(mut ask: impl FnMut() -> Option<T>) -> T {
        for _ in 0..500 {
            if let Some(found) = ask() {
                return found;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("timed out after five seconds");
    }

    #[test]
    fn the_port_is_read_from_its_own_line() {
        let address = Some(([127, 0, 0, 1], 45).into());
        assert_eq!(address_in("PORT=45", "PORT="), address);
        assert_eq!(address_in("starting\n", "PORT="), None);
        assert_eq!(address_in("PORT=\n", "PORT="), None);
    }

    #[test]
    fn a_program_that_ends_before_it_listens_leaves_its_last_words() {
        let folder = tempfile::tempdir().unwrap();
        let mut ending = start(folder.path(), "echo no module named moto; exit 1");
        let log = folder.path().join("log");
        let error = ending.listening(&log, "PORT=", Duration::from_secs(60));
        assert_eq!(error, Err("no module named moto".to_owned()));
    }

    #[test]
    fn the_status_of_a_program_that_ends_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let mut ending = start(folder.path(), "exit 7");
        assert_eq!(wait(|| ending.ended()), Some(7));
    }

    #[test]
    fn nothing_that_a_program_started_stays() {
        let folder = tempfile::tempdir().unwrap();
        let mut running = start(folder.path(), "sleep 300 & echo $! >inner; wait");
        let inner: u32 = wait(|| {
            std::fs::read_to_string(folder.path().join("inner"))
                .ok()?
                .trim()
                .parse()
                .ok()
        });
        let outer = wait(|| running.program_id());
        running.end();
        for id in [inner, outer] {
            wait(|| gone(id).then_some(()));
        }
    }

    /// Returns whether the process does not exist or is a zombie.
    fn gone(id: u32) -> bool {
        match std::fs::read_to_string(format!("/proc/{id}/stat")) {
            Ok(stat) => stat
                .rsplit(')')
                .next()
                .is_some_and(|rest| rest.trim_start().starts_with('Z')),
            Err(_) => true,
        }
    }
}
