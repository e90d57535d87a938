//! Correction: every object of a bucket belongs to the bucket's owner.
//!
//! This is the default of S3 for new buckets since April 2023 (S3 User Guide, "Controlling
//! ownership of objects"). fakecloud reports no ownership controls for a bucket that CloudFormation
//! created with them, and for a bucket created without them.

use http::request::Parts;
use http::{Method, Response, StatusCode};
use http_body_util::BodyExt as _;

use super::upstream::UpstreamError;
use super::wire::{Body, answer, full, parameters};

const ENFORCED: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
    <OwnershipControls xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
    <Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>";

/// Returns whether a request reads the ownership controls of a bucket.
pub(crate) fn is_asked(parts: &Parts) -> bool {
    let query = parts.uri.query().unwrap_or_default();
    parts.method == Method::GET && parameters(query).any(|(name, _)| name == "ownershipControls")
}

/// Returns the AWS default where fakecloud has no ownership controls.
pub(crate) async fn correct(response: Response<Body>) -> Result<Response<Body>, UpstreamError> {
    if response.status() != StatusCode::NOT_FOUND {
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map_err(UpstreamError::Send)?.to_bytes();
    // The bucket may not exist at all, which is another error.
    if String::from_utf8_lossy(&body).contains("OwnershipControlsNotFoundError") {
        return Ok(answer(StatusCode::OK, "application/xml", ENFORCED.to_owned()));
    }
    Ok(Response::from_parts(parts, full(body)))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use http::Request;

    use super::*;

    async fn corrected(status: StatusCode, body: &str) -> (StatusCode, String) {
        let response = correct(answer(status, "application/xml", body.to_owned()))
            .await
            .unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn only_what_nobody_has_set_is_as_aws_sets_it() {
        let unset = "<Error><Code>OwnershipControlsNotFoundError</Code></Error>";
        let (status, body) = corrected(StatusCode::NOT_FOUND, unset).await;
        assert!(status == StatusCode::OK && body.contains("BucketOwnerEnforced"));
        for (status, body) in [
            (StatusCode::NOT_FOUND, "<Error><Code>NoSuchBucket</Code></Error>"),
            (
                StatusCode::OK,
                "<OwnershipControls>ObjectWriter</OwnershipControls>",
            ),
        ] {
            assert_eq!(corrected(status, body).await, (status, body.to_owned()));
        }
    }

    #[test]
    fn other_questions_are_left_alone() {
        let parts = |method: Method, path: &str| {
            let request = Request::builder().method(method).uri(path).body(());
            request.unwrap().into_parts().0
        };
        assert!(is_asked(&parts(Method::GET, "/bucket?ownershipControls")));
        assert!(!is_asked(&parts(Method::PUT, "/bucket?ownershipControls")));
        assert!(!is_asked(&parts(Method::GET, "/bucket?policy")));
    }
}
