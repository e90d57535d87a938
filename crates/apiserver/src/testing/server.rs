//! A real HTTP server on loopback with responses written by the test.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::api::Api;

/// A received request.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// `GET`, `POST`, ...
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The query, decoded.
    pub query: BTreeMap<String, String>,
    /// The headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Recorded {
    /// Returns a parameter of the query; empty if it is absent.
    #[must_use]
    pub fn parameter(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }

    /// Returns the query without `limit`: which page of a list is requested.
    fn page(&self) -> Vec<(&String, &String)> {
        self.query.iter().filter(|(name, _)| *name != "limit").collect()
    }
}

/// A response of the server.
#[derive(Debug, Clone)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    cut_after: Option<usize>,
    delay: Duration,
}

impl Reply {
    /// Creates a response of bytes with a media type.
    #[must_use]
    pub fn bytes(status: u16, media: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("content-type".into(), media.into())],
            body: body.into(),
            cut_after: None,
            delay: Duration::ZERO,
        }
    }

    /// Creates a response with a JSON document.
    #[must_use]
    pub fn json(status: u16, body: &Value) -> Self {
        Self::bytes(status, "application/json", body.to_string())
    }

    /// Creates an error response with a `Status` object.
    #[must_use]
    pub fn failure(status: u16, reason: &str, message: &str) -> Self {
        let body = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message, "reason": reason, "code": status,
        });
        Self::json(status, &body)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Closes the connection after this many bytes of the body.
    #[must_use]
    pub fn cut_after(mut self, bytes: usize) -> Self {
        self.cut_after = Some(bytes);
        self
    }

    /// Delays the response.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Returns the body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Returns the length of the body in bytes.
    #[must_use]
    pub fn body_len(&self) -> usize {
        self.body.len()
    }
}

type Handler = dyn Fn(&Recorded, usize) -> Reply + Send + Sync;

/// The server. It stops when it is dropped.
#[derive(Debug)]
pub struct FakeServer {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Recorded>>>,
    task: JoinHandle<()>,
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl FakeServer {
    /// Starts a server that responds to each request with the result of `handler`. The number passed to
    /// `handler` is the number of earlier requests with the same method, path and query. A page of a list counts as
    /// the same page in every size.
    ///
    /// # Errors
    /// If loopback has no free port.
    pub async fn start<F>(handler: F) -> std::io::Result<Self>
    where
        F: Fn(&Recorded, usize) -> Reply + Send + Sync + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (handler, log): (Arc<Handler>, _) = (Arc::new(handler), requests.clone());
        let task = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let (handler, log) = (handler.clone(), log.clone());
                // A connection that the client closes early is not a failure of the server.
                tokio::spawn(async move { serve(connection, &*handler, &log).await.ok() });
            }
        });
        Ok(Self {
            address,
            requests,
            task,
        })
    }

    /// Returns `http://127.0.0.1:port`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns a connection to this server.
    #[must_use]
    pub fn api(&self) -> Api {
        let uri = self.url().parse().expect("an address and a port are a URI");
        let mut config = kube::Config::new(uri);
        config.default_retry = false;
        let client = kube::Client::try_from(config).expect("plain HTTP needs no certificate");
        Api::from_client(client, &self.url())
    }

    /// Returns every request so far, in order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

async fn serve(connection: TcpStream, handler: &Handler, log: &Mutex<Vec<Recorded>>) -> std::io::Result<()> {
    connection.set_nodelay(true)?;
    let (reading, mut writing) = connection.into_split();
    let mut reading = BufReader::new(reading);
    while let Some(request) = read_request(&mut reading).await? {
        let earlier = {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            let same = |r: &&Recorded| {
                r.method == request.method && r.path == request.path && r.page() == request.page()
            };
            let earlier = log.iter().filter(same).count();
            log.push(request.clone());
            earlier
        };
        let reply = handler(&request, earlier);
        if !reply.delay.is_zero() {
            lifeboat_system::sleep(reply.delay).await;
        }
        let mut head = format!(
            "HTTP/1.1 {} Scripted\r\ncontent-length: {}\r\n",
            reply.status,
            reply.body.len()
        );
        for (name, value) in &reply.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        writing.write_all(head.as_bytes()).await?;
        let end = reply.cut_after.unwrap_or(usize::MAX).min(reply.body.len());
        writing.write_all(&reply.body[..end]).await?;
        writing.flush().await?;
        if reply.cut_after.is_some() {
            return Ok(());
        }
    }
    Ok(())
}

async fn read_request<R>(reading: &mut BufReader<R>) -> std::io::Result<Option<Recorded>>
where
    R: tokio::io::AsyncRead + Unpin,
{
    let mut line = String::new();
    if reading.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (method, path) = (method.to_owned(), decode(path));
    let query = (query.split('&').filter(|pair| !pair.is_empty()))
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reading.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers
        .get("content-length")
        .and_then(|v: &String| v.parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    reading.read_exact(&mut body).await?;
    Ok(Some(Recorded {
        method,
        path,
        query,
        headers,
        body,
    }))
}

/// Decodes `%xx`; other text is unchanged.
fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}
