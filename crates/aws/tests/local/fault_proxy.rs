//! A proxy to the API that records requests and can drop answers.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::fixture::aws;

pub(crate) struct FaultProxy {
    endpoint: String,
    traffic: Arc<Traffic>,
}

#[derive(Default)]
struct Traffic {
    losses: AtomicU32,
    heads: Mutex<Vec<String>>,
}

impl FaultProxy {
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let traffic = Arc::<Traffic>::default();
        let shared = Arc::clone(&traffic);
        tokio::spawn(async move {
            loop {
                let (near, _) = listener.accept().await.unwrap();
                let far = aws().endpoint();
                let far = far.strip_prefix("http://").unwrap();
                let far = TcpStream::connect(far).await.unwrap();
                tokio::spawn(carry(near, far, Arc::clone(&shared)));
            }
        });
        Self { endpoint, traffic }
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Drops the next answers, each with its connection.
    pub(crate) fn lose(&self, answers: u32) {
        self.traffic.losses.store(answers, Ordering::SeqCst);
    }

    /// Returns how many answers are still to be dropped.
    pub(crate) fn left(&self) -> u32 {
        self.traffic.losses.load(Ordering::SeqCst)
    }

    /// Returns the heads of all requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.traffic.heads.lock().unwrap().clone()
    }
}

async fn carry(near: TcpStream, far: TcpStream, traffic: Arc<Traffic>) {
    let (mut near_read, mut near_write) = near.into_split();
    let (mut far_read, mut far_write) = far.into_split();
    let seen = Arc::clone(&traffic);
    let there = tokio::spawn(async move {
        let mut head = Vec::new();
        let mut buffer = vec![0; 64 << 10];
        while let Ok(length @ 1..) = near_read.read(&mut buffer).await {
            let piece = &buffer[..length];
            if begins_request(piece) || !head.is_empty() {
                head.extend_from_slice(piece);
                if let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") {
                    let text = String::from_utf8_lossy(&head[..end]).into_owned();
                    seen.heads.lock().unwrap().push(text);
                    head.clear();
                }
            }
            if far_write.write_all(piece).await.is_err() {
                break;
            }
        }
    });
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length @ 1..) = far_read.read(&mut buffer).await {
        let lost =
            (traffic.losses).try_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if lost.is_ok() || near_write.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
    there.abort();
}

/// Reports whether bytes begin a request. No body in these tests begins like this.
fn begins_request(piece: &[u8]) -> bool {
    ["GET /", "PUT /", "POST /", "HEAD /", "DELETE /"]
        .iter()
        .any(|method| piece.starts_with(method.as_bytes()))
}
