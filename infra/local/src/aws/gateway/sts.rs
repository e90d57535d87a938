//! Mend: STS accepts a presigned GetCallerIdentity.
//!
//! It is signed over the hash of an empty body. fakecloud takes a presigned
//! request for one of S3, which leaves its body unsigned, unless this header says
//! what was signed.

use http::HeaderValue;
use http::request::Parts;

use super::operation::Scope;
use super::wire::parameter;

/// SHA-256 of nothing.
pub(crate) const OF_NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Adds the header where it is missing.
pub(crate) fn mend(scope: &Scope, parts: &mut Parts) {
    let presigned = parameter(parts.uri.query().unwrap_or_default(), "X-Amz-Signature").is_some();
    if scope.service == "sts" && presigned {
        parts
            .headers
            .insert("x-amz-content-sha256", HeaderValue::from_static(OF_NOTHING));
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn only_presigned_requests_of_sts_get_the_header() {
        for (service, uri, expected) in [
            ("sts", "/?Action=GetCallerIdentity&X-Amz-Signature=1", true),
            ("sts", "/", false),
            ("s3", "/b/k?X-Amz-Signature=1", false),
        ] {
            let mut parts = http::Request::get(uri).body(()).unwrap().into_parts().0;
            let scope = Scope {
                access_key_id: "FSIA1".into(),
                region: "eu-west-1".into(),
                service: service.into(),
            };
            mend(&scope, &mut parts);
            assert_eq!(
                parts.headers.contains_key("x-amz-content-sha256"),
                expected,
                "{uri}"
            );
        }
    }
}
