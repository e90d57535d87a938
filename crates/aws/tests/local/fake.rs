//! fakecloud, for as long as the tests of this file run.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};

pub(crate) struct Fake {
    endpoint: String,
    address: String,
    /// Ends with this process: the supervisor reads the other side of its standard input.
    _process: Child,
}

/// Runs a program that ends with the pipe on standard input.
const SUPERVISE: &str = r#"exec 3<&0; "$@" </dev/null 3<&- & child=$!; cat <&3 >/dev/null; kill -9 $child"#;

impl Fake {
    pub(crate) fn shared() -> &'static Self {
        static FAKE: OnceLock<Fake> = OnceLock::new();
        FAKE.get_or_init(Self::start)
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Keys of an administrator of an account.
    pub(crate) fn keys(&self, account: &str) -> (String, String) {
        static MADE: Mutex<BTreeMap<String, (String, String)>> = Mutex::new(BTreeMap::new());
        let mut made = MADE.lock().unwrap();
        let keys = made.entry(account.to_owned());
        keys.or_insert_with(|| admin(&self.address, account)).clone()
    }

    fn start() -> Self {
        let program = program();
        assert!(program.exists(), "build it with infra/local/build-aws");
        let mut process = Command::new("sh")
            .args(["-c", SUPERVISE, "sh"])
            .arg(program)
            .args([
                "--addr=127.0.0.1:0",
                "--iam=strict",
                "--verify-sigv4",
                "--storage-mode=memory",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = lines.by_ref().find_map(|line| {
            let line = line.unwrap();
            Some(line.strip_prefix("FAKECLOUD_PORT=")?.trim().to_owned())
        });
        let address = format!("127.0.0.1:{}", port.unwrap());
        // What it prints later is read, so that it never waits for us.
        std::thread::spawn(move || lines.count());
        Self {
            endpoint: format!("http://{address}"),
            address,
            _process: process,
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test is configured by its environment"
)]
fn program() -> PathBuf {
    let home = |name: &str, rest: &str| Some(PathBuf::from(std::env::var_os(name)?).join(rest));
    (home("LIFEBOAT_CACHE", ""))
        .or_else(|| home("XDG_CACHE_HOME", "lifeboat"))
        .or_else(|| home("HOME", ".cache/lifeboat"))
        .unwrap()
        .join("tools/bin/fakecloud")
}

/// Makes an administrator of the account.
fn admin(address: &str, account: &str) -> (String, String) {
    let mut connection = TcpStream::connect(address).unwrap();
    let body = format!(r#"{{"accountId":"{account}","userName":"test"}}"#);
    write!(
        connection,
        "POST /_fakecloud/iam/create-admin HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    let value = |name: &str| {
        let rest = answer.split_once(&format!("\"{name}\":\"")).expect(&answer).1;
        rest.split_once('"').unwrap().0.to_owned()
    };
    (value("accessKeyId"), value("secretAccessKey"))
}
