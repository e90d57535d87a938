#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
//! Real sockets on loopback, and a resolver that leads every name there.

use std::io::Error;

use lifeboat_aws::testing::{context, run};
use lifeboat_aws::{S3Location, S3Store};
use lifeboat_model::AccountId;
use lifeboat_model::network::DeniedBy;
use lifeboat_store::memory::MemoryStore;
use lifeboat_system::SystemRandomness;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket};
use tokio_rustls::TlsAcceptor;

use super::*;

const HOST: &str = "s3.test";

/// How the resolver answers.
#[derive(Clone)]
enum Names {
    Loopback,
    Says(&'static str),
    Silent,
}

#[async_trait]
impl Resolve for Names {
    async fn resolve(&self, _: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
        match self {
            Self::Loopback => Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))]),
            Self::Says(said) => Err(Error::other(format!(
                "failed to lookup address information: {said}"
            ))),
            Self::Silent => std::future::pending().await,
        }
    }
}

/// A certificate authority.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// Starts a server with a certificate for a name, which answers each request so.
    async fn server(&self, name: &str, answer: &'static str) -> u16 {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        serve(move |stream| {
            let acceptor = acceptor.clone();
            async move {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    return;
                };
                let mut request = [0; 1024];
                if stream.read(&mut request).await.is_ok_and(|length| length > 0) {
                    drop(stream.write_all(answer.as_bytes()).await);
                    drop(stream.shutdown().await);
                }
            }
        })
        .await
    }
}

/// Starts a server that handles each connection so.
async fn serve<F: Future<Output = ()> + Send + 'static>(
    handle: impl Fn(TcpStream) -> F + Send + 'static,
) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(handle(stream));
        }
    });
    port
}

/// Starts a server that answers every request without TLS with this status and body.
async fn answering(status: &'static str, body: &'static str) -> u16 {
    serve(move |mut stream| async move {
        let mut request = [0; 4096];
        drop(stream.read(&mut request).await);
        let length = body.len();
        let answer =
            format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
        drop(stream.write_all(answer.as_bytes()).await);
        drop(stream.shutdown().await);
    })
    .await
}

fn probe(port: u16, names: Names, authority: &Authority) -> NetworkProbe {
    NetworkProbe {
        endpoint: format!("https://{HOST}:{port}"),
        scratch: Arc::new(MemoryStore::new()),
        key: ObjectKey::parse("delegates/shop.orders.json").unwrap(),
        jobs: "jobs/shop.orders/".to_owned(),
        variables: BTreeMap::new(),
        resolver: Arc::new(names),
        authorities: authorities(&authority.pem),
        limits: Limits {
            resolve: Duration::from_millis(200),
            connect: Duration::from_millis(500),
            handshake: Duration::from_secs(2),
            requests: Duration::from_secs(8),
        },
    }
}

async fn observe(probe: &NetworkProbe) -> Option<NetworkFailure> {
    let observed = probe.observe(&NetworkCheck::default()).await;
    assert!(observed.is_valid(), "{observed:?}");
    observed.s3.failure
}

#[test]
fn a_server_that_answers_is_reached() {
    run(async {
        let authority = Authority::new();
        let port = authority.server(HOST, "").await;
        let observed = probe(port, Names::Loopback, &authority)
            .observe(&NetworkCheck::default())
            .await;
        assert_eq!(observed.s3.failure, None);
        assert_eq!(observed.s3.addresses, [IpAddr::from([127, 0, 0, 1])]);
        assert_eq!((observed.s3.host.as_str(), observed.s3.port), (HOST, port));
    });
}

#[test]
fn a_name_that_is_not_found_differs_from_a_resolver_that_is_silent() {
    run(async {
        let authority = Authority::new();
        for (names, failure) in [
            (
                Names::Says("Name or service not known"),
                NetworkFailure::NameNotFound {},
            ),
            (
                Names::Says("Name does not resolve"),
                NetworkFailure::NameNotFound {},
            ),
            (
                Names::Says("Temporary failure in name resolution"),
                NetworkFailure::ResolverSilent {},
            ),
            (Names::Says("Try again"), NetworkFailure::ResolverSilent {}),
            (Names::Silent, NetworkFailure::ResolverSilent {}),
        ] {
            assert_eq!(observe(&probe(1, names, &authority)).await, Some(failure));
        }
    });
}

#[test]
fn a_lost_connection_differs_from_a_refused_one() {
    run(async {
        let authority = Authority::new();
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = closed.local_addr().unwrap().port();
        drop(closed);
        let failure = observe(&probe(port, Names::Loopback, &authority)).await;
        assert_eq!(failure, Some(NetworkFailure::Refused {}));

        // The kernel drops the packets of connections for which the queue of the listener has no room.
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut queued = Vec::new();
        for _ in 0..4 {
            let connecting = tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address));
            queued.extend(connecting.await);
        }
        let failure = observe(&probe(address.port(), Names::Loopback, &authority)).await;
        assert_eq!(failure, Some(NetworkFailure::TimedOut {}));
    });
}

#[test]
fn a_certificate_tells_who_answers() {
    run(async {
        let (authority, other) = (Authority::new(), Authority::new());
        let proxy = other.server(HOST, "").await;
        let failure = observe(&probe(proxy, Names::Loopback, &authority)).await;
        assert_eq!(failure, Some(NetworkFailure::UnknownIssuer {}));
        let elsewhere = authority.server("other.test", "").await;
        let failure = observe(&probe(elsewhere, Names::Loopback, &authority)).await;
        assert_eq!(failure, Some(NetworkFailure::OtherName {}));
        let plain = answering("400 Bad Request", "").await;
        let failure = observe(&probe(plain, Names::Loopback, &authority)).await;
        assert!(
            matches!(failure, Some(NetworkFailure::OtherAnswer { status: None, .. })),
            "{failure:?}"
        );
        let closing = serve(|stream| async move { drop(stream) }).await;
        let failure = observe(&probe(closing, Names::Loopback, &authority)).await;
        assert!(
            matches!(failure, Some(NetworkFailure::Interrupted { .. })),
            "{failure:?}"
        );
    });
}

/// A probe of a server without TLS, whose store is the client of S3.
async fn of_s3(status: &'static str, body: &'static str) -> Option<NetworkFailure> {
    let port = answering(status, body).await;
    let endpoint = format!("http://127.0.0.1:{port}");
    let context = context(&endpoint, "eu-west-1", "AKIDEXAMPLE", "secret-canary");
    let location = S3Location::bucket("bucket", AccountId::parse("111111111111").unwrap());
    let probe = NetworkProbe {
        endpoint: context.s3_endpoint(),
        scratch: Arc::new(S3Store::new(&context, location, Arc::new(SystemRandomness))),
        ..probe(port, Names::Silent, &Authority::new())
    };
    let failure = observe(&probe).await;
    assert!(!format!("{failure:?}").contains("secret-canary"));
    failure
}

#[test]
fn the_answer_of_s3_names_the_policy() {
    const DENIED: &str = "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>User: arn:aws:sts::111111111111:assumed-role/r/s is not authorized to perform: s3:GetObject on resource: \"arn:aws:s3:::bucket/k\" because no VPC endpoint policy allows the s3:GetObject action</Message></Error>";
    run(async {
        match of_s3("403 Forbidden", DENIED).await {
            Some(NetworkFailure::Denied { by, explicit, said }) => {
                assert_eq!((by, explicit), (DeniedBy::EndpointPolicy, Some(false)));
                assert!(said.starts_with("AccessDenied: User: "), "{said}");
            }
            other => panic!("{other:?}"),
        }
        let failure = of_s3("403 Forbidden", "<html>blocked by the proxy</html>").await;
        assert!(
            matches!(
                failure,
                Some(NetworkFailure::OtherAnswer {
                    status: Some(403),
                    ..
                })
            ),
            "{failure:?}"
        );
        let failure = of_s3("404 Not Found", "not here").await;
        assert!(
            matches!(
                failure,
                Some(NetworkFailure::OtherAnswer {
                    status: Some(404),
                    ..
                })
            ),
            "{failure:?}"
        );
    });
}

#[test]
fn the_api_server_is_known_by_its_authority_and_its_answer() {
    run(async {
        let (authority, other) = (Authority::new(), Authority::new());
        let unauthorized = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n";
        let port = authority.server(HOST, unauthorized).await;
        let check = |port: u16, authority: &Authority| NetworkCheck {
            api_server: Some(ClusterEndpoint {
                url: format!("https://{HOST}:{port}"),
                ca: authority.pem.clone(),
                access_entries: true,
            }),
        };
        let probe = probe(port, Names::Loopback, &authority);
        let observed = probe.observe(&check(port, &authority)).await;
        let api_server = observed.api_server.unwrap();
        assert_eq!(api_server.failure, None);
        let observed = probe.observe(&check(port, &other)).await;
        let failure = observed.api_server.unwrap().failure;
        assert_eq!(failure, Some(NetworkFailure::UnknownIssuer {}));
        let impaired = authority
            .server(HOST, "HTTP/1.1 503 Service Unavailable\r\n\r\n")
            .await;
        let observed = probe.observe(&check(impaired, &authority)).await;
        let failure = observed.api_server.unwrap().failure;
        assert!(
            matches!(
                failure,
                Some(NetworkFailure::OtherAnswer {
                    status: Some(503),
                    ..
                })
            ),
            "{failure:?}"
        );
    });
}

#[test]
fn a_proxy_of_the_client_is_named_without_its_password() {
    run(async {
        let authority = Authority::new();
        let mut probe = probe(1, Names::Silent, &authority);
        let proxy = "http://user:password@proxy.example:3128";
        probe.variables.insert("HTTPS_PROXY".to_owned(), proxy.to_owned());
        let observed = probe.observe(&NetworkCheck::default()).await;
        assert_eq!(observed.proxy.as_deref(), Some("HTTPS_PROXY"));
        // The store in memory answers: the client goes by the proxy, which the steps would not.
        assert_eq!(observed.s3.failure, None);
        assert!(!format!("{observed:?}").contains("password"));
    });
}

#[test]
fn the_longest_check_ends_within_half_a_minute() {
    let Limits {
        resolve,
        connect,
        handshake,
        requests,
    } = Limits::default();
    assert!(resolve + connect * 2 + handshake + requests < Duration::from_secs(30));
    assert!(resolve + connect * 2 + handshake * 2 < Duration::from_secs(30));
}
