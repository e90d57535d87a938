//! The number of requests to S3, by the classes that S3 bills.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;

/// The number of requests that were sent to S3, counting each attempt, by the classes of its price list
/// (<https://aws.amazon.com/s3/pricing/>). Requests that delete or cancel are free and counted in neither class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct S3Requests {
    /// GET and all requests of no other class.
    pub reads: u64,
    /// PUT, COPY, POST and LIST.
    pub writes: u64,
}

/// Counts the requests of every client that it is added to. Clones share the count.
#[derive(Debug, Clone, Default)]
pub(crate) struct RequestCounter(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    reads: AtomicU64,
    writes: AtomicU64,
}

impl RequestCounter {
    /// Returns the requests since the last call, and resets the count.
    pub(crate) fn take(&self) -> S3Requests {
        S3Requests {
            reads: self.0.reads.swap(0, Ordering::Relaxed),
            writes: self.0.writes.swap(0, Ordering::Relaxed),
        }
    }

    fn count(&self, method: &str, uri: &str) {
        let lists = uri
            .split_once('?')
            .is_some_and(|(_, query)| query.split('&').any(|part| part == "list-type=2"));
        let class = match method {
            "DELETE" => return,
            "PUT" | "POST" => &self.0.writes,
            _ if lists => &self.0.writes,
            _ => &self.0.reads,
        };
        class.fetch_add(1, Ordering::Relaxed);
    }
}

impl Intercept for RequestCounter {
    fn name(&self) -> &'static str {
        "RequestCounter"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request();
        self.count(request.method(), request.uri());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_their_price() {
        let counter = RequestCounter::default();
        for (method, uri) in [
            ("GET", "https://b.s3.amazonaws.com/key"),
            ("GET", "https://b.s3.amazonaws.com/list-type=2"),
            ("HEAD", "https://b.s3.amazonaws.com/key"),
            ("GET", "https://b.s3.amazonaws.com/?list-type=2&prefix=jobs%2F"),
            ("PUT", "https://b.s3.amazonaws.com/key?partNumber=1&uploadId=u"),
            ("POST", "https://b.s3.amazonaws.com/key?uploads"),
            ("DELETE", "https://b.s3.amazonaws.com/key"),
        ] {
            counter.clone().count(method, uri);
        }
        assert_eq!(counter.take(), S3Requests { reads: 3, writes: 3 });
        assert_eq!(counter.take(), S3Requests::default());
    }
}
