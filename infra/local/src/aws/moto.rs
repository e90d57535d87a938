//! moto's server: an implementation of AWS that shares nothing with fakecloud and this crate. Adapters are tested against
//! both ([`crate::conformance`]).

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Credentials;
use super::gateway::wire::element;
use super::programs::{AwsProgramsError, ensure_moto};
use super::supervise::Supervised;

const SCRIPT: &str = include_str!("moto/serve.py");
/// What the line begins with that the script prints once it listens.
const PORT_LINE: &str = "MOTO_PORT=";
/// moto imports for three seconds of CPU time, and longer while the machine compiles.
const READY_DEADLINE: Duration = Duration::from_secs(120);
/// An answer takes milliseconds, the first one of a service a second.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The error of starting moto or of creating an account in it.
#[derive(Debug, thiserror::Error)]
pub enum MotoError {
    /// moto is missing and could not be installed.
    #[error("moto could not be installed")]
    Install(#[from] AwsProgramsError),
    /// A file or the process could not be created, or a connection failed.
    #[error("failed to run moto")]
    System(#[from] std::io::Error),
    /// moto exited, or did not respond before the deadline.
    #[error("moto did not become ready; the end of its log:\n{log}")]
    NotReady {
        /// The end of moto's log.
        log: String,
    },
    /// moto returned no keys.
    #[error("moto created no account: {answer}")]
    Account {
        /// What it answered.
        answer: String,
    },
}

/// A running moto server, which ends when this value is dropped, and with this process in whatever way.
///
/// It checks no signature and no permission.
pub struct MotoServer {
    _process: Supervised,
    address: SocketAddr,
    log: PathBuf,
}

impl std::fmt::Debug for MotoServer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("MotoServer")
            .field("endpoint", &self.endpoint())
            .finish_non_exhaustive()
    }
}

impl MotoServer {
    /// Starts a moto server without accounts. Installs moto first if needed. Its log stays in `folder`, which is created
    /// and must not be shared with another server that runs.
    ///
    /// # Errors
    /// If moto cannot be installed or does not start; no process remains then.
    pub fn start(folder: &Path) -> Result<Self, MotoError> {
        let python = ensure_moto()?;
        std::fs::create_dir_all(folder)?;
        let log = folder.join("moto.log");
        let output = File::create(&log)?;
        // Without the folder of this process in the path of modules, and without bytecode written beside the installation.
        let arguments = ["-I", "-B", "-c", SCRIPT].map(str::to_owned);
        // Seconds after which a requested certificate is issued.
        let environment = [("MOTO_ACM_VALIDATION_WAIT", "0")];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut process = Supervised::start(&python, &arguments, environment, folder, folder, &output)?;
        let address = process
            .listening(&log, PORT_LINE, READY_DEADLINE)
            .map_err(|log| MotoError::NotReady { log })?;
        Ok(Self {
            _process: process,
            address,
            log,
        })
    }

    /// Returns the endpoint URL for every AWS client (`AWS_ENDPOINT_URL`).
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the path of the log.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Returns keys of an account. moto takes the account of a request from the access key, and makes keys of any account
    /// by `AssumeRole`.
    ///
    /// # Errors
    /// If moto does not answer with keys.
    pub fn create_account(&self, id: &str) -> Result<Credentials, MotoError> {
        let body = format!(
            "Action=AssumeRole&Version=2011-06-15&RoleSessionName=admin&RoleArn=arn%3Aaws%3Aiam%3A%3A{id}%3Arole%2Fadmin"
        );
        // moto reads the service from the scope of the signature, and no more of it.
        let request = format!(
            "POST / HTTP/1.0\r\nHost: {}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/sts/aws4_request, \
             SignedHeaders=host, Signature=0\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        let mut connection = TcpStream::connect(self.address)?;
        connection.set_read_timeout(Some(TIMEOUT))?;
        connection.write_all(request.as_bytes())?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        let keys = element(&answer, "AccessKeyId").zip(element(&answer, "SecretAccessKey"));
        let Some((access_key, secret_key)) = keys else {
            return Err(MotoError::Account { answer });
        };
        Ok(Credentials {
            access_key_id: access_key.to_owned(),
            secret_access_key: secret_key.to_owned(),
            session_token: element(&answer, "SessionToken").map(str::to_owned),
        })
    }
}
