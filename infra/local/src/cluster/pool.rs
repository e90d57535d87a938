//! Clusters shared by tests that run in separate processes, because clusters are slow to start.
//!
//! A pool belongs to the process that runs the tests and ends with it. It listens on a Unix socket
//! whose path is in an environment variable. A test sends the options of the cluster that it needs,
//! receives the cluster's address, and keeps the connection open for as long as it uses the
//! cluster.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Error, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::{Cluster, ClusterOptions, StartError, start};

/// The variable with the path of the pool's socket.
const POOL: &str = "LIFEBOAT_POOL";

/// How long a cluster without users is kept. The tests of one program run one after another.
const IDLE: Duration = Duration::from_secs(30);

/// The message that the first user of a cluster sends once it is prepared.
const PREPARED: &str = "prepared";

/// Runs a command whose tests share clusters ([`Cluster::shared`]), and waits for its end. The
/// clusters end with this process.
///
/// # Errors
/// If the socket cannot be created or the command cannot be started.
pub fn with_pool(command: &mut Command) -> Result<ExitStatus, Error> {
    let folder = tempfile::Builder::new().prefix("lifeboat-pool-").tempdir()?;
    let socket = folder.path().join("socket");
    let listener = UnixListener::bind(&socket)?;
    std::thread::spawn(move || {
        let clusters = Arc::new(Mutex::new(BTreeMap::new()));
        for stream in listener.incoming().flatten() {
            let clusters = Arc::clone(&clusters);
            // A client that has disconnected needs no response.
            std::thread::spawn(move || serve(stream, &clusters));
        }
    });
    command.env(POOL, &socket).status()
}

/// One cluster, once it is prepared. The thread that holds the lock starts and prepares it.
type Place = Arc<Mutex<Option<Arc<Cluster>>>>;

fn serve(stream: UnixStream, clusters: &Mutex<BTreeMap<String, Place>>) -> Result<(), Error> {
    let mut lines = BufReader::new(stream.try_clone()?);
    let mut asked = String::new();
    lines.read_line(&mut asked)?;
    let options = read_options(&serde_json::from_str(&asked)?);
    let place = Arc::clone(lock(clusters).entry(asked).or_default());
    let cluster = {
        let mut held = lock(&place);
        let (cluster, fresh) = match &*held {
            Some(cluster) => (Arc::clone(cluster), false),
            None => match Cluster::start(options) {
                Ok(cluster) => (Arc::new(cluster), true),
                Err(error) => return answer(&stream, &json!({"error": chain(&error)})),
            },
        };
        answer(
            &stream,
            &json!({
                "fresh": fresh,
                "folder": cluster.dir(),
                "server": cluster.server(),
                "token": cluster.token(),
            }),
        )?;
        if fresh {
            let mut said = String::new();
            lines.read_line(&mut said)?;
            // If preparing failed, the cluster is discarded, and the next user starts a new one.
            if said.trim() != PREPARED {
                return Ok(());
            }
            *held = Some(Arc::clone(&cluster));
        }
        cluster
    };
    // The use of the cluster ends with the connection.
    let _ = lines.read_to_end(&mut Vec::new());
    std::thread::sleep(IDLE);
    let mut held = lock(&place);
    // Two references: the one in `held` and this one. Each other user, and each thread that waits
    // here as this one does, has one more.
    if held.is_some() && Arc::strong_count(&cluster) == 2 {
        *held = None;
    }
    Ok(())
}

fn answer(mut stream: &UnixStream, answer: &Value) -> Result<(), Error> {
    writeln!(stream, "{answer}")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Returns a cluster of the pool, or one of this process if there is no pool.
pub(super) fn lease(options: ClusterOptions, prepare: impl FnOnce(&Cluster)) -> Result<Cluster, StartError> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads where the pool is"
    )]
    let Some(socket) = std::env::var_os(POOL) else {
        let cluster = Cluster::start(options)?;
        prepare(&cluster);
        return Ok(cluster);
    };
    let name = options.name.clone();
    let failed = |source| StartError::Pool {
        cluster: name.clone(),
        source,
    };
    let ask = || -> Result<(UnixStream, Value), Error> {
        let mut stream = UnixStream::connect(PathBuf::from(socket))?;
        writeln!(stream, "{}", write_options(&options))?;
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line)?;
        let answer: Value = serde_json::from_str(&line)?;
        match answer["error"].as_str() {
            Some(error) => Err(Error::other(error.to_owned())),
            None => Ok((stream, answer)),
        }
    };
    let (stream, answer) = ask().map_err(failed)?;
    let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
    let mut to_pool = stream.try_clone().map_err(failed)?;
    let folder = PathBuf::from(text("folder"));
    let cluster = start::attach(options, folder, text("server"), text("token"), stream)?;
    if answer["fresh"] == true {
        prepare(&cluster);
        writeln!(to_pool, "{PREPARED}").map_err(failed)?;
    }
    Ok(cluster)
}

fn write_options(options: &ClusterOptions) -> Value {
    json!({
        "name": options.name,
        "controllers": options.controllers,
        "nodes": options.nodes,
        "serviceCidr": options.service_cidr,
        "apiServerArgs": options.api_server_args,
    })
}

fn read_options(value: &Value) -> ClusterOptions {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let arguments = value["apiServerArgs"].as_array();
    ClusterOptions {
        name: text(&value["name"]).unwrap_or_default(),
        controllers: value["controllers"] == true,
        nodes: value["nodes"]
            .as_u64()
            .and_then(|nodes| u32::try_from(nodes).ok())
            .unwrap_or(0),
        service_cidr: text(&value["serviceCidr"]),
        api_server_args: arguments.into_iter().flatten().filter_map(text).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_travel_whole() {
        let mut options = ClusterOptions::named("shared").with_nodes(3);
        options.service_cidr = Some("10.97.0.0/16".into());
        options.api_server_args = vec!["--service-node-port-range=30000-31999".into()];
        for options in [options, ClusterOptions::default()] {
            let travelled = read_options(&write_options(&options));
            assert_eq!(format!("{travelled:?}"), format!("{options:?}"));
        }
    }
}
