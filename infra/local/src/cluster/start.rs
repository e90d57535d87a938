//! Starts a cluster step by step.

use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::folder::Folder;
use super::kubeconfig::{Credential, render, write_private};
use super::{Cluster, ClusterOptions, StartError, flags};
use crate::certificates::{Authority, Signed};
use crate::http::Client;
use crate::process::{Process, free_ports};
use crate::programs::ensure_programs;

/// Another process can take a port between finding and using it. Three times in a row is not a coincidence.
const ATTEMPTS: u32 = 3;
/// A start usually takes three seconds, and much longer while the machine compiles.
const READY_DEADLINE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(40);
/// The name of the certificate authority of a cluster.
const AUTHORITY: &str = "lifeboat-local";
/// The file name of the administrator's kubeconfig in the folder of a cluster.
const ADMIN: &str = "admin.kubeconfig";
/// The interval at which a wait reports that it still waits.
const SAY_EVERY: Duration = Duration::from_secs(10);

pub(super) fn start(options: ClusterOptions) -> Result<Cluster, StartError> {
    let programs = ensure_programs()?;
    let mut attempt = 1;
    loop {
        match try_start(&programs, options.clone()) {
            Err(StartError::Ended { log, .. })
                if attempt < ATTEMPTS && log.contains("address already in use") =>
            {
                attempt += 1;
            }
            result => return result,
        }
    }
}

fn try_start(programs: &Path, options: ClusterOptions) -> Result<Cluster, StartError> {
    let range = options.service_cidr.as_deref().unwrap_or(flags::SERVICE_RANGE);
    let first = flags::first_service_address(range)
        .ok_or_else(|| StartError::ServiceRange { range: range.into() })?;
    let in_folder = |source| StartError::Folder {
        cluster: options.name.clone(),
        source,
    };
    let with_certificates = |source| StartError::Certificates {
        cluster: options.name.clone(),
        source,
    };
    let folder = Folder::create(programs, &options.name).map_err(in_folder)?;
    let [etcd, etcd_peer, api_server] = free_ports().map_err(in_folder)?;
    let ports = flags::Ports {
        etcd,
        etcd_peer,
        api_server,
    };
    // etcd needs none of the certificates, so it starts while they are created.
    let etcd = spawn(
        programs,
        &options,
        flags::ETCD,
        folder.path(),
        &flags::etcd(folder.path(), ports),
    )?;

    let authority = Authority::create(AUTHORITY).map_err(with_certificates)?;
    let token = random_token().map_err(in_folder)?;
    write_pki(folder.path(), &authority, first, &token, &options)?;
    let server = format!("https://127.0.0.1:{}", ports.api_server);
    let kubeconfig = folder.path().join(ADMIN);
    let text = render(
        &options.name,
        &options.name,
        &server,
        authority.pem(),
        &Credential::Token(&token),
    );
    write_private(&kubeconfig, &text).map_err(in_folder)?;
    let client = Client::new(ports.api_server, authority.pem(), &token).map_err(in_folder)?;

    let mut cluster = Cluster {
        servers: vec![etcd],
        api_server_arguments: flags::api_server(folder.path(), ports, &options),
        folder,
        programs: programs.to_owned(),
        options,
        authority,
        token,
        server,
        kubeconfig,
        client,
        lease: None,
    };
    wait(&mut cluster, flags::ETCD, flags::ETCD, || {
        TcpStream::connect((Ipv4Addr::LOCALHOST, ports.etcd))
            .map(drop)
            .map_err(|error| error.to_string())
    })?;
    restart_api_server(&mut cluster)?;
    if cluster.options.controllers {
        start_controllers(&mut cluster)?;
    }
    if cluster.options.nodes > 0 {
        start_nodes(&mut cluster)?;
    }
    Ok(cluster)
}

/// Connects to a cluster that another process has started in this folder.
pub(super) fn attach(
    options: ClusterOptions,
    folder: PathBuf,
    server: String,
    token: String,
    lease: UnixStream,
) -> Result<Cluster, StartError> {
    let programs = ensure_programs()?;
    let attach = || -> Result<_, std::io::Error> {
        let pki = |name: &str| std::fs::read_to_string(folder.join("pki").join(name));
        let authority =
            Authority::load(AUTHORITY, pki("ca.crt")?, &pki("ca.key")?).map_err(std::io::Error::other)?;
        let port = server.rsplit(':').next().and_then(|port| port.parse().ok());
        let port = port.ok_or_else(|| std::io::Error::other(format!("{server} has no port")))?;
        let client = Client::new(port, authority.pem(), &token)?;
        Ok((authority, client))
    };
    let (authority, client) = attach().map_err(|source| StartError::Pool {
        cluster: options.name.clone(),
        source,
    })?;
    Ok(Cluster {
        servers: Vec::new(),
        kubeconfig: folder.join(ADMIN),
        folder: Folder::of_another_process(folder),
        programs,
        options,
        api_server_arguments: Vec::new(),
        authority,
        token,
        server,
        client,
        lease: Some(lease),
    })
}

fn spawn(
    programs: &Path,
    options: &ClusterOptions,
    program: &'static str,
    folder: &Path,
    arguments: &[String],
) -> Result<Process, StartError> {
    Process::start(programs, program, folder, arguments).map_err(|source| StartError::Spawn {
        cluster: options.name.clone(),
        program,
        source,
    })
}

/// Starts a further server of the cluster.
fn add(cluster: &mut Cluster, program: &'static str, arguments: &[String]) -> Result<(), StartError> {
    let process = spawn(
        &cluster.programs,
        &cluster.options,
        program,
        cluster.folder.path(),
        arguments,
    )?;
    cluster.servers.push(process);
    Ok(())
}

/// Polls until the condition holds, the deadline passes, or the server that it depends on exits.
fn wait(
    cluster: &mut Cluster,
    program: &'static str,
    what: &'static str,
    mut ask: impl FnMut() -> Result<(), String>,
) -> Result<(), StartError> {
    let began = Instant::now();
    let mut said = Duration::ZERO;
    loop {
        let answer = match ask() {
            Ok(()) => return Ok(()),
            Err(answer) => answer,
        };
        for server in &mut cluster.servers {
            if server.ended().is_some() {
                return Err(StartError::Ended {
                    cluster: cluster.options.name.clone(),
                    program: server.name(),
                    log: server.tail(),
                });
            }
        }
        let waited = began.elapsed();
        if waited > READY_DEADLINE {
            let server = cluster.servers.iter().find(|server| server.name() == program);
            return Err(StartError::NotReady {
                cluster: cluster.options.name.clone(),
                what,
                seconds: waited.as_secs(),
                answer,
                log: server.map(Process::tail).unwrap_or_default(),
            });
        }
        if waited - said > SAY_EVERY {
            said = waited;
            eprintln!(
                "cluster {}: waiting for {what} ({} s): {answer}",
                cluster.options.name,
                waited.as_secs()
            );
        }
        std::thread::sleep(PAUSE);
    }
}

pub(super) fn restart_api_server(cluster: &mut Cluster) -> Result<(), StartError> {
    let arguments = cluster.api_server_arguments.clone();
    add(cluster, flags::API_SERVER, &arguments)?;
    let client = cluster.client.clone();
    wait(cluster, flags::API_SERVER, flags::API_SERVER, move || {
        expect_ok(&client, "/readyz").map(drop)
    })?;
    // The API server is ready before the namespaces that every cluster has exist.
    let client = cluster.client.clone();
    wait(
        cluster,
        flags::API_SERVER,
        "the namespaces of the system",
        move || {
            expect_ok(&client, "/api/v1/namespaces/default").map(drop)?;
            expect_ok(&client, "/api/v1/namespaces/kube-system").map(drop)
        },
    )
}

fn expect_ok(client: &Client, path: &str) -> Result<Value, String> {
    let answer = client
        .get(path, "application/json")
        .map_err(|error| error.to_string())?;
    match answer.status {
        200 => Ok(answer.json().unwrap_or(Value::Null)),
        status => {
            let body = String::from_utf8_lossy(&answer.body);
            // The list of checks is long. Those that failed begin with this mark, and the first few are enough.
            let failed: Vec<&str> = body
                .lines()
                .filter_map(|line| line.strip_prefix("[-]")?.split_whitespace().next())
                .take(3)
                .collect();
            Err(format!("{path} answers {status} {}", failed.join(", ")))
        }
    }
}

fn start_controllers(cluster: &mut Cluster) -> Result<(), StartError> {
    server_kubeconfig(
        cluster,
        flags::CONTROLLERS,
        "system:kube-controller-manager",
        None,
    )?;
    server_kubeconfig(cluster, flags::SCHEDULER, "system:kube-scheduler", None)?;
    let folder = cluster.folder.path().to_owned();
    add(cluster, flags::CONTROLLERS, &flags::controllers(&folder))?;
    add(cluster, flags::SCHEDULER, &flags::scheduler(&folder))?;
    let client = cluster.client.clone();
    wait(
        cluster,
        flags::CONTROLLERS,
        "the default service account",
        move || expect_ok(&client, "/api/v1/namespaces/default/serviceaccounts/default").map(drop),
    )
}

/// Starts kwok, which plays the kubelets of all nodes.
pub(super) fn start_kwok(cluster: &Cluster) -> Result<Process, StartError> {
    let stages = Command::new(&cluster.programs)
        .arg("kwok-stages")
        .output()
        .and_then(|output| std::fs::write(cluster.folder.path().join("kwok-stages.yaml"), output.stdout));
    stages.map_err(|source| in_folder(cluster, source))?;
    // kwok deletes Pods and writes Leases and the status of all objects, in place of the kubelets.
    server_kubeconfig(cluster, flags::KWOK, "kwok", Some("system:masters"))?;
    let arguments = flags::kwok(cluster.folder.path());
    spawn(
        &cluster.programs,
        &cluster.options,
        flags::KWOK,
        cluster.folder.path(),
        &arguments,
    )
}

fn in_folder(cluster: &Cluster, source: std::io::Error) -> StartError {
    StartError::Folder {
        cluster: cluster.options.name.clone(),
        source,
    }
}

fn start_nodes(cluster: &mut Cluster) -> Result<(), StartError> {
    let kwok = start_kwok(cluster)?;
    cluster.servers.push(kwok);
    let wanted = cluster.options.nodes;
    for number in 0..wanted {
        let created = cluster.client.create("/api/v1/nodes", &node(number));
        created.map_err(|source| in_folder(cluster, source))?;
    }
    let client = cluster.client.clone();
    wait(cluster, flags::KWOK, "the nodes", move || {
        let nodes = expect_ok(&client, "/api/v1/nodes")?;
        let ready = nodes["items"]
            .as_array()
            .map_or(0, |nodes| nodes.iter().filter(|node| is_ready(node)).count());
        if ready >= wanted as usize {
            Ok(())
        } else {
            Err(format!("{ready} of {wanted} are ready"))
        }
    })
}

/// Returns whether a node is ready.
pub(crate) fn is_ready(node: &Value) -> bool {
    node["status"]["conditions"].as_array().is_some_and(|conditions| {
        conditions
            .iter()
            .any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
    })
}

/// Returns a node as a managed node group of EKS would show it, spread over three zones.
fn node(number: u32) -> Value {
    let name = format!("node-{number}.lifeboat.local");
    let zone = format!("eu-central-1{}", ["a", "b", "c"][number as usize % 3]);
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "arm64",
                "node.kubernetes.io/instance-type": "m7g.large",
                "topology.kubernetes.io/region": "eu-central-1",
                "topology.kubernetes.io/zone": zone,
            },
        },
        "spec": { "providerID": format!("aws:///{zone}/i-{number:017x}") },
    })
}

/// Writes the kubeconfig of a server of the cluster, which uses a client certificate.
fn server_kubeconfig(
    cluster: &Cluster,
    program: &str,
    user: &str,
    group: Option<&str>,
) -> Result<PathBuf, StartError> {
    let path = cluster.folder.path().join(format!("{program}.kubeconfig"));
    write_kubeconfig(cluster, &path, user, group)?;
    Ok(path)
}

pub(super) fn kubeconfig_for(
    cluster: &Cluster,
    user: &str,
    group: Option<&str>,
) -> Result<PathBuf, StartError> {
    // User names contain colons and slashes, which the file name must not.
    let file: String = user
        .chars()
        .map(|character| {
            if character.is_ascii_alphanumeric() {
                character
            } else {
                '-'
            }
        })
        .collect();
    let path = cluster.folder.path().join(format!("user-{file}.kubeconfig"));
    write_kubeconfig(cluster, &path, user, group)?;
    Ok(path)
}

fn write_kubeconfig(
    cluster: &Cluster,
    path: &Path,
    user: &str,
    group: Option<&str>,
) -> Result<(), StartError> {
    let signed = cluster
        .authority
        .client(user, group)
        .map_err(|source| StartError::Certificates {
            cluster: cluster.options.name.clone(),
            source,
        })?;
    let text = render(
        &cluster.options.name,
        user,
        &cluster.server,
        cluster.authority.pem(),
        &Credential::Certificate(&signed),
    );
    write_private(path, &text).map_err(|source| StartError::Folder {
        cluster: cluster.options.name.clone(),
        source,
    })
}

/// Writes everything that the API server and the controllers read from disk.
fn write_pki(
    folder: &Path,
    authority: &Authority,
    service_address: Ipv4Addr,
    token: &str,
    options: &ClusterOptions,
) -> Result<(), StartError> {
    let names = [
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "127.0.0.1",
        &service_address.to_string(),
    ]
    .map(str::to_owned);
    let make = || -> Result<_, rcgen::Error> {
        let front_proxy = Authority::create("lifeboat-local-front-proxy")?;
        let front_proxy_client = front_proxy.client("front-proxy-client", None)?;
        Ok((
            authority.server(&names)?,
            front_proxy.pem().to_owned(),
            front_proxy_client,
            rcgen::KeyPair::generate()?,
        ))
    };
    let (server, front_proxy_ca, front_proxy, service_account_key) =
        make().map_err(|source| StartError::Certificates {
            cluster: options.name.clone(),
            source,
        })?;
    let pki = folder.join("pki");
    let write = || -> Result<(), std::io::Error> {
        std::fs::create_dir(&pki)?;
        let pair = |name: &str, signed: &Signed| {
            write_private(&pki.join(format!("{name}.crt")), &signed.certificate)?;
            write_private(&pki.join(format!("{name}.key")), &signed.key)
        };
        write_private(&pki.join("ca.crt"), authority.pem())?;
        write_private(&pki.join("ca.key"), &authority.key_pem())?;
        write_private(&pki.join("front-proxy-ca.crt"), &front_proxy_ca)?;
        pair("server", &server)?;
        pair("front-proxy-client", &front_proxy)?;
        write_private(
            &pki.join("service-account.key"),
            &service_account_key.serialize_pem(),
        )?;
        write_private(
            &pki.join("service-account.pub"),
            &service_account_key.public_key_pem(),
        )?;
        write_private(
            &pki.join("tokens.csv"),
            &format!("{token},admin,admin,system:masters\n"),
        )
    };
    write().map_err(|source| StartError::Folder {
        cluster: options.name.clone(),
        source,
    })
}

/// Returns 192 random bits from the operating system, as text.
fn random_token() -> Result<String, std::io::Error> {
    use std::io::Read as _;
    let mut bytes = [0_u8; 24];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
